//! What a later file must have in common with the training data.

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::target_kind::TargetKind;

/// The kind of targets and the names of the features and token columns of a data set, with which later files are read.
///
/// ```
/// use ragged_datasets::formats::{self, Format, ReadOptions, Schema};
///
/// let options = ReadOptions::default();
/// let train = formats::parse(b"speed,height,target\n1,2,walk\n", Format::Csv, &options, None)?;
/// let schema = Schema::of(&train);
/// // The columns of a later table may be in another order.
/// let later = b"height,speed,target\n4,3,walk\n";
/// let later = formats::parse(later, Format::Csv, &options, Some(&schema))?;
/// assert_eq!(later.examples()[0].sequence.values(), [3.0, 4.0]);
/// // Missing and unexpected columns are one error.
/// let error = formats::parse(b"height,mass\n4,3\n", Format::Csv, &options, Some(&schema));
/// let message = "line 1, column 1: expected the features speed, height: missing speed; unexpected mass";
/// assert_eq!(error.unwrap_err().to_string(), message);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The kind of targets. With [`TargetKind::NONE`], targets are not read.
    pub targets: TargetKind,
    /// The names of the features in their order. If there are none, features are read by position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// The names of the columns of tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// The names of the static columns of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub static_numbers: Vec<String>,
    /// The names of the static columns of categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub static_categories: Vec<String>,
    /// Whether values are kept in 64 bits, since 32 bits cannot hold those of some feature.
    #[serde(default)]
    pub exact: bool,
}

impl Schema {
    /// Returns the schema of a data set.
    pub fn of(dataset: &(impl Dataset + ?Sized)) -> Self {
        let features = dataset.feature_names().map(<[String]>::to_vec);
        let first = dataset.get(0, 0);
        let exact = first.is_ok_and(|example| example.sequence.exact_values().is_some());
        let tokens = dataset.token_columns().iter().map(|column| column.name.clone()).collect();
        let statics = dataset.static_columns();
        let (static_numbers, static_categories) =
            (statics.numbers.clone(), statics.category_names());
        let targets = dataset.target_kind().clone();
        Self { targets, features, tokens, static_numbers, static_categories, exact }
    }

    /// Returns the schema for files from which targets are not read, such as those to predict from.
    pub fn without_targets(self) -> Self {
        Self { targets: TargetKind::NONE, ..self }
    }
}

/// A schema that names no features.
impl From<&TargetKind> for Schema {
    fn from(targets: &TargetKind) -> Self {
        Self {
            targets: targets.clone(),
            features: None,
            tokens: vec![],
            static_numbers: vec![],
            static_categories: vec![],
            exact: false,
        }
    }
}

impl From<&Self> for Schema {
    fn from(schema: &Self) -> Self {
        schema.clone()
    }
}
