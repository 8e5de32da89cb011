//! Layer normalisation, as it is defined.

use ragged_kernels::CellKind;

/// The elements of `4 H` or `3 H` sums that are normalised together.
fn groups(cell: CellKind, rows: usize, hidden: usize) -> Vec<std::ops::Range<usize>> {
    match cell {
        CellKind::LayerNormGru => vec![0..2 * hidden, 2 * hidden..3 * hidden],
        _ => std::iter::once(0..rows).collect(),
    }
}

/// The normalised elements, and the standard deviation.
pub(crate) fn normalize(v: &[f64]) -> (Vec<f64>, f64) {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    let variance = v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let deviation = (variance + 1e-5).sqrt();
    (v.iter().map(|v| (v - mean) / deviation).collect(), deviation)
}

/// The gradient with respect to `v` from that with respect to the normalised elements.
pub(crate) fn normalize_back(v: &[f64], d: &[f64]) -> Vec<f64> {
    let ((normalized, deviation), n) = (normalize(v), v.len() as f64);
    let mean = d.iter().sum::<f64>() / n;
    let product = d.iter().zip(&normalized).map(|(d, v)| d * v).sum::<f64>() / n;
    let values = d.iter().zip(&normalized);
    values.map(|(d, v)| (d - mean - v * product) / deviation).collect()
}

/// A side's product, normalised by groups of gates.
pub(crate) fn normalize_gates(cell: CellKind, product: &[f64], hidden: usize) -> Vec<f64> {
    let groups = groups(cell, product.len(), hidden).into_iter();
    groups.flat_map(|group| normalize(&product[group]).0).collect()
}

/// The gradient with respect to a side's product.
pub(crate) fn gates_back(cell: CellKind, product: &[f64], d: &[f64], hidden: usize) -> Vec<f64> {
    let groups = groups(cell, product.len(), hidden).into_iter();
    groups.flat_map(|group| normalize_back(&product[group.clone()], &d[group])).collect()
}
