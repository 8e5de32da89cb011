//! The split of series in time.

use std::sync::Arc;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::example::{Example, Sequence, Target};
use crate::forecast::config::ForecastConfig;
use crate::forecast::error::ForecastError;
use crate::forecast::naive::naive_errors;
use crate::forecast::roles::Roles;
use crate::forecast::windows::{Forecast, Window};
use crate::in_memory::InMemory;
use crate::target_kind::TargetKind;

/// The windows of the parts into which series are divided.
#[derive(Debug)]
pub struct ForecastParts {
    /// Windows for training.
    pub train: Forecast,
    /// Windows for validation, if a share of the steps is for it.
    pub valid: Option<Forecast>,
    /// Windows for the test.
    pub test: Forecast,
    /// The steps for training of each series, each once, with the features of the windows. Transforms are fitted to
    /// them.
    pub past: InMemory,
    /// What a person should know about the split, one sentence each.
    pub notes: Vec<String>,
}

/// The steps at which the parts of a series end.
#[derive(Debug, Clone, Copy)]
struct Ends {
    train: usize,
    valid: usize,
    /// The step after the last one with a target.
    test: usize,
}

impl Ends {
    /// Divides a series of `length` steps. A part that is wanted has at least one horizon, and training the rest.
    fn new(length: usize, config: &ForecastConfig, valid_fraction: f64) -> Self {
        let before = |end: usize, fraction: f64| {
            let share = (end as f64 * fraction).round() as usize;
            end.saturating_sub(share.max(config.horizon))
        };
        let valid = before(length, config.test_fraction);
        let train = if valid_fraction > 0.0 { before(valid, valid_fraction) } else { valid };
        Self { train, valid, test: length }
    }
}

impl Forecast {
    /// Divides each series in time, and cuts windows from its parts.
    ///
    /// A series ends at its last step with a target. The last `test_fraction` of its steps are for the test, and of the
    /// steps before them, the last `valid_fraction` for validation; if there is a part at all, it has at least one
    /// horizon. All steps to predict of a window are in its part; its history may begin in an earlier part. The last
    /// window of a part ends with it, and the others follow backwards, one every `stride` steps. A window without any
    /// target is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Size`](crate::Error::Size) and [`Error::Number`](crate::Error::Number) for an option outside its range,
    /// [`ForecastError`] for a column that does not exist or cannot have its role, for a series that is not longer than
    /// the horizon, and for a part in which no series has a window.
    pub fn split(
        series: impl Into<Arc<InMemory>>,
        config: &ForecastConfig,
        valid_fraction: f64,
    ) -> Result<ForecastParts> {
        config.check()?;
        let series = series.into();
        let roles = Arc::new(Roles::new(&series, config)?);
        let horizon = config.horizon;
        let mut ends = vec![];
        for (index, example) in series.examples().iter().enumerate() {
            let got = roles.end(example.sequence.values());
            if got <= horizon {
                let series = name(&series, index);
                return Err(ForecastError::ShortSeries { series, got, horizon }.into());
            }
            ends.push(Ends::new(got, config, valid_fraction));
        }
        let features = series.features();
        let naive = series.examples().iter().zip(&ends).map(|(example, ends)| {
            let steps = &example.sequence.values()[..ends.train * features];
            Arc::from(naive_errors(steps, features, &roles.targets, config.season))
        });
        let naive = Arc::new(naive.collect());
        let part = |of: fn(&Ends) -> (usize, usize)| {
            let windows = ends.iter().enumerate().flat_map(|(index, ends)| {
                let (from, to) = of(ends);
                let values = series.examples()[index].sequence.values();
                origins(from, to, config)
                    .filter(|&origin| {
                        roles.end(&values[origin * features..(origin + horizon) * features]) > 0
                    })
                    .map(move |origin| Window { series: index, origin })
            });
            let sizes = (config.window, horizon);
            Self::new(&series, &roles, sizes, windows.collect(), &naive)
        };
        let train = part(|ends| (0, ends.train));
        let valid = (valid_fraction > 0.0).then(|| part(|ends| (ends.train, ends.valid)));
        let test = part(|ends| (ends.valid, ends.test));
        for (part, windows) in
            [("training", Some(&train)), ("validation", valid.as_ref()), ("test", Some(&test))]
        {
            if windows.is_some_and(Self::is_empty) {
                return Err(ForecastError::NoWindow { part, horizon }.into());
            }
        }
        let notes = notes(&series, &train);
        let past = past(&series, &train, &ends)?;
        Ok(ForecastParts { train, valid, test, past, notes })
    }
}

/// Returns the first steps to predict of the windows whose steps to predict are all in `from..to`, in increasing order.
fn origins(from: usize, to: usize, config: &ForecastConfig) -> impl Iterator<Item = usize> {
    let (first, last) = (from.max(1), (to + 1).saturating_sub(config.horizon));
    let count = last.saturating_sub(first).div_ceil(config.stride);
    (0..count).rev().map(move |k| last - 1 - k * config.stride)
}

/// Returns the name of a series, or its number from 1.
pub(super) fn name(series: &InMemory, index: usize) -> String {
    series.id(index).map_or_else(|| (index + 1).to_string(), |id| format!("`{id}`"))
}

/// Names the first of the series that are not trained on.
fn notes(series: &InMemory, train: &Forecast) -> Vec<String> {
    let mut trained = vec![false; series.len()];
    for index in 0..train.len() {
        train.origin(index).into_iter().for_each(|(series, _)| trained[series] = true);
    }
    let without: Vec<usize> = (0..series.len()).filter(|&index| !trained[index]).collect();
    let Some(&first) = without.first() else { return vec![] };
    let (count, all) = (without.len(), series.len());
    let steps = series.examples()[first].sequence.len();
    vec![format!(
        "forecast: {count} of {all} series are too short for a training window, first series {} with {steps} steps",
        name(series, first)
    )]
}

/// Returns the steps for training of each series, with the features of the windows.
fn past(series: &InMemory, train: &Forecast, ends: &[Ends]) -> Result<InMemory> {
    let features = series.features();
    let example = |(example, ends): (&Example, &Ends)| {
        let part = example.sequence.cut(0..ends.train);
        let wide = part.wide_values();
        let steps = wide.chunks_exact(features);
        let values: Vec<f64> = steps.flat_map(|step| step.iter().copied().chain([0.0])).collect();
        let sequence = match part.exact_values() {
            Some(_) => Sequence::exact(values, features + 1)?,
            None => Sequence::rounded(&values, features + 1)?,
        };
        let sequence = match part.tokens() {
            Some(tokens) => sequence.with_tokens(tokens.clone())?,
            None => sequence,
        };
        let sequence = match part.statics() {
            Some(statics) => sequence.with_statics(statics.clone()),
            None => sequence,
        };
        Ok(Example::new(sequence, Target::Values(vec![])))
    };
    let examples = series.examples().iter().zip(ends).map(example).collect::<Result<_>>()?;
    let names = train.feature_names().map(<[String]>::to_vec);
    let past = InMemory::new(examples, TargetKind::NONE)?.with_feature_names(names)?;
    let past = past.with_token_columns(series.token_columns().to_vec())?;
    past.with_static_columns(series.static_columns().clone())
}
