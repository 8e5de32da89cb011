//! Windows of series, each followed by the steps to predict.

use std::sync::Arc;

use crate::dataset::{Dataset, check_index};
use crate::error::Result;
use crate::example::{Example, Sequence, Target};
use crate::forecast::roles::Roles;
use crate::in_memory::InMemory;
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;

/// The name of the feature that is 1 in the steps to predict and 0 in the history.
pub const INDICATOR: &str = "is future";

/// Windows of series, each followed by the steps to predict: see the [module](crate::forecast).
///
/// The features of an example are the columns of the series and [`INDICATOR`]. Its targets are per step, and missing
/// (NaN) in the history. Targets of the series themselves are ignored.
///
/// ```
/// use ragged_datasets::{Dataset, Example, Forecast, ForecastConfig, InMemory, Sequence, Target, TargetKind};
///
/// let series = Sequence::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1)?;
/// let series = InMemory::new(vec![Example::new(series, Target::Values(vec![]))], TargetKind::NONE)?;
/// let parts = Forecast::split(series, &ForecastConfig::new(3, 1), 0.0)?;
/// // The last step, a fifth of six, is for the test.
/// let example = parts.test.get(0, 0)?;
/// assert_eq!(example.sequence.values()[..6], [3.0, 0.0, 4.0, 0.0, 5.0, 0.0]);
/// assert_eq!(example.sequence.row(3).map(|step| step[1]), Some(1.0));
/// let Target::StepValues(targets) = example.target else { unreachable!("one per step") };
/// assert_eq!(targets.values()[3], 6.0);
/// // The earlier ones have fewer steps of history at the beginning of the series.
/// assert_eq!((parts.train.len(), parts.train.length(0, 0)?), (4, 2));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Forecast {
    series: Arc<InMemory>,
    roles: Arc<Roles>,
    window: usize,
    horizon: usize,
    windows: Vec<Window>,
    /// The errors of the naive forecast for each series; empty where there is no past to measure them on.
    naive_errors: Arc<Vec<Arc<[f64]>>>,
    target_kind: TargetKind,
    feature_names: Option<Vec<String>>,
    notes: Vec<String>,
}

/// The place of a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) series: usize,
    /// The first step to predict.
    pub(super) origin: usize,
}

impl Forecast {
    /// Creates a data set of these windows, whose histories have at least one step.
    pub(super) fn new(
        series: &Arc<InMemory>,
        roles: &Arc<Roles>,
        (window, horizon): (usize, usize),
        windows: Vec<Window>,
        naive_errors: &Arc<Vec<Arc<[f64]>>>,
    ) -> Self {
        let names = series.feature_names().map(|names| {
            names.iter().cloned().chain(std::iter::once(INDICATOR.to_string())).collect()
        });
        Self {
            series: series.clone(),
            roles: roles.clone(),
            window,
            horizon,
            windows,
            naive_errors: naive_errors.clone(),
            target_kind: TargetKind::StepValues(roles.targets.len()),
            feature_names: names,
            notes: series.notes().to_vec(),
        }
    }

    pub(super) fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// Returns the series that a window comes from, and the first step to predict there; `None` beyond the end.
    pub fn origin(&self, index: usize) -> Option<(usize, usize)> {
        self.windows.get(index).map(|window| (window.series, window.origin))
    }

    /// Returns the names of the columns to predict, in the order of the targets; the numbers from 1 of columns without
    /// names.
    pub fn target_names(&self) -> Vec<String> {
        self.roles.target_names().map(String::from).collect()
    }

    /// Returns the names of the columns that are known in advance.
    pub fn known_names(&self) -> Vec<String> {
        let Roles { names, known, categories, .. } = &*self.roles;
        let numbers = names.iter().zip(known).filter(|(_, known)| **known).map(|(name, _)| name);
        numbers.chain(categories).cloned().collect()
    }

    /// Returns the names of the columns that are neither predicted nor known in advance.
    pub fn other_names(&self) -> Vec<String> {
        let Roles { names, known, targets, .. } = &*self.roles;
        let other = |column: &usize| !known[*column] && !targets.contains(column);
        (0..names.len()).filter(other).map(|column| names[column].clone()).collect()
    }

    /// Returns the values of the targets in the history of a window, `[steps, K]`, NaN where they are missing.
    ///
    /// # Errors
    ///
    /// [`Error::Index`](crate::Error::Index) beyond the end.
    pub fn history(&self, index: usize) -> Result<Vec<Vec<f32>>> {
        check_index(index, self.windows.len())?;
        let Window { series, origin } = self.windows[index];
        let steps = self.series.examples()[series].sequence.steps().take(origin);
        let steps = steps.skip(self.begin(origin));
        Ok(steps.map(|step| self.targets_of(step).collect()).collect())
    }

    /// Returns the first step of the history.
    fn begin(&self, origin: usize) -> usize {
        origin.saturating_sub(self.window)
    }

    fn targets_of<'a>(&'a self, step: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        self.roles.targets.iter().map(|&target| step[target])
    }
}

impl Dataset for Forecast {
    fn len(&self) -> usize {
        self.windows.len()
    }

    fn features(&self) -> usize {
        self.series.features() + 1
    }

    fn target_kind(&self) -> &TargetKind {
        &self.target_kind
    }

    fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.windows.len())?;
        let Window { series, origin } = self.windows[index];
        let naive_errors = self.naive_errors.get(series).cloned();
        let series = &self.series.examples()[series];
        let (begin, end) = (self.begin(origin), origin + self.horizon);
        // After the end of the file, a step has no values.
        let last = end.min(series.sequence.len());
        let part = series.sequence.cut(begin..last);
        let (features, count) = (self.series.features(), self.roles.targets.len());
        let mut values = Vec::with_capacity((end - begin) * (features + 1));
        for (t, step) in part.wide_values().chunks_exact(features).enumerate() {
            let future = begin + t >= origin;
            let seen = |(value, known): (&f64, &bool)| match future && !known {
                true => f64::NAN,
                false => *value,
            };
            values.extend(step.iter().zip(&self.roles.known).map(seen));
            values.push(f64::from(u8::from(future)));
        }
        for _ in last..end {
            values.extend(std::iter::repeat_n(f64::NAN, features));
            values.push(1.0);
        }
        let mut targets = vec![f32::NAN; (end - begin) * count];
        for (t, step) in part.steps().enumerate().skip(origin - begin) {
            let wanted = targets[t * count..].iter_mut().zip(self.targets_of(step));
            wanted.for_each(|(to, value)| *to = value);
        }
        let sequence = match part.exact_values() {
            Some(_) => Sequence::exact(values, features + 1)?,
            None => Sequence::rounded(&values, features + 1)?,
        };
        let sequence = match part.tokens() {
            Some(tokens) => sequence.with_tokens(tokens.clone())?,
            None => sequence,
        };
        let mut sequence = sequence;
        sequence.set_statics(part.statics().cloned());
        let target = Target::StepValues(Sequence::new(targets, count)?);
        Ok(Example { naive_errors, ..Example::new(sequence, target) })
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.windows.len())?;
        let origin = self.windows[index].origin;
        Ok(origin - self.begin(origin) + self.horizon)
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        self.series.token_columns()
    }

    fn static_columns(&self) -> &StaticColumns {
        self.series.static_columns()
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.series.id(self.windows.get(index)?.series)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
