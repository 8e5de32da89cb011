//! Downloads a file over HTTP.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

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

/// The longest time without any data.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest time of a download: 16 GB at 1 MB/s, and some more.
const LONGEST: Duration = Duration::from_secs(5 * 3600);

/// The time between two looks at the signals.
const LOOK: Duration = Duration::from_millis(100);

/// What the thread that reads from the network reports.
enum Event {
    /// The response has come, with this length if the server says so.
    Response(Option<u64>),
    Chunk(Vec<u8>),
    End,
}

/// Downloads `url` to a temporary file in `folder`. A signal ends it at once, also while the server is silent.
pub(super) fn fetch(url: &str, folder: &Path, signals: &Signals) -> Result<Fetched, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("{url}: {error}"));
    let events = receive(url.to_string());
    let mut file = tempfile::Builder::new()
        .prefix(".partial-")
        .tempfile_in(folder)
        .map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))?;
    let (mut sum, mut bytes) = (Sha256::new(), 0u64);
    let (mut bar, mut length) = (ProgressBar::hidden(), None);
    let (begin, mut last) = (Instant::now(), Instant::now());
    loop {
        if let Some(code) = signals.exit_code() {
            return Err(Failure::Interrupted(code));
        }
        if last.elapsed() > LONGEST_PAUSE || begin.elapsed() > LONGEST {
            let seconds = begin.elapsed().as_secs();
            return Err(failed(&format!("given up after {seconds} s and {bytes} bytes")));
        }
        match events.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Err(failed(&"the download broke off")),
            Ok(Err(error)) => return Err(failed(&error)),
            Ok(Ok(Event::Response(expected))) => {
                length = expected;
                bar = self::bar(length);
            }
            Ok(Ok(Event::Chunk(chunk))) => {
                sum.update(&chunk);
                file.write_all(&chunk).map_err(|error| failed(&error))?;
                bytes += chunk.len() as u64;
                bar.set_position(bytes);
            }
            Ok(Ok(Event::End)) => break,
        }
        last = Instant::now();
    }
    bar.finish_and_clear();
    if let Some(expected) = length.filter(|&expected| expected != bytes) {
        return Err(failed(&format!("expected {expected} bytes, got {bytes}")));
    }
    let sha256 = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Fetched { file, sha256 })
}

/// Starts a thread that reads from the network. The thread ends after the download, after an error, or when the
/// receiver is dropped.
fn receive(url: String) -> Receiver<Result<Event, String>> {
    let (sender, receiver) = sync_channel(4);
    std::thread::spawn(move || {
        let read = || -> Result<(), String> {
            let agent = ureq::Agent::config_builder()
                .timeout_connect(Some(Duration::from_secs(30)))
                .timeout_recv_response(Some(LONGEST_PAUSE))
                .user_agent(concat!("ragged/", env!("CARGO_PKG_VERSION")))
                .build()
                .new_agent();
            let response = agent.get(&url).call().map_err(|error| error.to_string())?;
            // This fails if the receiver was dropped, for instance after a signal.
            let send = |event| sender.send(Ok(event)).map_err(|_| String::new());
            send(Event::Response(response.body().content_length()))?;
            let mut body = response.into_body().into_with_config().limit(MAX_BYTES).reader();
            loop {
                let mut chunk = vec![0; 1 << 16];
                let read = body.read(&mut chunk).map_err(|error| error.to_string())?;
                if read == 0 {
                    return send(Event::End);
                }
                chunk.truncate(read);
                send(Event::Chunk(chunk))?;
            }
        };
        if let Err(error) = read() {
            let _ = sender.send(Err(error));
        }
    });
    receiver
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
