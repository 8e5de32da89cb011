//! The columns of a table as configured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::formats::table::column_type::ColumnType;
use crate::formats::table::time_features::TimeFeature;

/// The role of each column of a table, by its name in the header.
///
/// ```
/// use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions};
///
/// let csv = CsvColumns { series: Some("id".into()), delimiter: ';', ..Default::default() };
/// let options = ReadOptions { csv, ..Default::default() };
/// let table = b"id;speed;target\na;1.5;walk\na;2.5;walk\nb;9;run\n";
/// let data = formats::parse(table, Format::Csv, &options, None)?;
/// assert_eq!(data.examples()[0].sequence.values(), [1.5, 2.5]);
/// assert_eq!(data.ids().map(<[String]>::len), Some(2));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsvColumns {
    /// The name of the series. Default `series_id`; without such a column, the file is one series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// The time, a number or a date. Default `time`; without such a column, the rows are in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The inputs: numbers, categories or a text. Default all columns without another role. A target cannot be an
    /// input. Columns to which [`types`](Self::types) gives the type of an input are inputs in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// The targets. Default `target` and all columns whose names begin with `target_`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// The types of columns, by their names. Default as [`ColumnType`] says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, ColumnType>,
    /// The features that the times give, after those of the columns. Default none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub time_features: Vec<TimeFeature>,
    /// The separator of cells, one ASCII character. Default `,`.
    pub delimiter: char,
}

impl Default for CsvColumns {
    fn default() -> Self {
        Self {
            series: None,
            time: None,
            features: None,
            targets: None,
            types: BTreeMap::new(),
            time_features: vec![],
            delimiter: ',',
        }
    }
}
