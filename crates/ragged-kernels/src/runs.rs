//! Where the right factor of each row's outer product lies: the input of a row, or the hidden state
//! before its step.

use std::ops::Range;

use crate::layout::{Before, Geometry};

/// Rows that a tile of the gradient runs over at a time: 96 rows of four vectors are 24 KiB.
pub(crate) const CHUNK: usize = 96;

/// Rows whose factors lie one behind the other.
pub(crate) struct Run<T> {
    pub(crate) rows: Range<usize>,
    /// The factors of the first row.
    pub(crate) from: *const T,
}

/// Runs within chunks of rows.
pub(crate) struct Chunks<T>(pub(crate) Vec<Vec<Run<T>>>);

// SAFETY: the pointers are into slices that outlive the tasks and are only read.
unsafe impl<T: Sync> Sync for Chunks<T> {}

/// Where the hidden states before each row's step lie, in the order of the rows.
pub(crate) fn runs_before<T>(geometry: &Geometry, hidden: &[T], initial: &[T]) -> Vec<Run<T>> {
    let p = geometry.width;
    let mut runs: Vec<Run<T>> = vec![];
    let mut add = |rows: Range<usize>, from: &[T]| {
        let from = from.as_ptr();
        match runs.last_mut() {
            _ if rows.is_empty() => {}
            Some(last)
                if last.rows.end == rows.start
                    && last.from.wrapping_add(last.rows.len() * p) == from =>
            {
                last.rows.end = rows.end;
            }
            _ => runs.push(Run { rows, from }),
        }
    };
    let mut order: Vec<usize> = (0..geometry.steps.len()).collect();
    order.sort_by_key(|&k| geometry.steps[k].start);
    for k in order {
        let (step, before) = (geometry.steps[k], Before::new(&geometry.steps, k));
        let begun = before.begun.min(step.running);
        add(step.start..step.start + begun, &hidden[before.start * p..]);
        add(step.start + begun..step.start + step.running, &initial[begun * p..]);
    }
    runs
}

/// Runs cut on the borders of chunks; `width` is the distance between rows.
pub(crate) fn chunks_of<T>(runs: Vec<Run<T>>, width: usize) -> Chunks<T> {
    let mut chunks: Vec<Vec<Run<T>>> = vec![];
    for Run { rows, from } in runs {
        let mut at = rows.start;
        while at < rows.end {
            let end = rows.end.min((at / CHUNK + 1) * CHUNK);
            if chunks.len() <= at / CHUNK {
                chunks.push(vec![]);
            }
            let from = from.wrapping_add((at - rows.start) * width);
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(Run { rows: at..end, from });
            }
            at = end;
        }
    }
    Chunks(chunks)
}
