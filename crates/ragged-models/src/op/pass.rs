//! How a cell runs over packed rows, and what the operation returns.

use candle_core::Tensor;
use ragged_kernels::Direction;
use ragged_sequence::PackedLayout;

use crate::op::prepared::PreparedCell;
use crate::op::zoneout::Zoneout;
use crate::recompute::Recompute;

/// How a cell runs over packed rows.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Cell, GruCell, Parameters, Pass, RecurrentConfig};
/// use ragged_sequence::PackedLayout;
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let cell = GruCell::new(&RecurrentConfig::new(3, 4), vb)?;
/// // Two sequences of lengths 1 and 3: four packed rows.
/// let layout = PackedLayout::from_lengths(&[1, 3]);
/// let rows = Tensor::ones((4, 3), DType::F32, &Device::Cpu)?;
/// let run = cell.run(&rows, None, &Pass::new(&layout))?;
/// assert_eq!(run.output.dims(), [4, 4]);
/// assert_eq!(run.state.dims(), [2, 4]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Pass<'a> {
    /// Which row belongs to which step of which sequence.
    pub layout: &'a PackedLayout,
    /// The direction in which the steps are visited. Default forward.
    pub direction: Direction,
    /// Whether gradients are recorded. Default false.
    pub record: bool,
    /// `[B, P]` in the caller's order: the factors by which the hidden state is multiplied before it
    /// enters the next step. Default none.
    pub recurrent_mask: Option<&'a Tensor>,
    /// How much of the previous states each step keeps. Default nothing.
    pub(crate) zoneout: Option<&'a Zoneout>,
    /// Packed weights that take the place of the cell's own, where no gradients are recorded. Default none.
    pub(crate) prepared: Option<&'a PreparedCell>,
    /// Whether the cell states of all steps are returned, for cells that have them. Default false.
    pub cell_states: bool,
    /// Whether the activations are computed once more in the backward pass. Default no.
    pub recompute: Option<Recompute>,
    /// Whether only the final states are needed: where activations are computed once more, `output` has no rows then.
    /// Default false.
    pub final_states_only: bool,
}

impl<'a> Pass<'a> {
    /// Returns a forward pass over rows of this layout, with the defaults of the fields.
    ///
    /// ```
    /// use ragged_models::{Direction, Pass};
    /// use ragged_sequence::PackedLayout;
    ///
    /// let layout = PackedLayout::from_lengths(&[1, 3]);
    /// let mut pass = Pass::new(&layout);
    /// pass.direction = Direction::Reverse;
    /// assert!(!pass.record);
    /// ```
    pub fn new(layout: &'a PackedLayout) -> Self {
        Self {
            layout,
            direction: Direction::Forward,
            record: false,
            recurrent_mask: None,
            zoneout: None,
            prepared: None,
            cell_states: false,
            recompute: None,
            final_states_only: false,
        }
    }
}

/// The outputs of the recurrent operation; states are in the caller's order.
pub(crate) struct OpOutput {
    /// `[N, P]`, packed; `[0, P]` if it is not needed.
    pub(crate) output: Tensor,
    /// `[B, P]`.
    pub(crate) h_n: Tensor,
    /// `[B, H]`, for an LSTM.
    pub(crate) c_n: Option<Tensor>,
    /// `[N, H]`, packed, for an LSTM if the pass asked for them.
    pub(crate) cell_states: Option<Tensor>,
}
