//! Commands whose output is shown only where they fail.

use std::path::PathBuf;
use std::process::Command;

/// Runs a command, and shows its output if it fails.
pub(crate) fn report(name: &str, command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    eprint!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Err(format!("{name} failed"))
}

/// Names a step on stderr.
pub(crate) fn announce(name: &str) {
    eprintln!("ci: {name}");
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect()
}
