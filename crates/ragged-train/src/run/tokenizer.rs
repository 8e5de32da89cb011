//! The `tokenizer.json` file of a run: its place, its copy in the run, and whether it has changed.

use std::borrow::Cow;
use std::sync::Arc;

use ragged_datasets::tokens::TokenizerFile;

use crate::atomic_file::write_atomically;
use crate::config::sections::DataSection;
use crate::error::{Error, Result};
use crate::run::data_files::find;
use crate::run::difference::Difference;
use crate::run::run_dir::RunDir;

/// What the file is called where runs are compared.
pub(crate) const NAME: &str = "the tokenizer";

/// Reads the file of the configuration, unless there is none or it has been read.
pub(crate) fn open_tokenizer(section: &mut DataSection) -> Result<()> {
    if let (Some(path), None) = (section.read.tokenizer.path(), &section.read.tokenizer_file) {
        let file = TokenizerFile::read(&find(section, path))?;
        section.read.tokenizer_file = Some(Arc::new(file));
    }
    Ok(())
}

/// Returns the section with the content of its file.
pub(crate) fn with_tokenizer(section: &DataSection) -> Result<Cow<'_, DataSection>> {
    let mut section = Cow::Borrowed(section);
    if section.read.tokenizer.path().is_some() && section.read.tokenizer_file.is_none() {
        open_tokenizer(section.to_mut())?;
    }
    Ok(section)
}

/// Reads the copy in a run, if the run has one.
pub(crate) fn open_copy(section: &mut DataSection, run: &RunDir) -> Result<()> {
    let path = run.tokenizer();
    if section.read.tokenizer.path().is_some() && path.exists() {
        section.read.tokenizer_file = Some(Arc::new(TokenizerFile::read(&path)?));
    }
    Ok(())
}

/// Reads the copy in a run, or the file of the configuration if the copy is missing, whose SHA-256 sum must be the one
/// that is expected.
pub(crate) fn open_unchanged(
    section: &mut DataSection,
    run: &RunDir,
    expected: Option<&str>,
) -> Result<()> {
    open_copy(section, run)?;
    open_tokenizer(section)?;
    let got = section.read.tokenizer_file.as_ref().map(|file| file.sha256());
    if got.as_deref() == expected {
        return Ok(());
    }
    let shown = |sum: Option<&str>| sum.map_or("absent".into(), shown);
    let (before, now) = (shown(expected), shown(got.as_deref()));
    let differences = vec![Difference { name: NAME.into(), before, now }];
    Err(Error::RunChanged { path: run.path().to_path_buf(), differences })
}

/// Copies the file into a run that has no copy.
pub(crate) fn keep_copy(section: &DataSection, run: &RunDir) -> Result<()> {
    match &section.read.tokenizer_file {
        Some(file) if !run.tokenizer().exists() => write_atomically(&run.tokenizer(), file.bytes()),
        _ => Ok(()),
    }
}

/// Returns how the file of the configuration differs from the one that was read, which is the copy in the run. A file
/// that is not there any more is not needed.
pub(crate) fn changed_file(section: &DataSection) -> Option<Difference> {
    let (path, file) = section.read.tokenizer.path().zip(section.read.tokenizer_file.as_ref())?;
    let path = find(section, path);
    let read = path.is_file().then(|| std::fs::read(&path).ok()).flatten();
    let now = read.filter(|bytes| bytes != file.bytes())?;
    let now = TokenizerFile::sha256_of(&now);
    let name = format!("{}, the file of data.read.tokenizer,", path.display());
    Some(Difference { name, before: shown(&file.sha256()), now: shown(&now) })
}

/// Returns a SHA-256 sum as it is shown.
pub(crate) fn shown(sha256: &str) -> String {
    format!("a file with the SHA-256 sum {sha256:.8}..")
}
