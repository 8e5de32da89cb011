//! Zoneout in the time loops: each step mixes the previous states into the new ones.

use crate::element::Float;
use crate::memory::sync_ptr::SyncPtr;
use crate::operands::Input;
use crate::simd::vector::Simd;
use crate::zoneout::{Kept, Zoneout};

/// The fractions that are kept, and the hidden states before the first step.
#[derive(Clone, Copy)]
pub(crate) struct KeptStates<'a, T> {
    pub(crate) zoneout: Zoneout<'a, T>,
    /// `[B, P]`, without the mask; zeros where `None`.
    pub(crate) initial_hidden: Option<&'a [T]>,
}

/// Zoneout of a forward loop.
#[derive(Clone, Copy)]
pub(crate) struct KeptForward<'a, T> {
    pub(crate) states: KeptStates<'a, T>,
    /// Room for the cell states before the present step, `[vector][sequence][lane]`.
    pub(crate) cells_before: SyncPtr<T>,
}

/// Zoneout of a backward loop.
#[derive(Clone, Copy)]
pub(crate) struct KeptGradients<'a, T> {
    pub(crate) states: KeptStates<'a, T>,
    /// The gradient with respect to `output`, `[N, P]`.
    pub(crate) d_output: Option<&'a [T]>,
    /// The gradient with respect to the cell states, `[N, H]`.
    pub(crate) d_cell_states: Option<&'a [T]>,
    /// Room for the part of the gradient with respect to the hidden state that passes by the cell,
    /// `[vector][sequence][lane]`.
    pub(crate) d_hidden: SyncPtr<T>,
    /// The same for the cell state.
    pub(crate) d_cells: SyncPtr<T>,
}

impl<'a, T: Float> KeptStates<'a, T> {
    /// Returns what a pass with this input keeps, if it has zoneout.
    pub(crate) fn of(input: &Input<'a, T>) -> Option<Self> {
        let initial_hidden = input.h_0;
        input.zoneout.map(|zoneout| Self { zoneout, initial_hidden })
    }

    /// Returns the fractions of `count` hidden units, the first of which is `at` in `[N, P]`.
    ///
    /// # Safety
    ///
    /// `[N, P]` has these elements.
    #[inline(always)]
    pub(crate) unsafe fn of_hidden<S: Simd<T>>(&self, s: S, at: usize, count: usize) -> S::V {
        // SAFETY: the caller's.
        unsafe { load(s, self.zoneout.hidden, at, count) }
    }

    /// Returns the fractions of `count` cell states, the first of which is `at` in `[N, H]`; none if the cells keep
    /// nothing.
    ///
    /// # Safety
    ///
    /// `[N, H]` has these elements.
    #[inline(always)]
    pub(crate) unsafe fn of_cell<S: Simd<T>>(&self, s: S, at: usize, count: usize) -> Option<S::V> {
        let kept = self.zoneout.cell?;
        // SAFETY: the caller's.
        Some(unsafe { load(s, kept, at, count) })
    }
}

#[inline(always)]
unsafe fn load<T: Float, S: Simd<T>>(s: S, kept: Kept<T>, at: usize, count: usize) -> S::V {
    match kept {
        Kept::All(fraction) => s.splat(fraction),
        // SAFETY: the caller's; the rows of a vector without units may end at `at`.
        Kept::Rows(rows) => unsafe { s.load_first(rows.as_ptr().wrapping_add(at), count) },
    }
}

/// Returns `new + kept (before - new)`.
#[inline(always)]
pub(crate) fn mix<T: Float, S: Simd<T>>(s: S, kept: S::V, before: S::V, new: S::V) -> S::V {
    s.mul_add(kept, s.sub(before, new), new)
}
