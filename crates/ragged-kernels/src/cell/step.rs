//! The interface of a cell's arithmetic: one step of one block of units and one row.

use crate::cell::kind::Side;
use crate::element::Float;
use crate::gemm::microkernel::{Strided, Tile, microkernel};
use crate::layer_norm::groups::Groups;
use crate::simd::vector::Simd;

/// One step of a block of `U` vectors of units and one row. `block` is the number of the block, for cells with weights
/// of their own.
pub(crate) trait CellStep<T: Float, const U: usize>: Copy + Sync {
    /// Whether a step first computes the reset gate, and then a product with the hidden state times it.
    const RESETS_FIRST: bool = false;

    /// Whether the products are normalised before the cell is applied, for which all blocks of a row are needed.
    const NORMALIZES: bool = false;

    /// Which slots of the input's and of the hidden state's product are then normalised together.
    const GROUPS: [Groups; 2] = [Groups([0; 4]); 2];

    /// Returns the slots after the first part of such a step: the reset gate first.
    #[inline(always)]
    fn reset<S: Simd<T>>(self, _s: S, sums: [S::V; 4]) -> [S::V; 4] {
        sums
    }

    /// Computes the states after the step from the slots' sums and the carry before the step.
    fn forward<S: Simd<T>>(
        self,
        s: S,
        block: usize,
        sums: [S::V; 4],
        carry: [S::V; U],
    ) -> StepOutput<S::V, U>;

    /// Computes the cell state after the step once more, with the bits of [`forward`](Self::forward): for zoneout, with
    /// which the state that was saved is another one. Only for cells that have one.
    #[inline(always)]
    fn new_carry<S: Simd<T>>(self, _s: S, _saved: [S::V; 4], carry_before: [S::V; U]) -> [S::V; U] {
        carry_before
    }

    /// Computes the gradients before the step from those after it.
    ///
    /// `saved` is what [`forward`](Self::forward) saved; `carry_before` and `carry_after` are the carry
    /// around the step; `d_hidden` and `d_carry` are the gradients with respect to the hidden state and
    /// the carry after the step.
    #[allow(clippy::too_many_arguments)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        block: usize,
        saved: [S::V; 4],
        carry_before: [S::V; U],
        carry_after: [S::V; U],
        d_hidden: [S::V; U],
        d_carry: [S::V; U],
    ) -> StepGradients<S::V, U>;

    /// Returns `sums + a w` for the slots of one side: `a` `[R, columns]` in rows without gaps, `w`
    /// `[columns][slot of the side][lane]`.
    ///
    /// # Safety
    ///
    /// As [`microkernel`].
    #[inline(always)]
    unsafe fn product<S: Simd<T>, const R: usize>(
        self,
        s: S,
        _side: Side,
        sums: Tile<T, S, R, 4>,
        a: *const T,
        columns: usize,
        w: *const T,
    ) -> Tile<T, S, R, 4> {
        let a = Strided { start: a, row_stride: columns, column_stride: 1 };
        // SAFETY: the caller's.
        unsafe { microkernel::<T, S, R, 4>(s, sums, 0..columns, a, w) }
    }
}

/// The result of a step.
pub(crate) struct StepOutput<V, const U: usize> {
    /// The hidden state, before a projection.
    pub(crate) hidden: [V; U],
    /// The carry.
    pub(crate) carry: [V; U],
    /// What the backward pass reads again.
    pub(crate) saved: [V; 4],
}

/// The result of a step of the backward pass.
pub(crate) struct StepGradients<V, const U: usize> {
    /// With respect to the slots' sums (`da`).
    pub(crate) slots: [V; 4],
    /// With respect to the carry before the step.
    pub(crate) carry: [V; U],
}

/// The derivative of tanh where its value is y.
#[inline(always)]
pub(crate) fn tanh_derivative<T: Float, S: Simd<T>>(s: S, y: S::V) -> S::V {
    s.sub(s.splat(T::ONE), s.mul(y, y))
}

/// The derivative of the logistic function where its value is y.
#[inline(always)]
pub(crate) fn sigmoid_derivative<T: Float, S: Simd<T>>(s: S, y: S::V) -> S::V {
    s.mul(y, s.sub(s.splat(T::ONE), y))
}
