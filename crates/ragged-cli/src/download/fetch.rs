//! Downloads a file over HTTP.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::signals::Signals;

/// The limit of a download; the largest archive of the collection has about 2 GB.
const MAX_BYTES: u64 = 16 << 30;

/// A downloaded file.
pub(super) struct Fetched {
    /// The file is removed when this is dropped.
    pub(super) file: NamedTempFile,
    pub(super) sha256: String,
}

/// Downloads `url` to a temporary file in `folder`.
pub(super) fn fetch(url: &str, folder: &Path, signals: &Signals) -> Result<Fetched, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("{url}: {error}"));
    let agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .user_agent(concat!("ragged/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let response = agent.get(url).call().map_err(|error| failed(&error))?;
    let length = response.body().content_length();
    let bar = bar(length);
    let mut body = response.into_body().into_with_config().limit(MAX_BYTES).reader();
    let mut file = tempfile::Builder::new()
        .prefix(".partial-")
        .tempfile_in(folder)
        .map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))?;
    let (mut sum, mut bytes, mut chunk) = (Sha256::new(), 0u64, vec![0; 1 << 16]);
    loop {
        if let Some(code) = signals.exit_code() {
            return Err(Failure::Interrupted(code));
        }
        let read = body.read(&mut chunk).map_err(|error| failed(&error))?;
        if read == 0 {
            break;
        }
        sum.update(&chunk[..read]);
        file.write_all(&chunk[..read]).map_err(|error| failed(&error))?;
        bytes += read as u64;
        bar.set_position(bytes);
    }
    bar.finish_and_clear();
    if let Some(expected) = length.filter(|&expected| expected != bytes) {
        return Err(failed(&format!("expected {expected} bytes, got {bytes}")));
    }
    let sha256 = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Fetched { file, sha256 })
}

/// Returns a progress bar, which is hidden where stderr is not a terminal.
fn bar(length: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let style = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}
