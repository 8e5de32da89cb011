//! Why a comparison failed.

/// The reason why a command did not do what it was asked to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command ran and failed.
    Failed(String),
    /// A flag is not valid.
    Usage(String),
}

impl From<ragged_train::Error> for Failure {
    fn from(error: ragged_train::Error) -> Self {
        // One line, even where a library's message has several.
        Self::Failed(error.to_string().lines().next().unwrap_or_default().to_string())
    }
}
