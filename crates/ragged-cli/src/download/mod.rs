//! `ragged download`: a data set of the UEA/UCR archive.

#[cfg(feature = "download")]
mod fetch;
#[cfg(feature = "download")]
mod install;
#[cfg(feature = "download")]
mod pins;
#[cfg(feature = "download")]
mod unpack;

use std::path::PathBuf;

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The set's name in the archive, such as JapaneseVowels
    #[arg(value_parser = name)]
    name: String,
    /// The folder that gets NAME_TRAIN.ts and NAME_TEST.ts
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Where NAME.zip is
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://timeseriesclassification.com/aeon-toolkit"
    )]
    url: String,
}

/// Names become part of an address and of paths.
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.into());
    }
    Err("expected letters, digits, `-` and `_`".into())
}

/// Downloads the archive into a temporary file, unpacks it into a temporary folder, checks the files,
/// and only then moves them into the data folder. An error on the way leaves nothing behind.
#[cfg(feature = "download")]
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let Args { name, data, url } = args;
    let parts = ["TRAIN", "TEST"].map(|part| format!("{name}_{part}.ts"));
    if parts.iter().all(|part| data.join(part).exists()) {
        install::check(&name, &data)?;
        println!("{name} is in {} already", data.display());
        return Ok(());
    }
    let signals = crate::signals::Signals::listen()?;
    let made = install::make_folder(&data)?;
    let result = install::fetch_into(&name, &data, &url, &signals);
    if result.is_err() && made {
        // Only if it is empty, as it was.
        let _ = std::fs::remove_dir(&data);
    }
    let (files, sum) = result?;
    println!("fetched   {name}.zip, sha256 {sum}");
    for file in &files {
        println!("file      {}", data.join(file).display());
    }
    Ok(())
}

#[cfg(not(feature = "download"))]
pub(crate) fn run(_: Args) -> Result<(), Failure> {
    Err(Failure::missing_feature("download"))
}
