//! `ragged man`.

use std::path::PathBuf;

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder for ragged.1, ragged-train.1 and the other pages
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    #[cfg_attr(not(feature = "man"), allow(dead_code, reason = "this build writes no pages"))]
    folder: PathBuf,
}

/// Writes one page for `ragged` and one per subcommand.
#[cfg(feature = "man")]
pub(crate) fn run(args: Args, command: clap::Command) -> Result<(), Failure> {
    let Args { folder } = args;
    std::fs::create_dir_all(&folder)
        .and_then(|()| clap_mangen::generate_to(command, &folder))
        .map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}

#[cfg(not(feature = "man"))]
pub(crate) fn run(_: Args, _: clap::Command) -> Result<(), Failure> {
    Err(Failure::missing_feature("man"))
}
