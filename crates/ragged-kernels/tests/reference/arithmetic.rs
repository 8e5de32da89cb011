//! The arithmetic of vectors and matrices, one number at a time.

pub(crate) fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// `w v`, w `[rows, v.len()]`.
pub(crate) fn times(w: &[f64], v: &[f64]) -> Vec<f64> {
    w.chunks_exact(v.len()).map(|row| row.iter().zip(v).map(|(w, v)| w * v).sum()).collect()
}

/// `w^T v` is added to `to`.
pub(crate) fn add_transposed(w: &[f64], v: &[f64], to: &mut [f64]) {
    for (row, v) in w.chunks_exact(to.len()).zip(v) {
        row.iter().zip(&mut *to).for_each(|(w, to)| *to += w * v);
    }
}

/// `a b^T` is added to `to`.
pub(crate) fn add_outer(a: &[f64], b: &[f64], to: &mut [f64]) {
    for (row, a) in to.chunks_exact_mut(b.len()).zip(a) {
        row.iter_mut().zip(b).for_each(|(to, b)| *to += a * b);
    }
}

/// `new + kept (before - new)`.
pub(crate) fn mix(kept: &[f64], before: &[f64], new: &[f64]) -> Vec<f64> {
    let values = kept.iter().zip(before).zip(new);
    values.map(|((kept, before), new)| new + kept * (before - new)).collect()
}

/// Splits off the part of a gradient that passes by the cell.
pub(crate) fn take(kept: &[f64], gradient: &mut [f64]) -> Vec<f64> {
    let passed: Vec<f64> = kept.iter().zip(&*gradient).map(|(kept, d)| kept * d).collect();
    gradient.iter_mut().zip(&passed).for_each(|(d, passed)| *d -= passed);
    passed
}
