//! `ragged download`.

#[cfg(feature = "download")]
mod fetch;
#[cfg(feature = "download")]
mod fingerprints;
#[cfg(feature = "download")]
mod install;
#[cfg(feature = "download")]
mod unpack;

use std::path::PathBuf;

use crate::failure::Failure;

#[derive(clap::Args)]
#[cfg_attr(not(feature = "download"), allow(dead_code, reason = "this build downloads nothing"))]
pub(crate) struct Args {
    /// The name of the data set in the archive, such as JapaneseVowels
    #[arg(value_parser = name)]
    name: String,
    /// Set the folder for NAME_TRAIN.ts and NAME_TEST.ts
    #[arg(long, value_name = "DIR", default_value = "data", value_hint = clap::ValueHint::DirPath)]
    data: PathBuf,
    /// Set the address of the folder that contains NAME.zip
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://timeseriesclassification.com/aeon-toolkit"
    )]
    url: String,
}

/// Accepts the characters of the archive's names: names become part of an address and of paths.
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.into());
    }
    Err("expected letters, digits, `-` and `_`".into())
}

/// Downloads the data set unless the data folder has it. An error leaves no file behind.
#[cfg(feature = "download")]
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    use std::io::Write;

    let Args { name, data, url } = args;
    let mut out = std::io::stdout();
    let parts = ["TRAIN", "TEST"].map(|part| format!("{name}_{part}.ts"));
    if parts.iter().all(|part| data.join(part).exists()) {
        install::check(&name, &data)?;
        writeln!(out, "{} already contains {name}", data.display())?;
        return Ok(());
    }
    let signals = crate::signals::Signals::listen()?;
    let created = install::create_folder(&data)?;
    let result = install::install(&name, &data, &url, &signals);
    if result.is_err() && created {
        // This fails, and should, if the folder is not empty.
        let _ = std::fs::remove_dir(&data);
    }
    let installed = result?;
    writeln!(out, "archive   {name}.zip, SHA-256 {}", installed.sha256)?;
    for file in &installed.files {
        writeln!(out, "file      {}", data.join(file).display())?;
    }
    Ok(())
}

#[cfg(not(feature = "download"))]
pub(crate) fn run(_: Args) -> Result<(), Failure> {
    Err(Failure::missing_feature("download"))
}
