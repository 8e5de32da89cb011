//! What can be wrong with the columns and series of a forecast.

/// Series from which no forecast can be learned or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForecastError {
    /// The name of a column that does not exist.
    #[error("{list} has `{name}`, which is not a column: expected some of {}", known.join(", "))]
    UnknownColumn {
        /// The option: `targets` or `known`.
        list: &'static str,
        /// The name.
        name: String,
        /// The names of the columns that exist.
        known: Vec<String>,
    },
    /// The name of a column that cannot have this role.
    #[error("{list} has `{name}`{reason}")]
    Role {
        /// The option: `targets` or `known`.
        list: &'static str,
        /// The name of the column.
        name: String,
        /// Why, and what was expected.
        reason: &'static str,
    },
    /// There is nothing to predict.
    #[error("targets is empty: expected at least one column to predict")]
    NoTargets,
    /// A column of categories that is not known in advance.
    #[error(
        "known lacks `{name}`: expected it, as a column of categories cannot be missing in the steps to predict"
    )]
    UnknownCategory {
        /// The name of the column.
        name: String,
    },
    /// A series that ends before the first forecast.
    #[error(
        "horizon is {horizon}, but series {series} has {got} steps up to its last target: expected at least {}",
        horizon + 1
    )]
    ShortSeries {
        /// The name of the series, or its number.
        series: String,
        /// The number of its steps up to the last one with a target.
        got: usize,
        /// The number of steps to predict.
        horizon: usize,
    },
    /// No series has a window in a part of the data.
    #[error(
        "horizon is {horizon}, but no series has room for a {part} window: expected longer series or smaller parts"
    )]
    NoWindow {
        /// The part: `training`, `validation` or `test`.
        part: &'static str,
        /// The number of steps to predict.
        horizon: usize,
    },
    /// A series without a history.
    #[error("series {series} has no value of {targets}: expected at least one step of history")]
    NoHistory {
        /// The name of the series, or its number.
        series: String,
        /// The names of the targets.
        targets: String,
    },
    /// A column that is known in advance, without values for all steps to predict.
    #[error(
        "series {series} has `{column}` for {got} steps after its end: expected {horizon}, as the column is known in \
         advance"
    )]
    FutureValues {
        /// The name of the series, or its number.
        series: String,
        /// The name of the column.
        column: String,
        /// The number of steps after the last one with a target that have values.
        got: usize,
        /// The number of steps to predict.
        horizon: usize,
    },
}

impl ForecastError {
    /// Returns the option of the configuration that is at fault, or `None` for an error of the data.
    pub fn option(&self) -> Option<&'static str> {
        match self {
            Self::UnknownColumn { list, .. } | Self::Role { list, .. } => Some(list),
            Self::NoTargets => Some("targets"),
            Self::UnknownCategory { .. } => Some("known"),
            Self::ShortSeries { .. } | Self::NoWindow { .. } => Some("horizon"),
            Self::NoHistory { .. } | Self::FutureValues { .. } => None,
        }
    }
}
