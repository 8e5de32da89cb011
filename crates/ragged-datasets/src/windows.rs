//! Long series cut into examples.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dataset::check_index;
use crate::error::check_size;
use crate::transforms::cut;
use crate::{Dataset, Error, Example, InMemory, Result, Target, TargetKind};

/// Sequences in pieces of at most so many steps, one behind another.
///
/// A target a step goes with its step; a target a sequence is that of every piece.
#[derive(Debug, Clone)]
pub struct Chunks {
    data: Arc<InMemory>,
    /// Sequence, first step, and the step behind the last.
    pieces: Vec<(usize, usize, usize)>,
}

impl Chunks {
    /// Cuts after every `size` steps; the last piece of a sequence may be shorter, and a sequence
    /// without a step stays one.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a size of zero.
    pub fn new(data: impl Into<Arc<InMemory>>, size: usize) -> Result<Self> {
        check_size("chunk size", size, usize::MAX)?;
        let data = data.into();
        let mut pieces = vec![];
        for (index, example) in data.examples().iter().enumerate() {
            let length = example.sequence.len();
            let begins = (0..length.max(1)).step_by(size);
            pieces
                .extend(begins.map(|begin| (index, begin, length.min(begin.saturating_add(size)))));
        }
        Ok(Self { data, pieces })
    }

    /// The sequence that a piece comes from, and its first step there.
    pub fn origin(&self, index: usize) -> Option<(usize, usize)> {
        self.pieces.get(index).map(|&(sequence, begin, _)| (sequence, begin))
    }
}

impl Dataset for Chunks {
    fn len(&self) -> usize {
        self.pieces.len()
    }

    fn features(&self) -> usize {
        self.data.features()
    }

    fn target_kind(&self) -> &TargetKind {
        self.data.target_kind()
    }

    fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.pieces.len())?;
        let (sequence, begin, end) = self.pieces[index];
        cut(&self.data.examples()[sequence], begin, end)
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.pieces.len())?;
        let (_, begin, end) = self.pieces[index];
        Ok(end - begin)
    }
}

/// How series are cut for forecasting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastConfig {
    /// Steps that are given.
    pub window: usize,
    /// Steps behind them that are to be predicted.
    pub horizon: usize,
    /// Steps from the beginning of one window to that of the next. Default 1.
    #[serde(default = "one")]
    pub stride: usize,
    /// The features that are predicted. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<usize>>,
}

fn one() -> usize {
    1
}

/// Windows of long series, each with the steps behind it as target: `horizon x targets` values, step
/// by step. No window reaches from one series into the next; what targets the series had is gone.
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
    /// # Errors
    ///
    /// [`Error::Config`] for a size of zero or a target that is no feature, [`Error::Empty`] where no
    /// series is long enough, [`Error::Example`] for a series with a missing value: no loss could be
    /// had where one is a target.
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
            let (got, expected) = (format!("{targets:?}"), format!("some below {features}"));
            return Err(Error::Config { name: "targets", got, expected });
        }
        let mut windows = vec![];
        for (index, example) in data.examples().iter().enumerate() {
            let series = &example.sequence;
            if series.steps().any(|step| targets.iter().any(|&target| step[target].is_nan())) {
                let (got, expected) = ("a missing value to predict".into(), "none".into());
                return Err(Error::Example { index, got, expected });
            }
            let whole = config.window + config.horizon;
            let begins = (0..(series.len() + 1).saturating_sub(whole)).step_by(config.stride);
            windows.extend(begins.map(|begin| (index, begin)));
        }
        if windows.is_empty() {
            return Err(Error::Empty("the windows (no series is as long as window and horizon)"));
        }
        let target_kind = TargetKind::Values(config.horizon * targets.len());
        Ok(Self { data, config, targets, target_kind, windows })
    }

    /// The series that a window comes from, and its first step there.
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
        let mut example = cut(series, begin, end)?;
        let future = series.sequence.steps().skip(end).take(self.config.horizon);
        let future = future.flat_map(|step| self.targets.iter().map(|&target| step[target]));
        example.target = Target::Values(future.collect());
        Ok(example)
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.windows.len()).map(|()| self.config.window)
    }
}

