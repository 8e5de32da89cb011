//! Conversion of states between the caller's `[B, columns]` and the kernels'
//! `[vector][sequence][lane]`.

use crate::element::Float;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::shape::{Direction, Step};

/// Converts `[B, columns]` to `[vector][sequence][lane]`, with zeros beyond the last column and for
/// `None`.
pub(crate) fn pack_states<T: Float>(
    layout: &KernelLayout,
    from: Option<&[T]>,
    columns: usize,
) -> PooledBuffer<T> {
    let mut buffer = PooledBuffer::<T>::new(layout.states_len());
    let to = buffer.as_mut_slice();
    let Some(from) = from else {
        to.fill(T::default());
        return buffer;
    };
    for vector in 0..layout.vectors() {
        let begin = columns.min(vector * layout.lanes);
        let count = layout.lanes.min(columns - begin);
        for b in 0..layout.batch_size {
            let to = &mut to[layout.state_at(vector, b)..][..layout.lanes];
            to[..count].copy_from_slice(&from[b * columns + begin..][..count]);
            to[count..].fill(T::default());
        }
    }
    buffer
}

/// Converts `[vector][sequence][lane]` to `[B, columns]`, and writes every element of `to`.
pub(crate) fn unpack_states<T: Float>(
    layout: &KernelLayout,
    from: &[T],
    columns: usize,
    to: SyncPtr<T>,
) {
    for vector in 0..columns.div_ceil(layout.lanes) {
        let begin = vector * layout.lanes;
        let count = layout.lanes.min(columns - begin);
        for b in 0..layout.batch_size {
            let from = &from[layout.state_at(vector, b)..][..count];
            // SAFETY: row `b` of `to` has these columns.
            unsafe {
                let to = to.get().add(b * columns + begin);
                std::ptr::copy_nonoverlapping(from.as_ptr(), to, count);
            }
        }
    }
}

/// Stores `h_n` `[B, P]`: each sequence's hidden state after the last step of its direction, from
/// `output` `[N, P]`. A sequence without a step keeps its `h_0` `[B, P]`, or zeros.
pub(crate) fn final_hidden<T: Float>(
    layout: &KernelLayout,
    output: &[T],
    h_0: Option<&[T]>,
    h_n: &mut [T],
) {
    let p = layout.output_size;
    match h_0 {
        Some(h_0) => h_n.copy_from_slice(h_0),
        None => h_n.fill(T::default()),
    }
    // The hidden states of a step, from sequence `first` on.
    let mut copy = |step: &Step, first: usize| {
        let rows = (step.start + first) * p..(step.start + step.batch_size) * p;
        h_n[first * p..step.batch_size * p].copy_from_slice(&output[rows]);
    };
    if layout.direction == Direction::Forward {
        // A step is the last one of the sequences that do not take the next.
        for pair in layout.steps.windows(2) {
            copy(&pair[0], pair[1].batch_size);
        }
    }
    if let Some(last) = layout.steps.last() {
        copy(last, 0);
    }
}

/// Returns the initial hidden states as the first step's product reads them, `h_0 * mask` `[B, P]`.
pub(crate) fn masked_initial_hidden<T: Float>(
    layout: &KernelLayout,
    h_0: Option<&[T]>,
    mask: Option<&[T]>,
) -> PooledBuffer<T> {
    let mut initial = PooledBuffer::<T>::new(layout.batch_size * layout.output_size);
    let to = initial.as_mut_slice();
    match (h_0, mask) {
        (None, _) => to.fill(T::default()),
        (Some(h_0), None) => to.copy_from_slice(h_0),
        (Some(h_0), Some(mask)) => {
            to.iter_mut().zip(h_0).zip(mask).for_each(|((to, &h), &m)| *to = h * m);
        }
    }
    initial
}
