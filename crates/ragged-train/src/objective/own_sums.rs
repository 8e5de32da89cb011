//! The metrics of a program, accumulated over batches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exact_float;

/// Sums of metrics by name, multiplied by the weights of the batches.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct OwnSums(BTreeMap<String, OwnSum>);

/// The sum of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnSum {
    #[serde(with = "exact_float")]
    sum: f64,
    #[serde(with = "exact_float")]
    weight: f64,
}

impl OwnSums {
    /// Adds the metric of a batch of a weight.
    pub(super) fn add(&mut self, name: &str, value: f64, weight: f64) {
        let own = self.0.entry(name.into()).or_default();
        own.sum += value * weight;
        own.weight += weight;
    }

    /// Adds the sums of other batches.
    pub(super) fn merge(&mut self, other: &Self) {
        for (name, own) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            sum.sum += own.sum;
            sum.weight += own.weight;
        }
    }

    /// Whether there is no metric.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the metrics by name.
    pub(super) fn finish(&self) -> impl Iterator<Item = (String, f64)> {
        self.0.iter().map(|(name, own)| (name.clone(), own.sum / own.weight))
    }
}
