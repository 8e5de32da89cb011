//! Windows of long series for forecasting, and a split of series in time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, check_index};
use crate::error::{Error, Result, check_size};
use crate::example::{Example, Target, TargetKind};
use crate::in_memory::InMemory;
use crate::tokens::column::TokenColumn;

/// The configuration of [`Forecast`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastConfig {
    /// The number of steps of each input.
    pub window: usize,
    /// The number of steps after the input to predict.
    pub horizon: usize,
    /// The number of steps from the beginning of one window to the beginning of the next. Default 1.
    #[serde(default = "one")]
    pub stride: usize,
    /// The features to predict. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<usize>>,
}

fn one() -> usize {
    1
}

impl ForecastConfig {
    /// Creates a configuration with stride 1 that predicts all features.
    pub fn new(window: usize, horizon: usize) -> Self {
        Self { window, horizon, stride: 1, targets: None }
    }
}

/// Windows of long series, each with the steps after it as target.
///
/// A target has `horizon x targets` values, step by step. No window extends from one series into the
/// next. Targets of the series themselves are ignored.
///
/// ```
/// use ragged_datasets::{
///     Dataset, Example, Forecast, ForecastConfig, InMemory, Sequence, Target, TargetKind,
/// };
///
/// let series = Sequence::new(vec![1.0, 2.0, 3.0, 4.0, 5.0], 1)?;
/// let series = InMemory::new(vec![Example::new(series, Target::Values(vec![]))], TargetKind::NONE)?;
/// let forecast = Forecast::new(series, ForecastConfig::new(3, 1))?;
/// let example = forecast.get(0, 1)?;
/// assert_eq!(example.sequence.values(), [2.0, 3.0, 4.0]);
/// assert_eq!(example.target, Target::Values(vec![5.0]));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Forecast {
    data: Arc<InMemory>,
    config: ForecastConfig,
    targets: Vec<usize>,
    target_kind: TargetKind,
    /// Series and first step.
    windows: Vec<(usize, usize)>,
}

impl Forecast {
    /// Creates a data set of all windows of all series.
    ///
    /// # Errors
    ///
    /// - [`Error::Size`] for a size of zero.
    /// - [`Error::FeatureIndices`] for a target that is not a feature, or no target.
    /// - [`Error::Empty`] if no series is as long as a window and its horizon.
    /// - [`Error::MissingValue`] for a series in which a feature to predict has a missing value, since
    ///   its loss would be undefined.
    pub fn new(data: impl Into<Arc<InMemory>>, config: ForecastConfig) -> Result<Self> {
        let data = data.into();
        let features = data.features();
        for (name, size) in
            [("window", config.window), ("horizon", config.horizon), ("stride", config.stride)]
        {
            check_size(name, size, 1 << 28)?;
        }
        let targets = config.targets.clone().unwrap_or_else(|| (0..features).collect());
        if targets.is_empty() || targets.iter().any(|&target| target >= features) {
            let (name, expected) = ("targets", "at least one feature index, all");
            return Err(Error::FeatureIndices { name, got: targets, expected, features });
        }
        let mut windows = vec![];
        for (index, example) in data.examples().iter().enumerate() {
            let series = &example.sequence;
            for (step, values) in series.steps().enumerate() {
                if let Some(&feature) = targets.iter().find(|&&target| values[target].is_nan()) {
                    return Err(Error::MissingValue { index, step, feature });
                }
            }
            let whole = config.window + config.horizon;
            let begins = (0..(series.len() + 1).saturating_sub(whole)).step_by(config.stride);
            windows.extend(begins.map(|begin| (index, begin)));
        }
        if windows.is_empty() {
            return Err(Error::Empty(
                "the list of windows (no series is as long as window and horizon)",
            ));
        }
        let target_kind = TargetKind::Values(config.horizon * targets.len());
        Ok(Self { data, config, targets, target_kind, windows })
    }

    /// Returns the series that a window comes from, and its first step there; `None` beyond the end.
    pub fn origin(&self, index: usize) -> Option<(usize, usize)> {
        self.windows.get(index).copied()
    }
}

impl Dataset for Forecast {
    fn len(&self) -> usize {
        self.windows.len()
    }

    fn features(&self) -> usize {
        self.data.features()
    }

    fn target_kind(&self) -> &TargetKind {
        &self.target_kind
    }

    fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.windows.len())?;
        let (series, begin) = self.windows[index];
        let series = &self.data.examples()[series];
        let end = begin + self.config.window;
        let mut example = series.cut(begin, end);
        let future = series.sequence.steps().skip(end).take(self.config.horizon);
        let future = future.flat_map(|step| self.targets.iter().map(|&target| step[target]));
        example.target = Target::Values(future.collect());
        Ok(example)
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.windows.len()).map(|()| self.config.window)
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.data.feature_names()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        self.data.token_columns()
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.data.id(self.origin(index)?.0)
    }

    fn notes(&self) -> &[String] {
        self.data.notes()
    }
}

