//! The command line as a function: what `ragged train --dry-run --epochs 2` prints.

use std::process::ExitCode;

fn main() -> ExitCode {
    ragged_cli::run(["ragged", "train", "--dry-run", "--epochs", "2"])
}
