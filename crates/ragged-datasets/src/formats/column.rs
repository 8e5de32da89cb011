//! What the columns of a file are read as.

use serde::{Deserialize, Serialize};

/// A column of a table, a key of JSON lines, an array, or a part of a `.ts` file, and what it is read as.
///
/// ```
/// use ragged_datasets::formats::{self, Format, ReadOptions, Role};
///
/// let table = b"series_id,time,speed,target\na,1,0.5,walk\na,2,0.7,walk\n";
/// let data = formats::parse(table, Format::Csv, &ReadOptions::default(), None)?;
/// let columns = data.columns();
/// assert_eq!((columns[1].name.as_str(), columns[1].role), ("time", Role::Time));
/// assert_eq!(columns[1].to_string(), "time: numbers");
/// assert_eq!(columns[3].to_string(), "target: names of classes, the same in all rows of a sequence");
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Column {
    /// The name in the file, or a description of the place of a feature without a name.
    pub name: String,
    /// What the column is read as.
    pub role: Role,
    /// The type of the content in words; empty if the role says enough.
    pub content: String,
}

/// What a [`Column`] is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Role {
    /// The names of the sequences.
    Id,
    /// The times, which order the steps.
    Time,
    /// The lengths of the sequences, or where they begin.
    Lengths,
    /// The feature with this index.
    Feature(usize),
    /// The column of tokens with this index.
    Token(usize),
    /// The static column with this index, one value per sequence.
    Static(usize),
    /// A target.
    Target,
    /// The names of the classes.
    Labels,
    /// The column is not read.
    LeftOut,
}

/// Writes role and content, without the name.
impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.role {
            Role::Id => "names of the sequences",
            Role::Time => "time",
            Role::Lengths => "lengths of the sequences",
            Role::Feature(_) => "feature",
            Role::Token(_) => "tokens",
            Role::Static(_) => "static",
            Role::Target => "target",
            Role::Labels => "names of the classes",
            Role::LeftOut => "left out",
        })?;
        if !self.content.is_empty() {
            write!(f, ": {}", self.content)?;
        }
        Ok(())
    }
}
