//! The activations that the forward pass saves for the backward pass.

use crate::element::Float;
use crate::memory::pooled_buffer::PooledBuffer;

/// What the forward loop writes and the backward loop reads. A buffer that the cell or the call does
/// not need is empty.
#[derive(Debug, Clone)]
pub(crate) struct Activations<T: Float> {
    /// What each cell saves of its four slots (see [`CellStep::forward`]), `[block][row][slot][lane]`.
    ///
    /// [`CellStep::forward`]: crate::cell::step::CellStep::forward
    pub(crate) gates: PooledBuffer<T>,
    /// The carry after each step, `[vector][row][lane]`.
    pub(crate) carries: PooledBuffer<T>,
    /// The hidden state before its projection, `[vector][row][lane]`.
    pub(crate) unprojected: PooledBuffer<T>,
    /// The hidden state times the mask, as the next step's product reads it, `[N, P]`.
    pub(crate) masked: PooledBuffer<T>,
}
