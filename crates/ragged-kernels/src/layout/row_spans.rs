//! Where the right operand of each row's outer product lies: the input of the row, or the hidden state
//! before its step.

use std::ops::Range;

use crate::layout::kernel_layout::KernelLayout;

/// Rows that a tile of the weight gradient sums at a time: 96 rows of four 64-byte vectors are 24 KiB,
/// which fit the first-level cache of 32 KiB that most processors have. Larger caches would gain little, since
/// a tile loads and stores its sums once per chunk.
pub(crate) const CHUNK_ROWS: usize = 96;

/// A range of rows whose operands lie one after the other.
pub(crate) struct RowSpan<T> {
    pub(crate) rows: Range<usize>,
    /// The operand of the first row.
    pub(crate) start: *const T,
}

/// The spans of each chunk of [`CHUNK_ROWS`] rows.
pub(crate) struct ChunkedSpans<T>(pub(crate) Vec<Vec<RowSpan<T>>>);

// SAFETY: the pointers are into slices that outlive the tasks and are only read.
unsafe impl<T: Sync> Sync for ChunkedSpans<T> {}

/// Returns where the hidden states before each row's step lie, in the order of the rows: in `hidden`
/// `[N, P]`, and for the first step of a sequence in `initial` `[B, P]`.
pub(crate) fn previous_hidden_spans<T>(
    layout: &KernelLayout,
    hidden: &[T],
    initial: &[T],
) -> Vec<RowSpan<T>> {
    let p = layout.output_size;
    let mut spans: Vec<RowSpan<T>> = vec![];
    let mut add = |rows: Range<usize>, start: &[T]| {
        let start = start.as_ptr();
        match spans.last_mut() {
            _ if rows.is_empty() => {}
            Some(last)
                if last.rows.end == rows.start
                    && last.start.wrapping_add(last.rows.len() * p) == start =>
            {
                last.rows.end = rows.end;
            }
            _ => spans.push(RowSpan { rows, start }),
        }
    };
    let mut order: Vec<usize> = (0..layout.steps.len()).collect();
    order.sort_by_key(|&k| layout.steps[k].start);
    for k in order {
        let (step, previous) = (layout.steps[k], layout.previous_states(k));
        let continuing = previous.continuing.min(step.batch_size);
        add(step.start..step.start + continuing, &hidden[previous.start * p..]);
        add(step.start + continuing..step.start + step.batch_size, &initial[continuing * p..]);
    }
    spans
}

/// Splits spans at the borders of chunks; the operand of a row has `row_stride` elements.
pub(crate) fn split_at_chunks<T>(spans: Vec<RowSpan<T>>, row_stride: usize) -> ChunkedSpans<T> {
    let mut chunks: Vec<Vec<RowSpan<T>>> = vec![];
    for RowSpan { rows, start } in spans {
        let mut at = rows.start;
        while at < rows.end {
            let end = rows.end.min((at / CHUNK_ROWS + 1) * CHUNK_ROWS);
            if chunks.len() <= at / CHUNK_ROWS {
                chunks.push(vec![]);
            }
            let start = start.wrapping_add((at - rows.start) * row_stride);
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(RowSpan { rows: at..end, start });
            }
            at = end;
        }
    }
    ChunkedSpans(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::kind::CellKind;
    use crate::shape::{Direction, PackedShape};
    use crate::simd::level::SimdLevel;

    /// Follows each sequence through its steps and compares with the spans.
    #[test]
    fn every_row_has_the_hidden_state_before_its_step() {
        let sizes = [[5; 30].as_slice(), &[2; 20]].concat();
        let (batch, p) = (6, 3);
        for direction in [Direction::Forward, Direction::Reverse] {
            let shape = PackedShape::new(batch, &sizes, 1, p, direction).unwrap();
            let layout = KernelLayout::new::<f32>(CellKind::Lstm, &shape, SimdLevel::Portable);
            let hidden: Vec<f32> = (0..layout.rows * p).map(|k| k as f32).collect();
            let initial: Vec<f32> = (0..batch * p).map(|k| -1.0 - k as f32).collect();
            let spans = previous_hidden_spans(&layout, &hidden, &initial);
            let mut found = vec![];
            for (k, chunk) in split_at_chunks(spans, p).0.into_iter().enumerate() {
                for span in chunk {
                    assert!(k * CHUNK_ROWS <= span.rows.start);
                    assert!(span.rows.end <= (k + 1) * CHUNK_ROWS);
                    for (at, row) in span.rows.enumerate() {
                        assert_eq!(row, found.len());
                        // SAFETY: the operands of a span's rows lie within the slices above.
                        found.push(unsafe { *span.start.add(at * p) });
                    }
                }
            }
            let mut expected = vec![0.0; layout.rows];
            for sequence in 0..batch {
                let mut previous = initial[sequence * p];
                for step in layout.steps.iter().filter(|step| sequence < step.batch_size) {
                    expected[step.start + sequence] = previous;
                    previous = hidden[(step.start + sequence) * p];
                }
            }
            assert_eq!(found, expected, "{direction:?}");
        }
    }
}
