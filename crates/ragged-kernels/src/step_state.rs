//! The states of several sequences between single steps.

use crate::check::check_len;
use crate::error::{Error, Result};
use crate::gemm::forward_weights::ForwardWeights;
use crate::layer::Element;
use crate::layer_norm::statistics::SAVED;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::passes::step::StepBuffers;
use crate::zoneout::Zoneout;

/// The states of B sequences of one layer between steps, one row each.
///
/// [`PreparedWeights::state`](crate::PreparedWeights::state) creates them and
/// [`PreparedWeights::step`](crate::PreparedWeights::step) replaces them by those after a step.
///
/// ```
/// use ragged_kernels::{CellKind, Direction, PackedShape, PreparedWeights, Weights};
///
/// let shape = PackedShape::new(0, &[], 1, 1, Direction::Forward)?;
/// let weights = Weights::new(&[0.5f32, 0.1, 1.0, 0.3], &[0.2, 0.4, 0.1, 0.6]);
/// let prepared = PreparedWeights::new(CellKind::Lstm, &shape, &weights)?;
/// let mut state = prepared.state(2)?;
/// prepared.step(&[1.0, -1.0], &mut state)?;
///
/// // The second row goes on from a state of its own; the first is unchanged.
/// let first = state.hidden()[0];
/// state.set_row(1, &[0.5], &[1.0])?;
/// assert_eq!(state.hidden(), [first, 0.5]);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StepState<T: Element> {
    /// A single step of B rows.
    layout: KernelLayout,
    buffers: StepBuffers<T>,
}

impl<T: Element> StepState<T> {
    pub(crate) fn new(layout: KernelLayout) -> Self {
        let hidden = || PooledBuffer::exact(layout.rows * layout.output_size);
        let vectors =
            |needed: bool| PooledBuffer::exact(if needed { layout.row_vectors_len() } else { 0 });
        let resets = layout.cell.resets_before();
        let normalizes = layout.cell.normalizes();
        let buffers = StepBuffers {
            hidden: hidden(),
            next: hidden(),
            carry: vectors(layout.cell.has_carry()),
            cells_before: vectors(layout.cell.has_cell_state()),
            unprojected: vectors(layout.has_projection()),
            gates: PooledBuffer::exact(if resets { layout.gates_len() } else { 0 }),
            reset: PooledBuffer::exact(if resets { layout.rows * layout.output_size } else { 0 }),
            inputs: PooledBuffer::exact(if normalizes { layout.gates_len() } else { 0 }),
            products: PooledBuffer::exact(if normalizes { layout.gates_len() } else { 0 }),
            moments: PooledBuffer::exact(if normalizes { layout.rows * SAVED } else { 0 }),
        };
        Self { layout, buffers }
    }

    /// Whether these are states of a layer with this layout.
    pub(crate) fn fits(&self, layer: &KernelLayout) -> bool {
        let key = |layout: &KernelLayout| {
            let sizes = [layout.input_size, layout.hidden_size, layout.output_size];
            (layout.cell, layout.level, sizes)
        };
        key(&self.layout) == key(layer)
    }

    pub(crate) fn step(
        &mut self,
        weights: &ForwardWeights<T>,
        x: &[T],
        zoneout: Option<Zoneout<'_, T>>,
    ) {
        T::step(&self.layout, weights, x, zoneout, &mut self.buffers);
    }

    /// Returns B, the number of rows.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    /// Returns the hidden states, `[B, P]`.
    pub fn hidden(&self) -> &[T] {
        self.buffers.hidden.as_slice()
    }

    /// Copies the cell states `[B, H]` to a slice, for the LSTM.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for a slice of another size, [`Error::Unavailable`] for another cell.
    ///
    /// ```
    /// # use ragged_kernels::{CellKind, Direction, PackedShape, PreparedWeights, Weights};
    /// # let shape = PackedShape::new(0, &[], 1, 1, Direction::Forward)?;
    /// # let weights = Weights::new(&[0.5f32, 0.1, 1.0, 0.3], &[0.2, 0.4, 0.1, 0.6]);
    /// # let prepared = PreparedWeights::new(CellKind::Lstm, &shape, &weights)?;
    /// let state = prepared.state(2)?;
    /// let mut c = [1.0; 2];
    /// state.copy_cell_states(&mut c)?;
    /// assert_eq!(c, [0.0; 2]);
    /// # Ok::<(), ragged_kernels::Error>(())
    /// ```
    pub fn copy_cell_states(&self, to: &mut [T]) -> Result<()> {
        if !self.layout.cell.has_cell_state() {
            return Err(Error::Unavailable { name: "cell state" });
        }
        let h = self.layout.hidden_size;
        check_len("cell states", "B x H", to.len(), self.rows() * h)?;
        for (row, to) in to.chunks_exact_mut(h).enumerate() {
            for (vector, to) in to.chunks_mut(self.layout.lanes).enumerate() {
                let from = self.layout.state_at(vector, row);
                to.copy_from_slice(&self.buffers.carry.as_slice()[from..][..to.len()]);
            }
        }
        Ok(())
    }

    /// Sets the state of a row: `h` `[P]` and, for the LSTM, `c` `[H]`; `c` is empty for the other cells.
    ///
    /// # Errors
    ///
    /// [`Error::Row`] for a row that does not exist, [`Error::Length`] for a slice of another size,
    /// [`Error::UnexpectedArgument`] for a `c` that the cell does not have. The states are unchanged then.
    pub fn set_row(&mut self, row: usize, h: &[T], c: &[T]) -> Result<()> {
        let Self { layout, buffers } = self;
        if row >= layout.rows {
            return Err(Error::Row { rows: layout.rows, got: row });
        }
        let p = layout.output_size;
        check_len("h", "P", h.len(), p)?;
        match layout.cell.has_cell_state() {
            true => check_len("c", "H", c.len(), layout.hidden_size)?,
            false if c.is_empty() => {}
            false => return Err(Error::UnexpectedArgument { name: "c" }),
        }
        buffers.hidden.as_mut_slice()[row * p..][..p].copy_from_slice(h);
        if layout.cell.has_carry() {
            let carry = if layout.cell.has_cell_state() { c } else { h };
            for (vector, from) in carry.chunks(layout.lanes).enumerate() {
                let to = layout.state_at(vector, row);
                buffers.carry.as_mut_slice()[to..][..from.len()].copy_from_slice(from);
            }
        }
        Ok(())
    }
}
