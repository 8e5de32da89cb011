//! Repetition of rows.

/// Returns each row of `width` elements this number of times in a row.
pub(crate) fn repeat_rows<T: Clone>(rows: &[T], width: usize, times: usize) -> Vec<T> {
    let rows = rows.chunks(width.max(1));
    rows.flat_map(|row| std::iter::repeat_n(row, times).flatten().cloned()).collect()
}
