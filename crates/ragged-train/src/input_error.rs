//! Which errors say that the input is at fault.

use ragged_kernels::Error as KernelError;
use ragged_models::Error as ModelError;

use crate::distributed::error::RankError;
use crate::error::Error;

impl Error {
    /// Returns whether what was given cannot be used: a configuration, a path or data. Training and prediction that
    /// fail on valid input return other errors, such as a full disk, a locked run or a damaged checkpoint.
    ///
    /// ```
    /// use ragged_train::{ExperimentConfig, RunDir};
    ///
    /// assert!(ExperimentConfig::parse("[train]\nepochs = 0\n", &[]).unwrap_err().is_input());
    /// assert!(RunDir::open("nowhere".as_ref()).unwrap_err().is_input());
    /// ```
    pub fn is_input(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Path { .. }
            | Self::MissingDataset { .. }
            | Self::Features { .. }
            | Self::Targets { .. }
            | Self::Input { .. }
            | Self::OnnxUnsupported { .. }
            | Self::OnnxSize { .. } => true,
            Self::Ranks(error) => {
                matches!(error, RankError::Differ { .. } | RankError::Shards { .. })
            }
            Self::Model(error) => matches!(
                error,
                ModelError::Config { .. }
                    | ModelError::NoSteps { .. }
                    | ModelError::Kernels(KernelError::SimdVariable { .. })
            ),
            Self::Data(error) => error.is_input(),
            // The configuration of a run or of a checkpoint, which the training has written.
            Self::InFile { source, .. } => {
                let is_configuration =
                    matches!(**source, Self::Config(_) | Self::Model(ModelError::Config { .. }));
                !is_configuration && source.is_input()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ragged_datasets::{Error as DataError, Location};

    use super::*;

    fn parse() -> Error {
        let (path, reason) = (Some(PathBuf::from("a.csv")), "expected a number".into());
        Error::Data(DataError::Parse { path, location: Location::Whole, reason, source: None })
    }

    #[test]
    fn data_are_input_and_the_files_of_a_run_are_not() {
        let in_file = |error: Error| Error::in_file("a".as_ref())(error);
        let config = || {
            Error::Model(ModelError::Config {
                name: "hidden_size",
                expected: "at least 1".into(),
                got: "0".into(),
            })
        };
        assert!(parse().is_input() && in_file(parse()).is_input());
        assert!(in_file(Error::Features { expected: 2, got: 3 }).is_input());
        assert!(Error::path("a".as_ref(), "no such file").is_input());
        assert!(config().is_input() && !in_file(config()).is_input());
        assert!(
            !Error::file("a".as_ref(), "another process is training in this directory").is_input()
        );
        assert!(
            !Error::Io { path: "a".into(), source: std::io::ErrorKind::NotFound.into() }.is_input()
        );
        assert!(!Error::NonFinitePrediction { sequence: 1 }.is_input());
    }
}
