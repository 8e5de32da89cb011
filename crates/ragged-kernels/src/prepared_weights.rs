//! The weights of a trained layer and direction, packed once for many calls.

use crate::cell::kind::CellKind;
use crate::check::{check_forward_inputs, check_len, check_weights};
use crate::error::{Error, Result};
use crate::gemm::forward_weights::ForwardWeights;
use crate::layer::{Element, run_forward};
use crate::layout::kernel_layout::KernelLayout;
use crate::operands::{ForwardOptions, Input, Output, Weights};
use crate::results::OutputMemory;
use crate::shape::PackedShape;
use crate::simd::level::SimdLevel;
use crate::step_state::StepState;
use crate::threads::plan::team_size;
use crate::threads::team::Team;
use crate::zoneout::{Kept, Zoneout};

/// The weights of one layer and direction in the order in which the kernels read them.
///
/// [`infer`](crate::infer) packs the weights at each call, which costs more than a short sequence itself. This is
/// a packed copy: it does not change when the weights from which it was made do. It keeps the SIMD level at which it
/// was made, since the order depends on it.
///
/// ```
/// use ragged_kernels::{CellKind, Direction, PackedShape, PreparedWeights, Weights};
///
/// // One feature, one hidden unit.
/// let shape = PackedShape::new(0, &[], 1, 1, Direction::Forward)?;
/// let weights = Weights::new(&[0.5f32, 0.1, 1.0, 0.3], &[0.2, 0.4, 0.1, 0.6]);
/// let prepared = PreparedWeights::new(CellKind::Lstm, &shape, &weights)?;
///
/// // Two sequences, step by step.
/// let mut state = prepared.state(2)?;
/// prepared.step(&[1.0, -1.0], &mut state)?;
/// prepared.step(&[2.0, 0.0], &mut state)?;
/// assert_eq!(state.hidden().len(), 2);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PreparedWeights<T: Element> {
    /// The sizes, with no rows and no steps.
    layout: KernelLayout,
    weights: ForwardWeights<T>,
    /// The fractions of the previous states that each step keeps: the same for all units and steps.
    zoneout: Option<Zoneout<'static, T>>,
}

impl<T: Element> PreparedWeights<T> {
    /// Packs the weights. Of `shape`, the sizes of the layer and the SIMD level matter; the batch and the direction
    /// do not.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] names the first weight that does not fit `shape`, [`Error::UnexpectedArgument`] one that
    /// the cell does not have.
    pub fn new(cell: CellKind, shape: &PackedShape, weights: &Weights<T>) -> Result<Self> {
        check_weights(cell, shape, weights)?;
        let layout = KernelLayout::new::<T>(cell, shape, shape.simd()).with_single_step(0);
        let team = Team::new(1);
        let weights = T::pack_weights(&layout, weights, &team).trimmed();
        Ok(Self { layout, weights, zoneout: None })
    }

    /// Keeps these fractions of the previous states in each step, as at inference of a layer that was trained with
    /// zoneout: of the hidden state, and of the cell state of an LSTM, which other cells do not have.
    ///
    /// [`infer`](Self::infer) does so where its input has no zoneout of its own.
    ///
    /// # Errors
    ///
    /// [`Error::UnexpectedArgument`] for a fraction of a cell state that the cell does not have.
    ///
    /// ```
    /// # use ragged_kernels::{CellKind, Direction, PackedShape, PreparedWeights, Weights};
    /// # let shape = PackedShape::new(0, &[], 1, 1, Direction::Forward)?;
    /// # let weights = Weights::new(&[0.5f32, 0.1, 1.0, 0.3], &[0.2, 0.4, 0.1, 0.6]);
    /// let prepared = PreparedWeights::new(CellKind::Lstm, &shape, &weights)?;
    /// // All of the hidden state is kept, so the state stays zero.
    /// let prepared = prepared.with_zoneout(1.0, Some(0.5))?;
    /// let mut state = prepared.state(1)?;
    /// prepared.step(&[3.0], &mut state)?;
    /// assert_eq!(state.hidden(), [0.0]);
    /// # Ok::<(), ragged_kernels::Error>(())
    /// ```
    pub fn with_zoneout(self, hidden: T, cell: Option<T>) -> Result<Self> {
        if cell.is_some() && !self.layout.cell.has_cell_state() {
            return Err(Error::UnexpectedArgument { name: "zoneout of cell states" });
        }
        let (hidden, cell) = (Kept::All(hidden), cell.map(Kept::All));
        Ok(Self { zoneout: Some(Zoneout { hidden, cell }), ..self })
    }

