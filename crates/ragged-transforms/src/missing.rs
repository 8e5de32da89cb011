//! The treatment of missing values.

/// Replaces a missing value by the last value of the same feature, of which `last` holds one for each feature.
/// Values before the first one stay missing.
pub(crate) fn forward_fill(values: &mut [f64], last: &mut [f64]) {
    for step in values.chunks_exact_mut(last.len()) {
        for (value, last) in step.iter_mut().zip(last.iter_mut()) {
            if value.is_nan() {
                *value = *last;
            }
            *last = *value;
        }
    }
}

/// Replaces a missing value by the mean of its feature.
pub(crate) fn mean_fill(values: &mut [f64], mean: &[f64]) {
    for step in values.chunks_exact_mut(mean.len()) {
        for (value, mean) in step.iter_mut().zip(mean).filter(|(value, _)| value.is_nan()) {
            *value = *mean;
        }
    }
}

/// Appends one feature for each of `columns` to steps of `features`: 1 where its value is missing, and 0
/// elsewhere.
pub(crate) fn indicate_missing(values: &[f64], features: usize, columns: &[usize]) -> Vec<f64> {
    let steps = values.len() / features;
    let mut indicated = Vec::with_capacity(values.len() + steps * columns.len());
    for step in values.chunks_exact(features) {
        indicated.extend_from_slice(step);
        indicated.extend(columns.iter().map(|&k| f64::from(u8::from(step[k].is_nan()))));
    }
    indicated
}
