//! The roles of the columns of series.

use crate::dataset::Dataset;
use crate::error::Result;
use crate::forecast::config::ForecastConfig;
use crate::forecast::error::ForecastError;
use crate::in_memory::InMemory;

/// Which columns are predicted, and which are known in advance.
#[derive(Debug)]
pub(super) struct Roles {
    /// The names of the features, or their numbers from 1.
    pub(super) names: Vec<String>,
    /// The features to predict.
    pub(super) targets: Vec<usize>,
    /// Whether each feature is known in advance.
    pub(super) known: Vec<bool>,
    /// The names of the columns of categories, all of which are known in advance.
    pub(super) categories: Vec<String>,
}

impl Roles {
    pub(super) fn new(series: &InMemory, config: &ForecastConfig) -> Result<Self, ForecastError> {
        let names: Vec<String> = match series.feature_names() {
            Some(names) => names.to_vec(),
            None => (1..=series.features()).map(|number| number.to_string()).collect(),
        };
        let categories: Vec<String> =
            series.token_columns().iter().map(|column| column.name.clone()).collect();
        let find = |list, name: &String| {
            if categories.contains(name) {
                return Ok(None);
            }
            let unknown = || {
                let known = names.iter().chain(&categories).cloned().collect();
                ForecastError::UnknownColumn { list, name: name.clone(), known }
            };
            names.iter().position(|known| known == name).map(Some).ok_or_else(unknown)
        };
        let role = |list, name: &String, reason| {
            let name = name.clone();
            Err(ForecastError::Role { list, name, reason })
        };
        let mut known = vec![false; names.len()];
        for name in &config.known {
            if let Some(column) = find("known", name)? {
                known[column] = true;
            }
        }
        if let Some(name) = categories.iter().find(|name| !config.known.contains(name)) {
            return Err(ForecastError::UnknownCategory { name: name.clone() });
        }
        let mut targets = vec![];
        for name in config.targets.iter().flatten() {
            let Some(column) = find("targets", name)? else {
                return role("targets", name, ", a column of categories: expected numbers");
            };
            if known[column] {
                let reason = ", which is known in advance: expected one of the two";
                return role("targets", name, reason);
            }
            if targets.contains(&column) {
                return role("targets", name, " twice: expected different columns");
            }
            targets.push(column);
        }
        if config.targets.is_none() {
            targets = (0..names.len()).filter(|&column| !known[column]).collect();
        }
        if targets.is_empty() {
            return Err(ForecastError::NoTargets);
        }
        Ok(Self { names, targets, known, categories })
    }

    /// Returns the names of the targets.
    pub(super) fn target_names(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().map(|&target| self.names[target].as_str())
    }

    /// Returns the number of steps of a series up to the last one with a target.
    pub(super) fn end(&self, series: &[f32]) -> usize {
        let mut steps = series.chunks_exact(self.names.len());
        let has_target = |step: &[f32]| self.targets.iter().any(|&target| !step[target].is_nan());
        steps.rposition(has_target).map_or(0, |last| last + 1)
    }
}
