//! The command line of `ragged`: trains, evaluates and applies recurrent models over
//! variable-length sequences.
//!
//! [`run`] is the whole program; the binary `ragged` calls it. [`command`] describes the
//! subcommands and their options, for shell completions and man pages.
//!
//! ```
//! let names: Vec<String> =
//!     ragged_cli::command().get_subcommands().map(|c| c.get_name().to_string()).collect();
//! assert!(names.contains(&"train".to_string()));
//! ```
//!
//! Results go to stdout, progress and errors to stderr. The exit code is 0 for success, 2 for
//! input that cannot be used (a flag, a configuration, a file of data), 1 for any other failure, and 129, 130 or 143
//! for a run that SIGHUP, SIGINT or SIGTERM stopped after it was saved. A command whose stdout was closed ends with 0,
//! and one whose stderr was closed continues.
//!
//! The features are on by default, except for `mpi`. `download` (HTTP, TLS and zip archives), `completions` and `man`
//! are the commands that training does not need. A build without one of these
//! features says how to get the command.
//! `parquet` and `tokenizers` are for files of these kinds. `mpi`, which needs an MPI library, trains by the processes
//! that `mpirun` starts.
//!
//! In reading order: `cli` lists the subcommands, `failure` holds the errors and exit codes, and
//! each command has a file or folder of its name.

#![forbid(unsafe_code)]

mod cli;
mod compare;
mod completions;
mod console;
mod convert;
mod data;
mod download;
mod evaluate;
mod export;
mod failure;
mod man;
mod predict;
mod program;
mod runs;
mod signals;
mod text;
mod threads;
mod train;
mod waiting;
mod whole_file;

pub use cli::{command, run};
