//! One target of the training data, as the loss for it needs it: the only one, or a column of several.

use ragged_datasets::{Dataset, Target, TargetKind};
use ragged_transforms::Standardize;

use crate::config::error::ConfigError;
use crate::error::Result;
use crate::objective::class_weights::ClassWeights;
use crate::objective::criterion::Criterion;
use crate::run::datasets::{AnyDataset, Datasets};

/// A target and the section of the configuration that says what is minimised for it.
pub(crate) struct TargetView<'a> {
    pub(crate) data: &'a Datasets,
    /// The kind of the target by itself.
    pub(crate) kind: TargetKind,
    /// The column among several targets.
    pub(crate) column: Option<usize>,
    /// The section: `train` or `train.heads.NAME`.
    pub(crate) section: String,
}

impl TargetView<'_> {
    /// Returns the loss that is usual for the target.
    pub(crate) fn usual(&self) -> Criterion {
        match self.kind.labels() {
            Some(_) if self.kind.is_transcription() => Criterion::Ctc,
            Some(_) => Criterion::cross_entropy(),
            None => Criterion::Mse,
        }
    }

    /// Checks that a loss is one of this kind of target.
    pub(crate) fn check_fit(&self, criterion: &Criterion) -> Result<()> {
        let lists = self.kind.is_transcription();
        let classes = self.kind.labels().is_some() && !lists;
        if (criterion.is_for_classes(), criterion.is_for_transcription()) == (classes, lists) {
            return Ok(());
        }
        let (are, expected) = match (self.kind.labels(), self.column) {
            (Some(_), Some(_)) => {
                ("classes", "cross-entropy, or a column of the type target-number")
            }
            (None, Some(_)) => ("numbers", "another loss, or a column of the type target-category"),
            (Some(_), None) if lists => ("lists of labels", "ctc, or another data.read.task"),
            (Some(_), None) => ("classes", "cross-entropy, or data.read.task regression"),
            (None, None) => ("values", "another loss, or data.read.task classification"),
        };
        let (key, name) = (self.key("loss"), criterion.name());
        let message = format!("{key} is {name}, but the targets are {are}: expected {expected}");
        Err(ConfigError::conflict(key, message).into())
    }

    /// Returns a key of the section.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.section)
    }

    /// Adds class weights to cross-entropy, and checks the number of weights.
    pub(crate) fn with_weights(
        &self,
        criterion: Criterion,
        given: Option<&ClassWeights>,
    ) -> Result<Criterion> {
        let count = self.kind.outputs();
        let (weights_key, loss_key) = (self.key("class_weights"), self.key("loss"));
        let wrong = |key: String, got: usize, per: &str| {
            let message = format!("{key} has {got} numbers: expected {count}, one per {per}");
            Err(ConfigError::conflict(key, message).into())
        };
        match (criterion, self.kind.labels(), given) {
            (Criterion::CrossEntropy { weight, .. }, _, Some(_)) if !weight.is_empty() => {
                let message =
                    format!("{weights_key} and {loss_key}.weight: expected only one of the two");
                Err(ConfigError::conflict(weights_key, message).into())
            }
            (Criterion::CrossEntropy { label_smoothing, .. }, Some(labels), Some(weights)) => {
                let counts = self.count_classes(labels.len())?;
                let weight = weights.resolve_at(&weights_key, labels, &counts)?;
                Ok(Criterion::CrossEntropy { weight, label_smoothing })
            }
            (criterion, _, Some(_)) => {
                let message = format!(
                    "{weights_key} is given, but {loss_key} is {}: expected cross-entropy",
                    criterion.name()
                );
                Err(ConfigError::conflict(weights_key, message).into())
            }
            (Criterion::CrossEntropy { weight, .. }, ..)
                if !weight.is_empty() && weight.len() != count =>
            {
                wrong(self.key("loss.weight"), weight.len(), "class")
            }
            (Criterion::Bce { pos_weight }, ..)
                if pos_weight.len() > 1 && pos_weight.len() != count =>
            {
                wrong(self.key("loss.pos_weight"), pos_weight.len(), "value")
            }
            (criterion, ..) => Ok(criterion),
        }
    }

    /// Counts the training targets of each class.
    fn count_classes(&self, classes: usize) -> Result<Vec<u64>> {
        let mut counts = vec![0; classes];
        let train = &self.data.train;
        for index in 0..train.len() {
            match train.target(0, index)? {
                Target::Class(class) => counts[class as usize] += 1,
                Target::StepClasses(classes) => {
                    classes.into_iter().for_each(|class| counts[class as usize] += 1);
                }
                Target::Values(_) | Target::StepValues(_) | Target::Labels(_) => {}
            }
        }
        if self.column.is_some() {
            self.for_each_value(train, |_, class| {
                if !class.is_nan() {
                    counts[class as usize] += 1;
                }
            })?;
        }
        Ok(counts)
    }

    /// Checks that a loss is defined for every target.
    pub(crate) fn check_range(&self, criterion: &Criterion) -> Result<()> {
        let (range, expected) = match criterion {
            Criterion::Bce { .. } => (0.0..=1.0, "targets from 0 to 1"),
            Criterion::Poisson { .. } => (0.0..=f32::INFINITY, "targets of at least 0"),
            _ => return Ok(()),
        };
        let parts =
            [("training", Some(&self.data.train)), ("validation", self.data.valid.as_ref())];
        for (part, data) in parts.into_iter().chain([("test", Some(&self.data.test))]) {
            let Some(data) = data else { continue };
            let mut bad = None;
            self.for_each_value(data, |_, value| {
                if !value.is_nan() && !range.contains(&value) {
                    bad.get_or_insert(value);
                }
            })?;
            if let Some(value) = bad {
                let (key, name) = (self.key("loss"), criterion.name());
                let message = format!(
                    "{key} is {name}, but a target of the {part} data is {value}: expected {expected}"
                );
                return Err(ConfigError::conflict(key, message).into());
            }
        }
        Ok(())
    }

    /// Returns the number of values that may be scaled: none for classes.
    pub(crate) fn values(&self) -> usize {
        if self.kind.labels().is_some() { 0 } else { self.kind.outputs() }
    }

    /// Returns the mean and standard deviation of each value over the training data.
    pub(crate) fn scale(&self) -> Result<Standardize> {
        // In two passes, so that large means cost no precision.
        let values = self.values();
        let (mut count, mut mean) = (vec![0.0f64; values], vec![0.0f64; values]);
        self.for_each_value(&self.data.train, |k, value| {
            if !value.is_nan() {
                count[k] += 1.0;
                mean[k] += (f64::from(value) - mean[k]) / count[k];
            }
        })?;
        let mut squares = vec![0.0f64; values];
        self.for_each_value(&self.data.train, |k, value| {
            if !value.is_nan() {
                squares[k] += (f64::from(value) - mean[k]).powi(2);
            }
        })?;
        let std = squares.iter().zip(&count).map(|(square, count)| (square / count).sqrt());
        let std = std.map(|std| if std > 0.0 && std.is_finite() { std } else { 1.0 }).collect();
        Ok(Standardize { mean, std })
    }

    /// Calls a function with the index and value of every target that is a value; of the column, if there is one, with
    /// the index 0.
    fn for_each_value(&self, data: &AnyDataset, mut visit: impl FnMut(usize, f32)) -> Result<()> {
        let mut visit_row = |row: &[f32]| match self.column {
            Some(column) => visit(0, row[column]),
            None => row.iter().enumerate().for_each(|(k, &value)| visit(k, value)),
        };
        for index in 0..data.len() {
            match data.target(0, index)? {
                Target::Values(values) => visit_row(&values),
                Target::StepValues(values) => values.steps().for_each(&mut visit_row),
                Target::Class(_) | Target::StepClasses(_) | Target::Labels(_) => {}
            }
        }
        Ok(())
    }
}
