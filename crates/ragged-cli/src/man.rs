//! `ragged man`.

use std::path::PathBuf;

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder for ragged.1, ragged-train.1 and the other pages; it must exist
    #[cfg_attr(not(feature = "man"), expect(dead_code, reason = "this build writes no pages"))]
    folder: PathBuf,
}

/// Writes one page for `ragged` and one for each subcommand.
#[cfg(feature = "man")]
pub(crate) fn run(args: Args, command: clap::Command) -> Result<(), Failure> {
    let Args { folder } = args;
    clap_mangen::generate_to(command, &folder)
        .map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}

#[cfg(not(feature = "man"))]
pub(crate) fn run(_: Args, _: clap::Command) -> Result<(), Failure> {
    Err(Failure::missing_feature("man"))
}
