//! The kinds of recurrent layers, and a layer whose kind is chosen at run time.

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_sequence::PackedSequence;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::cell::gru::GruCell;
use crate::cell::lstm::LstmCell;
use crate::cell::rnn::RnnCell;
use crate::cell::state::{LstmState, State};
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::layer::outputs::{LayerOutputs, NeededOutputs};
use crate::layer::recurrent::Recurrent;
use crate::layer::step_states::StepStates;
use crate::mode::Mode;
use crate::recompute::Recompute;

/// A long short-term memory layer: the counterpart of `torch.nn.LSTM` with `batch_first=True`.
///
/// The rows of its parameters are the gates i, f, g, o, as in PyTorch.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Lstm, Mode, Parameters, RecurrentConfig};
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let config = RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(7, 15) };
/// let lstm = Lstm::new(&config, vb)?;
/// let input = Tensor::ones((8, 20, 7), DType::F32, &Device::Cpu)?;
/// let (output, state) = lstm.forward(&input, None, Mode::Inference)?;
/// assert_eq!(output.dims(), [8, 20, 15]);
/// assert_eq!(state.h.dims(), [2, 8, 15]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
pub type Lstm = Recurrent<LstmCell>;

/// A layer of gated recurrent units: the counterpart of `torch.nn.GRU` with `batch_first=True`.
///
/// The rows of its parameters are the gates r, z, n, as in PyTorch, and the reset gate is applied
/// after the product: `n = tanh(W_in x + b_in + r (W_hn h + b_hn))`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Gru, Mode, Parameters, RecurrentConfig};
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let gru = Gru::new(&RecurrentConfig::new(7, 15), vb)?;
/// let input = Tensor::ones((8, 20, 7), DType::F32, &Device::Cpu)?;
/// let (output, h_n) = gru.forward(&input, None, Mode::Inference)?;
/// assert_eq!((output.dims(), h_n.dims()), (&[8, 20, 15][..], &[1, 8, 15][..]));
/// # Ok::<(), ragged_models::Error>(())
/// ```
pub type Gru = Recurrent<GruCell>;

/// An Elman network: the counterpart of `torch.nn.RNN` with `batch_first=True`.
///
/// A step is `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or the same with `max(0, ..)` instead of
/// tanh.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Mode, Nonlinearity, Parameters, RecurrentConfig, Rnn};
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let relu = RecurrentConfig { nonlinearity: Nonlinearity::Relu, ..RecurrentConfig::new(7, 15) };
/// let rnn = Rnn::new(&relu, vb)?;
/// let input = Tensor::ones((8, 20, 7), DType::F32, &Device::Cpu)?;
/// assert_eq!(rnn.forward(&input, None, Mode::Inference)?.0.dims(), [8, 20, 15]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
pub type Rnn = Recurrent<RnnCell>;

/// The kind of a recurrent layer.
///
/// ```
/// # use ragged_models::LayerKind;
/// assert_eq!(LayerKind::default(), LayerKind::Lstm);
/// assert_eq!(LayerKind::Gru.name(), "gru");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// [`Lstm`].
    #[default]
    Lstm,
    /// [`Gru`].
    Gru,
    /// [`Rnn`], with the non-linearity that its configuration names.
    Rnn,
}

impl LayerKind {
    /// Returns the prefix of the parameters of such a layer in a [`Model`](crate::Model): `lstm`,
    /// `gru` or `rnn`.
    ///
    /// ```
    /// # use ragged_models::LayerKind;
    /// assert_eq!(LayerKind::Lstm.name(), "lstm");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Lstm => LstmCell::NAME,
            Self::Gru => GruCell::NAME,
            Self::Rnn => RnnCell::NAME,
        }
    }
}

/// A [`Recurrent`] layer of any kind; its state is a list of tensors, the hidden state first.
pub(crate) trait Layer: fmt::Debug + Send + Sync {
    /// Returns the state before the first step of `batch` sequences.
    fn initial_state(&self, batch: usize) -> Result<Vec<Tensor>>;

    /// Returns the same layer, with the same parameters, whose activations are computed once more.
    fn with_recompute(&self, recompute: Option<Recompute>) -> Arc<dyn Layer>;

