//! What is done about missing values.

use crate::{Result, Sequence};

/// Repeats the last value of a feature where it is missing; before its first one it stays missing.
pub(super) fn forward_fill(values: &mut [f32], features: usize) {
    for at in features..values.len() {
        if values[at].is_nan() {
            values[at] = values[at - features];
        }
    }
}

/// Puts a feature's mean where it is missing.
pub(super) fn mean_fill(values: &mut [f32], mean: &[f32]) {
    for step in values.chunks_exact_mut(mean.len()) {
        for (value, mean) in step.iter_mut().zip(mean).filter(|(value, _)| value.is_nan()) {
            *value = *mean;
        }
    }
}

/// Adds a feature for each of `columns`: 1 where it is missing, else 0.
pub(super) fn indicate(sequence: &Sequence, columns: &[usize]) -> Result<Sequence> {
    let features = sequence.features() + columns.len();
    let mut values = Vec::with_capacity(sequence.len() * features);
    for step in sequence.steps() {
        values.extend_from_slice(step);
        values.extend(columns.iter().map(|&k| f32::from(u8::from(step[k].is_nan()))));
    }
    Sequence::new(values, features)
}
