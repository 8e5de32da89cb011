//! The treatment of missing values.

use crate::error::Result;
use crate::example::Sequence;

/// Replaces a missing value by the last value of the same feature. Values before the first one stay
/// missing.
pub(super) fn forward_fill(values: &mut [f32], features: usize) {
    for at in features..values.len() {
        if values[at].is_nan() {
            values[at] = values[at - features];
        }
    }
}

/// Replaces a missing value by the mean of its feature.
pub(super) fn mean_fill(values: &mut [f32], mean: &[f32]) {
    for step in values.chunks_exact_mut(mean.len()) {
        for (value, mean) in step.iter_mut().zip(mean).filter(|(value, _)| value.is_nan()) {
            *value = *mean;
        }
    }
}

/// Appends one feature for each of `columns`: 1 where its value is missing, and 0 elsewhere.
pub(super) fn indicate_missing(sequence: &Sequence, columns: &[usize]) -> Result<Sequence> {
    let features = sequence.features() + columns.len();
    let mut values = Vec::with_capacity(sequence.len() * features);
    for step in sequence.steps() {
        values.extend_from_slice(step);
        values.extend(columns.iter().map(|&k| f32::from(u8::from(step[k].is_nan()))));
    }
    Sequence::new(values, features)
}