    /// Returns a copy for inference, with the parameters as they are now.
    fn prepare(&self) -> Result<Arc<dyn Layer>>;

    /// Returns the states of some rows, for single steps of a prepared layer.
    fn step_states(&self, state: Vec<Tensor>) -> Result<Box<dyn StepStates>>;

    /// Checks the input `[B, I]` of one step of B rows.
    fn check_step(&self, input: &Tensor, rows: usize) -> Result<()>;

    /// Runs over a packed batch, for the outputs that are needed.
    fn run(
        &self,
        input: &PackedSequence,
        state: Option<Vec<Tensor>>,
        mode: Mode,
        needed: NeededOutputs,
    ) -> Result<LayerOutputs<Vec<Tensor>>>;
}

impl<C: Cell + Send + Sync + 'static> Layer for Recurrent<C>
where
    C::State: Send + Sync + 'static,
{
    fn with_recompute(&self, recompute: Option<Recompute>) -> Arc<dyn Layer> {
        Arc::new(Recurrent::with_recompute(self.clone(), recompute))
    }

    fn prepare(&self) -> Result<Arc<dyn Layer>> {
        Ok(Arc::new(Recurrent::prepare(self)?))
    }

    fn step_states(&self, state: Vec<Tensor>) -> Result<Box<dyn StepStates>> {
        Recurrent::step_states(self, &C::State::from_parts(state))
    }

    fn check_step(&self, input: &Tensor, rows: usize) -> Result<()> {
        Recurrent::check_step(self, input, rows)
    }

    fn initial_state(&self, batch: usize) -> Result<Vec<Tensor>> {
        Ok(Recurrent::initial_state(self, batch)?.parts().into_iter().cloned().collect())
    }

    fn run(
        &self,
        input: &PackedSequence,
        state: Option<Vec<Tensor>>,
        mode: Mode,
        needed: NeededOutputs,
    ) -> Result<LayerOutputs<Vec<Tensor>>> {
        let state = state.map(C::State::from_parts);
        Ok(Recurrent::run(self, input, state.as_ref(), mode, needed)?.erase_state())
    }
}

/// Builds a layer of the given kind.
pub(crate) fn layer(
    kind: LayerKind,
    config: &RecurrentConfig,
    vb: VarBuilder,
) -> Result<Arc<dyn Layer>> {
    let vb = vb.pp(kind.name());
    Ok(match kind {
        LayerKind::Lstm => Arc::new(Lstm::new(config, vb)?),
        LayerKind::Gru => Arc::new(Gru::new(config, vb)?),
        LayerKind::Rnn => Arc::new(Rnn::new(config, vb)?),
    })
}

impl Lstm {
    /// Runs a packed batch like [`forward_packed`](Self::forward_packed), and also returns the cell
    /// states of all steps: `[N, H]` for each layer and direction, forward before reverse.
    ///
    /// # Errors
    ///
    /// The errors of `forward_packed`.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use ragged_models::{Lstm, Mode, Parameters, RecurrentConfig};
    /// use ragged_sequence::pack_sequence;
    ///
    /// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let sequence = |length| Tensor::ones((length, 3), DType::F32, &Device::Cpu);
    /// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
    /// let (_, _, cells) = lstm.forward_packed_with_cells(&packed, None, Mode::Inference)?;
    /// assert_eq!(cells[0].data().dims(), [7, 4]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward_packed_with_cells(
        &self,
        input: &PackedSequence,
        state: Option<&LstmState>,
        mode: Mode,
    ) -> Result<(PackedSequence, LstmState, Vec<PackedSequence>)> {
        let needed = NeededOutputs { rows: true, cell_states: true };
        let outputs = self.run(input, state, mode, needed)?;
        let cells = outputs.cells.iter().filter_map(|cell| cell.cell_states.clone());
        let cells = cells.map(|rows| PackedSequence::from_layout(rows, input.layout().clone()));
        let cells = cells.collect::<ragged_sequence::Result<_>>()?;
        Ok((outputs.output()?, outputs.state()?, cells))
    }
}
