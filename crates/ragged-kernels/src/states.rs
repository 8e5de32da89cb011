//! States between the caller's `[B, width]` and the kernels' vectors.

use crate::buffer::Buffer;
use crate::layout::Geometry;
use crate::{Direction, Element};

/// `[B, width]` as `[vector][sequence][lane]`, zeros beyond the width and for `None`.
pub(crate) fn load<T: Element>(geometry: &Geometry, from: Option<&[T]>, width: usize) -> Buffer<T> {
    let mut buffer = Buffer::<T>::new(geometry.states_len());
    let to = buffer.as_mut_slice();
    let Some(from) = from else {
        to.fill(T::default());
        return buffer;
    };
    for vector in 0..geometry.vectors() {
        let begin = width.min(vector * geometry.lanes);
        let count = geometry.lanes.min(width - begin);
        for b in 0..geometry.batch {
            let to = &mut to[geometry.state_at(vector, b)..][..geometry.lanes];
            to[..count].copy_from_slice(&from[b * width + begin..][..count]);
            to[count..].fill(T::default());
        }
    }
    buffer
}

/// The way back.
pub(crate) fn store<T: Element>(geometry: &Geometry, from: &[T], width: usize) -> Vec<T> {
    let mut to = vec![T::default(); geometry.batch * width];
    for vector in 0..width.div_ceil(geometry.lanes) {
        let begin = vector * geometry.lanes;
        let count = geometry.lanes.min(width - begin);
        for b in 0..geometry.batch {
            let from = &from[geometry.state_at(vector, b)..][..count];
            to[b * width + begin..][..count].copy_from_slice(from);
        }
    }
    to
}

/// Each sequence's hidden state behind the step that its direction takes last; `h_0` (or zeros) where
/// it has no step.
pub(crate) fn last_rows<T: Element>(
    geometry: &Geometry,
    output: &[T],
    h_0: Option<&[T]>,
) -> Vec<T> {
    let p = geometry.width;
    let mut h_n = h_0.map_or_else(|| vec![T::default(); geometry.batch * p], <[T]>::to_vec);
    // The hidden states of a step for the sequences `from` on.
    let mut copy = |step: &crate::shape::Step, from: usize| {
        let rows = (step.start + from) * p..(step.start + step.running) * p;
        h_n[from * p..step.running * p].copy_from_slice(&output[rows]);
    };
    if geometry.direction == Direction::Forward {
        // A step is the last one of the sequences that do not run in the next.
        for pair in geometry.steps.windows(2) {
            copy(&pair[0], pair[1].running);
        }
    }
    if let Some(last) = geometry.steps.last() {
        copy(last, 0);
    }
    h_n
}
