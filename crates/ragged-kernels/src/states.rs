//! States between the caller's `[B, H]` and the kernels' blocks.

use crate::layout::Geometry;
use crate::{Direction, Element};

/// `[B, H]` into `[block][sequence][lane]`, zeros beyond H.
pub(crate) fn load<T: Element>(geometry: &Geometry, from: &[T], to: &mut [T]) {
    for block in 0..geometry.blocks {
        let units = geometry.units(block);
        for b in 0..geometry.batch {
            let to = &mut to[geometry.state_at(block, b)..][..geometry.lanes];
            let from = &from[b * geometry.hidden + block * geometry.lanes..][..units];
            to[..units].copy_from_slice(from);
            to[units..].fill(T::default());
        }
    }
}

/// The way back.
pub(crate) fn store<T: Element>(geometry: &Geometry, from: &[T], to: &mut [T]) {
    for block in 0..geometry.blocks {
        let units = geometry.units(block);
        for b in 0..geometry.batch {
            let from = &from[geometry.state_at(block, b)..][..geometry.lanes];
            let to = &mut to[b * geometry.hidden + block * geometry.lanes..][..units];
            to.copy_from_slice(&from[..units]);
        }
    }
}

/// Each sequence's hidden state behind the step that its direction takes last; `h_0` where it has
/// no step.
pub(crate) fn last_rows<T: Element>(geometry: &Geometry, output: &[T], h_0: &[T], h_n: &mut [T]) {
    let h = geometry.hidden;
    h_n.copy_from_slice(h_0);
    // The hidden states of a step for the sequences `from` on.
    let mut copy = |step: &crate::shape::Step, from: usize| {
        let rows = (step.start + from) * h..(step.start + step.running) * h;
        h_n[from * h..step.running * h].copy_from_slice(&output[rows]);
    };
    match geometry.direction {
        Direction::Reverse => {
            if let Some(last) = geometry.steps.last() {
                copy(last, 0);
            }
        }
        Direction::Forward => {
            // A step is the last one of the sequences that do not run in the next.
            for pair in geometry.steps.windows(2) {
                copy(&pair[0], pair[1].running);
            }
            if let Some(last) = geometry.steps.last() {
                copy(last, 0);
            }
        }
    }
}