/// Splits every sequence into past and future, at the same fraction of its steps.
///
/// A model that trains on windows of the past has not seen any step of the future.
///
/// # Errors
///
/// [`Error::Number`] for a fraction that is not between 0 and 1.
pub fn split_in_time(data: &InMemory, fraction: f64) -> Result<(InMemory, InMemory)> {
    if !(fraction > 0.0 && fraction < 1.0) {
        let expected = "a number between 0 and 1";
        return Err(Error::Number { name: "split fraction", got: fraction, expected });
    }
    let part = |past: bool| -> Result<InMemory> {
        let examples = data.examples().iter().map(|example| {
            let length = example.sequence.len();
            let at = (length as f64 * fraction).round() as usize;
            if past { example.cut(0, at) } else { example.cut(at, length) }
        });
        let part = InMemory::new(examples.collect(), data.target_kind().clone())?;
        let names = data.feature_names().map(<[String]>::to_vec);
        part.with_ids(data.ids().map(<[String]>::to_vec))?.with_feature_names(names)
    };
    Ok((part(true)?, part(false)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Sequence;

    /// Series of two features, `10 series + t` and its negative.
    fn series(lengths: &[usize]) -> InMemory {
        let example = |(k, &length): (usize, &usize)| {
            let values = (0..length).flat_map(|t| [(10 * k + t) as f32, -((10 * k + t) as f32)]);
            let target = Target::StepClasses((0..length as u32).collect());
            Example::new(Sequence::new(values.collect(), 2).unwrap(), target)
        };
        let labels = (0..10).map(|k| k.to_string()).collect();
        let examples = lengths.iter().enumerate().map(example).collect();
        InMemory::new(examples, TargetKind::StepClasses(labels)).unwrap()
    }

    fn first(example: &Example) -> Vec<f32> {
        example.sequence.steps().map(|step| step[0]).collect()
    }

    #[test]
    fn windows_do_not_extend_beyond_their_series() {
        let config = ForecastConfig { window: 2, horizon: 2, stride: 1, targets: Some(vec![0]) };
        let forecast = Forecast::new(series(&[5, 3, 4]), config.clone()).unwrap();
        let seen: Vec<_> = (0..forecast.len())
            .map(|index| {
                let example = forecast.get(0, index).unwrap();
                (forecast.origin(index).unwrap(), first(&example), example.target)
            })
            .collect();
        let values = |values: &[f32]| Target::Values(values.to_vec());
        assert_eq!(
            seen,
            [
                ((0, 0), vec![0.0, 1.0], values(&[2.0, 3.0])),
                ((0, 1), vec![1.0, 2.0], values(&[3.0, 4.0])),
                ((2, 0), vec![20.0, 21.0], values(&[22.0, 23.0])),
            ]
        );
        let all = ForecastConfig { stride: 3, targets: None, ..config.clone() };
        let forecast = Forecast::new(series(&[8]), all).unwrap();
        assert_eq!(forecast.target_kind(), &TargetKind::Values(4));
        assert_eq!(forecast.len(), 2);
        let target = forecast.get(0, 1).unwrap().target;
        assert_eq!(target, values(&[5.0, -5.0, 6.0, -6.0]));

        #[track_caller]
        fn check(config: ForecastConfig, message: &str) {
            let error = Forecast::new(series(&[3]), config).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        check(ForecastConfig { stride: 0, ..config.clone() }, "stride is 0");
        check(config.clone(), "the list of windows (no series is as long as window and horizon)");
        check(
            ForecastConfig { targets: Some(vec![2]), ..config },
            "targets is [2]: expected at least one feature index, all below 2",
        );
    }

    #[test]
    fn a_missing_value_cannot_be_predicted() {
        let sequence = Sequence::new(vec![1.0, f32::NAN, 3.0, 4.0, 5.0, 6.0], 2).unwrap();
        let example = Example::new(sequence, Target::Values(vec![]));
        let data = InMemory::new(vec![example], TargetKind::NONE).unwrap();
        let config =
            |target| ForecastConfig { targets: Some(vec![target]), ..ForecastConfig::new(1, 1) };
        assert_eq!(Forecast::new(data.clone(), config(0)).unwrap().len(), 2);
        let error = Forecast::new(data, config(1)).unwrap_err().to_string();
        assert_eq!(
            error,
            "example 0 has no value for feature 1 at step 0: \
             expected a value for every feature to predict"
        );
    }

    #[test]
    fn past_and_future_share_no_step() {
        let (past, future) = split_in_time(&series(&[10, 4]), 0.75).unwrap();
        assert_eq!(first(&past.examples()[0]), (0..8).map(|t| t as f32).collect::<Vec<_>>());
        assert_eq!(first(&future.examples()[0]), [8.0, 9.0]);
        assert_eq!((first(&past.examples()[1]).len(), first(&future.examples()[1]).len()), (3, 1));
        assert!(split_in_time(&past, 1.0).is_err() && split_in_time(&past, f64::NAN).is_err());
    }
}