    /// Runs the forward pass, with the results of [`infer`](crate::infer), bit for bit. The SIMD level is that of
    /// the prepared weights.
    ///
    /// # Errors
    ///
    /// [`Error::Prepared`] for a shape of another layer, [`Error::Length`] for the first slice that does not fit
    /// `shape`, [`Error::UnexpectedArgument`] for one that the cell does not have, [`Error::Unavailable`] for an
    /// output that it does not have.
    ///
    /// ```
    /// # use ragged_kernels::{CellKind, Direction, PackedShape, PreparedWeights, Weights};
    /// use ragged_kernels::{ForwardOptions, Input};
    ///
    /// // Two sequences of lengths 2 and 1, one feature, one hidden unit.
    /// let shape = PackedShape::new(2, &[2, 1], 1, 1, Direction::Forward)?;
    /// let weights = Weights::new(&[0.5f32, 0.1, 1.0], &[0.2, 0.4, 0.1]);
    /// let prepared = PreparedWeights::new(CellKind::Gru, &shape, &weights)?;
    /// let input = Input::new(&[1.0, -1.0, 2.0]);
    /// let result = prepared.infer(&shape, &input, ForwardOptions::default())?;
    /// assert_eq!(result.h_n, [result.output[2], result.output[1]]);
    /// # Ok::<(), ragged_kernels::Error>(())
    /// ```
    pub fn infer(
        &self,
        shape: &PackedShape,
        input: &Input<T>,
        options: ForwardOptions,
    ) -> Result<Output<T>> {
        let cell = self.layout.cell;
        for (name, expected, got) in [
            ("I", self.input_size(), shape.input_size()),
            ("H", self.hidden_size(), shape.hidden_size()),
            ("P", self.output_size(), shape.output_size()),
        ] {
            if expected != got {
                return Err(Error::Prepared { name, expected, got });
            }
        }
        check_forward_inputs(cell, shape, input, options)?;
        let layout = KernelLayout::new::<T>(cell, shape, self.layout.level);
        let team = Team::new(team_size(&layout));
        let mut output = OutputMemory::new(&layout, options);
        let input = Input { zoneout: input.zoneout.or(self.zoneout), ..*input };
        run_forward(&layout, &self.weights, &input, options, output.targets(), &team);
        // SAFETY: the pass has written to them.
        Ok(unsafe { output.assume_init() })
    }

    /// Returns states of zero for `rows` sequences (B), for [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// [`Error::Size`] for more rows than can be addressed.
    pub fn state(&self, rows: usize) -> Result<StepState<T>> {
        let KernelLayout { input_size, hidden_size, direction, .. } = self.layout;
        PackedShape::new(rows, &[], input_size, hidden_size, direction)?;
        Ok(StepState::new(self.layout.with_single_step(rows)))
    }

    /// Runs one step of every row of `state`: `x` is `[B, I]`.
    ///
    /// The states are, bit for bit, those of [`infer`](Self::infer) over the same steps. A step allocates nothing,
    /// takes no lock and uses the calling thread only.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for an `x` that is not `[B, I]`, [`Error::State`] for states of another layer. The states
    /// are unchanged then.
    pub fn step(&self, x: &[T], state: &mut StepState<T>) -> Result<()> {
        if !state.fits(&self.layout) {
            return Err(Error::State);
        }
        check_len("x", "B x I", x.len(), state.rows() * self.input_size())?;
        state.step(&self.weights, x, self.zoneout);
        Ok(())
    }

    /// Returns the cell.
    pub fn cell(&self) -> CellKind {
        self.layout.cell
    }

    /// Returns I, the number of input features.
    pub fn input_size(&self) -> usize {
        self.layout.input_size
    }

    /// Returns H, the number of hidden units.
    pub fn hidden_size(&self) -> usize {
        self.layout.hidden_size
    }

    /// Returns P, the size of a hidden state.
    pub fn output_size(&self) -> usize {
        self.layout.output_size
    }

    /// Returns the SIMD level at which the weights were packed.
    pub fn simd(&self) -> SimdLevel {
        self.layout.level
    }
}
