//! The command `ragged`; everything it does is in the library `ragged_cli`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ragged_cli::run(std::env::args_os())
}
