//! Why a command failed, and the exit code that says so.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use crate::console::say;
use crate::program;

/// The reason why a command did not do what it was asked to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command failed although its input was valid.
    Failed(String),
    /// What the user gave cannot be used: a flag, a configuration, a file of data, or a combination of them.
    Usage(String),
    /// Standard output could not be written.
    Output(std::io::Error),
    /// A signal stopped the command, which has saved its work and reported it. Holds the exit code.
    Interrupted(u8),
    /// Another process, with which this one has trained, has reported the failure. Holds the exit code.
    Reported(u8),
}

impl Failure {
    /// The failure of a command whose feature this build lacks.
    #[cfg_attr(
        all(feature = "completions", feature = "download", feature = "man"),
        expect(dead_code, reason = "this build has every feature")
    )]
    pub(crate) fn missing_feature(feature: &str) -> Self {
        Self::Failed(format!(
            "this build of ragged lacks `{feature}`: install one with it by `cargo install --path \
             crates/ragged-cli --features {feature}`, or run `cargo xtask {feature}`"
        ))
    }

    /// The failure of a command whose data set of the UEA/UCR archive has not been downloaded.
    pub(crate) fn missing_dataset(path: &Path, name: &str) -> Self {
        let (path, program) = (path.display(), program::name());
        Self::Usage(format!(
            "{path}: no such file: download it with `{program} download {name}`, or give its folder \
             with --data"
        ))
    }

    /// The failure to read a file or folder.
    pub(crate) fn unread(path: &Path, source: std::io::Error) -> Self {
        ragged_datasets::Error::File { path: path.to_path_buf(), source }.into()
    }

    /// Reports the failure in one line on stderr and returns the exit code of the process.
    pub(crate) fn report(self) -> ExitCode {
        if let Some(text) = self.text() {
            say(format!("error: {text}"));
        }
        ExitCode::from(self.exit_code())
    }

    /// The line that reports the failure; none where there is nothing to say, or nothing more.
    fn text(&self) -> Option<String> {
        match self {
            Self::Failed(text) | Self::Usage(text) => Some(text.clone()),
            // The reader of the pipe has all it wants, as in `ragged data x.csv | head`.
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => None,
            Self::Output(error) => Some(format!("standard output: {error}")),
            Self::Interrupted(_) | Self::Reported(_) => None,
        }
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => 0,
            Self::Failed(_) | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::Interrupted(code) | Self::Reported(code) => *code,
        }
    }

    /// The failure for another process: the exit code, then the text.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let text = self.text().unwrap_or_default();
        [&[self.exit_code()], text.as_bytes()].concat()
    }

    /// What [`to_bytes`](Self::to_bytes) has written on `rank`.
    pub(crate) fn from_bytes(bytes: &[u8], rank: usize) -> Self {
        let (code, text) = bytes.split_first().unwrap_or((&1, &[]));
        let text = String::from_utf8_lossy(text);
        let text = if rank == 0 { text.into() } else { format!("rank {rank}: {text}") };
        if *code == 2 { Self::Usage(text) } else { Self::Failed(text) }
    }
}

impl From<ragged_train::Error> for Failure {
    fn from(error: ragged_train::Error) -> Self {
        use ragged_train::Error as E;

        if let E::MissingDataset { path, name } = &error {
            return Self::missing_dataset(path, name);
        }
        // One line, even where a library's message has several.
        let mut text = error.to_string().lines().next().unwrap_or_default().to_string();
        if let E::RunChanged { .. } = &error {
            text += "; restore it, start another run, or resume with --force";
        }
        if error.is_input() { Self::Usage(text) } else { Self::Failed(text) }
    }
}

impl From<ragged_datasets::Error> for Failure {
    fn from(error: ragged_datasets::Error) -> Self {
        ragged_train::Error::Data(error).into()
    }
}

/// For standard output alone: an error about a file names its path and becomes a [`Self::Failed`].
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}
