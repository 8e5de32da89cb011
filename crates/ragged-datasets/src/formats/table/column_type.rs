//! The types of columns of a table.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a column of a table is read as.
///
/// [`CsvColumns::types`](crate::formats::CsvColumns::types) sets the types of columns. The type of another column
/// follows from its name, or from its cells if the name says nothing: a column of numbers is
/// [`Number`](Self::Number), and a column of texts is [`Category`](Self::Category), or [`Text`](Self::Text) if it is
/// the only input of a table without names of series. A column of both, or of texts that suit neither type, is an
/// error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ColumnType {
    /// A number of each step, a feature.
    Number,
    /// A text of each step, which is one token.
    Category,
    /// A text that is a whole sequence of tokens. Each row is a sequence.
    Text,
    /// One value per series: numbers if the first cell that is not missing is a number, or else categories.
    Static,
    /// One number per series.
    StaticNumber,
    /// One category per series.
    StaticCategory,
    /// The time of each step, a number or a date.
    Time,
    /// A target, per sequence or per step: numbers or classes by its cells.
    Target,
    /// A target that is a number.
    TargetNumber,
    /// A target that is a class.
    TargetCategory,
    /// The column is not read.
    Ignored,
}

impl ColumnType {
    /// Whether the column is an input of the model.
    pub(super) fn is_input(self) -> bool {
        !self.is_target() && !matches!(self, Self::Time | Self::Ignored)
    }

    /// Whether the column is a target.
    pub(super) fn is_target(self) -> bool {
        matches!(self, Self::Target | Self::TargetNumber | Self::TargetCategory)
    }
}

/// Writes the name in configurations.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "number",
            Self::Category => "category",
            Self::Text => "text",
            Self::Static => "static",
            Self::StaticNumber => "static-number",
            Self::StaticCategory => "static-category",
            Self::Time => "time",
            Self::Target => "target",
            Self::TargetNumber => "target-number",
            Self::TargetCategory => "target-category",
            Self::Ignored => "ignored",
        })
    }
}
