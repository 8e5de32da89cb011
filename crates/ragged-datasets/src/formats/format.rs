//! The formats by name and by file ending.

use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Location, Result};

/// The format of a file.
///
/// ```
/// use std::path::Path;
///
/// use ragged_datasets::formats::Format;
///
/// assert_eq!(Format::of(Path::new("train.jsonl"))?, Format::JsonLines);
/// assert_eq!("csv".parse::<Format>()?, Format::Csv);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `.ts` of the UEA/UCR archive.
    Ts,
    /// A table in long form.
    Csv,
    /// One JSON object per line.
    #[serde(rename = "jsonl")]
    JsonLines,
    /// NumPy arrays in a zip archive.
    Npz,
    /// Safetensors.
    Safetensors,
    /// Parquet, with the feature `parquet`.
    Parquet,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] =
        [Self::Ts, Self::Csv, Self::JsonLines, Self::Npz, Self::Safetensors, Self::Parquet];

    /// Returns the name of the format, which is also the ending of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ts => "ts",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
            Self::Parquet => "parquet",
        }
    }

    /// Whether this build reads and writes the format. Parquet needs the feature `parquet`.
    pub const fn is_supported(self) -> bool {
        cfg!(feature = "parquet") || !matches!(self, Self::Parquet)
    }

    /// Returns the format of a file by its ending.
    ///
    /// # Errors
    ///
    /// [`Error::Parse`] for another ending.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        ending.parse().map_err(|_| {
            let reason = format!(
                "unknown file ending: expected one of {}, or the name of the format",
                names()
            );
            Location::Whole.error(reason).in_file(path)
        })
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let format = Self::ALL.into_iter().find(|format| format.name() == name);
        format.ok_or_else(|| Error::Choice {
            name: "format",
            got: name.into(),
            expected: format!("one of {}", names()),
        })
    }
}

fn names() -> String {
    Format::ALL.map(Format::name).join(", ")
}
