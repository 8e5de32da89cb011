//! Which errors say that the input is at fault.

use std::error::Error as StdError;
use std::io::{Error as IoError, ErrorKind};

use crate::error::Error;

impl Error {
    /// Returns whether an option, a file or data cannot be used, and not the system or the program is at fault.
    ///
    /// A file that does not exist or may not be read cannot be used; a disk that fails while it is read is the system's
    /// fault.
    ///
    /// ```
    /// use ragged_datasets::formats::{self, Format, ReadOptions};
    ///
    /// let text = b"{\"sequence\": [1, null, \"three\"]}\n";
    /// let parsed = formats::parse(text, Format::JsonLines, &ReadOptions::default(), None);
    /// assert!(parsed.unwrap_err().is_input());
    /// ```
    pub fn is_input(&self) -> bool {
        match self {
            Self::Index { .. }
            | Self::Panicked { .. }
            | Self::Workers { .. }
            | Self::Sequence(_)
            | Self::Candle(_) => false,
            Self::File { source, .. } => !is_fault_of_system(source),
            Self::Load { source, .. } => source.is_input(),
            Self::Parse { source: Some(source), .. } => {
                let first: &(dyn StdError + 'static) = source.as_ref();
                let mut causes = std::iter::successors(Some(first), |&cause| cause.source());
                !causes.any(|cause| cause.downcast_ref().is_some_and(is_fault_of_system))
            }
            _ => true,
        }
    }
}

/// Returns whether the operating system failed with a file that it could open. Libraries report malformed content by
/// errors of this type, too, which have no code of the system.
fn is_fault_of_system(error: &IoError) -> bool {
    let is_unusable = matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::NotSeekable
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
    );
    error.raw_os_error().is_some() && !is_unusable
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Location;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot be read")]
    struct Wrapped(#[source] IoError);

    /// The codes are those of Linux.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_disk_that_fails_is_no_fault_of_the_input() {
        let path = Path::new("a.ts");
        for (error, is_input) in [
            (IoError::from_raw_os_error(2), true),
            (IoError::from_raw_os_error(13), true),
            (IoError::from_raw_os_error(21), true),
            (IoError::from_raw_os_error(5), false),
            (IoError::from_raw_os_error(28), false),
            (IoError::new(ErrorKind::InvalidData, "corrupt deflate stream"), true),
        ] {
            let text = error.to_string();
            // A library may wrap the error of the system.
            let wrapped = Wrapped(match error.raw_os_error() {
                Some(code) => IoError::from_raw_os_error(code),
                None => IoError::new(error.kind(), text.clone()),
            });
            let parse = Location::Whole.caused_by("cannot be read", wrapped);
            assert_eq!(parse.is_input(), is_input, "{text}");
            let file = Error::file(path, error);
            assert_eq!(file.is_input(), is_input, "{text}");
            let load = Error::Load { index: 1, source: Box::new(file) };
            assert_eq!(load.is_input(), is_input, "{text}");
        }
        assert!(Location::Whole.error("expected a number").is_input());
        assert!(!Error::Index { index: 3, len: 2 }.is_input());
    }
}