/// Cuts every sequence in two at the same share of its steps: the past to train on, the future to
/// test on, which no window of the past has seen.
///
/// # Errors
///
/// [`Error::Config`] for a fraction outside of 0 to 1.
pub fn split_in_time(data: &InMemory, fraction: f64) -> Result<(InMemory, InMemory)> {
    if !(fraction > 0.0 && fraction < 1.0) {
        let (got, expected) = (fraction.to_string(), "between 0 and 1".into());
        return Err(Error::Config { name: "split fraction", got, expected });
    }
    let part = |past: bool| -> Result<InMemory> {
        let examples = data.examples().iter().map(|example| {
            let length = example.sequence.len();
            let at = (length as f64 * fraction).round() as usize;
            if past { cut(example, 0, at) } else { cut(example, at, length) }
        });
        let part = InMemory::new(examples.collect::<Result<_>>()?, data.target_kind().clone())?;
        part.with_ids(data.ids().map(<[String]>::to_vec))
    };
    Ok((part(true)?, part(false)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequence;

    /// Series of two features, `10 series + t` and its negative.
    fn series(lengths: &[usize]) -> InMemory {
        let example = |(k, &length): (usize, &usize)| {
            let values = (0..length).flat_map(|t| [(10 * k + t) as f32, -((10 * k + t) as f32)]);
            let target = Target::StepClasses((0..length as u32).collect());
            Example { sequence: Sequence::new(values.collect(), 2).unwrap(), target }
        };
        let labels = (0..10).map(|k| k.to_string()).collect();
        let examples = lengths.iter().enumerate().map(example).collect();
        InMemory::new(examples, TargetKind::StepClasses(labels)).unwrap()
    }

    fn first(example: &Example) -> Vec<f32> {
        example.sequence.steps().map(|step| step[0]).collect()
    }

    #[test]
    fn chunks_are_all_steps_in_order_with_their_targets() {
        let chunks = Chunks::new(series(&[5, 0, 2]), 2).unwrap();
        let seen: Vec<_> = (0..chunks.len())
            .map(|index| {
                let example = chunks.get(0, index).unwrap();
                assert_eq!(chunks.length(0, index).unwrap(), example.sequence.len());
                (chunks.origin(index).unwrap(), first(&example), example.target)
            })
            .collect();
        let steps = |steps: &[u32]| Target::StepClasses(steps.to_vec());
        assert_eq!(
            seen,
            [
                ((0, 0), vec![0.0, 1.0], steps(&[0, 1])),
                ((0, 2), vec![2.0, 3.0], steps(&[2, 3])),
                ((0, 4), vec![4.0], steps(&[4])),
                ((1, 0), vec![], steps(&[])),
                ((2, 0), vec![20.0, 21.0], steps(&[0, 1])),
            ]
        );
        let error = Chunks::new(series(&[5]), 0).unwrap_err().to_string();
        assert!(error.starts_with("chunk size is 0"), "{error}");
    }

    #[test]
    fn windows_stay_within_their_series() {
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
        check(config.clone(), "the windows (no series is as long as window and horizon)");
        check(
            ForecastConfig { targets: Some(vec![2]), ..config },
            "targets is [2]: expected some below 2",
        );
    }

    #[test]
    fn a_missing_value_is_no_target() {
        let example = Example {
            sequence: Sequence::new(vec![1.0, f32::NAN, 3.0, 4.0, 5.0, 6.0], 2).unwrap(),
            target: Target::Values(vec![]),
        };
        let data = InMemory::new(vec![example], TargetKind::NONE).unwrap();
        let config = |target| ForecastConfig {
            window: 1,
            horizon: 1,
            stride: 1,
            targets: Some(vec![target]),
        };
        assert_eq!(Forecast::new(data.clone(), config(0)).unwrap().len(), 2);
        let error = Forecast::new(data, config(1)).unwrap_err().to_string();
        assert_eq!(error, "example 0 has a missing value to predict: expected none");
    }

    #[test]
    fn the_future_is_none_of_the_past() {
        let (past, future) = split_in_time(&series(&[10, 4]), 0.75).unwrap();
        assert_eq!(first(&past.examples()[0]), (0..8).map(|t| t as f32).collect::<Vec<_>>());
        assert_eq!(first(&future.examples()[0]), [8.0, 9.0]);
        assert_eq!((first(&past.examples()[1]).len(), first(&future.examples()[1]).len()), (3, 1));
        assert!(split_in_time(&past, 1.0).is_err() && split_in_time(&past, f64::NAN).is_err());
    }
}
