//! `ragged completions`.

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[cfg(feature = "completions")]
    shell: clap_complete::Shell,
    /// The shell
    #[cfg(not(feature = "completions"))]
    #[allow(dead_code, reason = "this build knows no shell")]
    shell: String,
}

/// Prints the script by which the shell completes the subcommands and options of `ragged`.
#[cfg(feature = "completions")]
pub(crate) fn run(args: Args, mut command: clap::Command) -> Result<(), Failure> {
    // `generate` panics where its writer fails, so it gets one that cannot.
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut command, "ragged", &mut script);
    Ok(std::io::Write::write_all(&mut std::io::stdout(), &script)?)
}

#[cfg(not(feature = "completions"))]
pub(crate) fn run(_: Args, _: clap::Command) -> Result<(), Failure> {
    Err(Failure::missing_feature("completions"))
}
