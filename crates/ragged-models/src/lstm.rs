//! The LSTM layer: PyTorch's options, names, gate order and initialisation over packed rows.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use ragged_kernels::Direction;
use ragged_sequence::{PackedLayout, PackedSequence};
use serde::{Deserialize, Serialize};

use crate::dropout::dropout;
use crate::lstm_op::{self, Outcome, States, Weights};
use crate::{Error, Mode, Result};

/// The options of an [`Lstm`], with PyTorch's names and defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmConfig {
    /// I, the features of a time step; at least 1.
    pub input_size: usize,
    /// H, the hidden units of a layer and direction; at least 1.
    pub hidden_size: usize,
    /// L, the stacked layers; at least 1. Default 1.
    #[serde(default = "one")]
    pub num_layers: usize,
    /// Whether the gates have biases. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether a second direction runs from each sequence's end. Default false.
    #[serde(default)]
    pub bidirectional: bool,
    /// The probability, from 0 to 1, of zeroing an output of a layer on its way into the next.
    /// Default 0.
    #[serde(default)]
    pub dropout: f64,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl LstmConfig {
    /// One layer in one direction, with biases.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        let (num_layers, bias, bidirectional, dropout) = (1, true, false, 0.0);
        Self { input_size, hidden_size, num_layers, bias, bidirectional, dropout }
    }

    /// D, 2 where bidirectional and 1 where not.
    pub fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// The features of an output row: D x H.
    pub fn output_size(&self) -> usize {
        self.directions() * self.hidden_size
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        let sizes = [
            ("input_size", self.input_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
        ];
        for (name, got) in sizes {
            check(name, got, got >= 1, "at least 1")?;
        }
        let fits = self.hidden_size <= usize::MAX / 16 / self.input_size.max(self.hidden_size);
        check("hidden_size", self.hidden_size, fits, "a size that fits in memory")?;
        check("dropout", self.dropout, (0.0..=1.0).contains(&self.dropout), "0 to 1")
    }
}

fn check(name: &'static str, got: impl ToString, ok: bool, expected: &str) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::Config { name, expected: expected.into(), got: got.to_string() })
}

/// The state of all layers and directions between two time steps, in the caller's batch order.
#[derive(Debug, Clone)]
pub struct LstmState {
    /// The hidden states, `[L * D, B, H]` (unbatched `[L * D, H]`).
    pub h: Tensor,
    /// The cell states, of the same shape.
    pub c: Tensor,
}

impl LstmState {
    fn map(&self, f: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<Self> {
        Ok(Self { h: f(&self.h)?, c: f(&self.c)? })
    }
}

/// A long short-term memory layer, the counterpart of `torch.nn.LSTM` with `batch_first`.
///
/// Parameters are `weight_ih_l{k}` `[4H, I]`, `weight_hh_l{k}` `[4H, H]`, `bias_ih_l{k}` and
/// `bias_hh_l{k}` `[4H]`, with `_reverse` for the second direction: a PyTorch state dict loads as it
/// is. Fresh ones are drawn from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch.
///
/// Padded, packed and unbatched input run through the same kernels over packed rows; equal lengths
/// are the case of constant batch sizes.
pub struct Lstm {
    config: LstmConfig,
    /// Layer by layer, the forward direction before the reverse one.
    weights: Vec<Weights>,
}

impl Lstm {
    /// Takes the parameters from `vb`, which creates or loads them.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], and candle's where `vb` does not have the parameters.
    pub fn new(config: &LstmConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let h = config.hidden_size;
        let bound = 1.0 / (h as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let mut weights = vec![];
        for layer in 0..config.num_layers {
            let i = if layer == 0 { config.input_size } else { config.output_size() };
            for suffix in &["", "_reverse"][..config.directions()] {
                let name = |part: &str| format!("{part}_l{layer}{suffix}");
                let biases = if config.bias {
                    let ih = vb.get_with_hints(4 * h, &name("bias_ih"), init)?;
                    Some((ih, vb.get_with_hints(4 * h, &name("bias_hh"), init)?))
                } else {
                    None
                };
                weights.push(Weights {
                    weight_ih: vb.get_with_hints((4 * h, i), &name("weight_ih"), init)?,
                    weight_hh: vb.get_with_hints((4 * h, h), &name("weight_hh"), init)?,
                    biases,
                });
            }
        }
        Ok(Self { config: config.clone(), weights })
    }

    /// The options it was built with.
    pub fn config(&self) -> &LstmConfig {
        &self.config
    }

    /// Runs a padded batch `[B, T, I]` whose sequences all have T steps, or one sequence `[T, I]`.
    ///
    /// Returns the outputs of the last layer `[B, T, D * H]` (`[T, D * H]`) and the state behind the
    /// last step. `state` is the state before the first step, zero where `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] names the argument whose shape, dtype or device does not fit.
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&LstmState>,
        mode: Mode,
    ) -> Result<(Tensor, LstmState)> {
        if input.rank() == 2 {
            let state = state.map(|state| state.map(|t| t.unsqueeze(1))).transpose()?;
            let (output, state) = self.forward(&input.unsqueeze(0)?, state.as_ref(), mode)?;
            return Ok((output.squeeze(0)?, state.map(|t| t.squeeze(1))?));
        }
        let &[batch, steps, _] = input.dims() else {
            return Err(self.wrong_input("[B, T, I] or [T, I]", input));
        };
        let (rows, layout) = packed_rows(input)?;
        let run = self.run(&rows, &layout, state, mode)?;
        let output = run.rows()?.reshape((steps, batch, self.config.output_size()))?;
        Ok((output.transpose(0, 1)?, run.state()?))
    }

    /// Runs a packed batch: the real steps of sequences of any lengths, and nothing else.
    ///
    /// Returns the packed outputs of the last layer and, in the caller's order, the state behind
    /// each sequence's own last step; a sequence of length zero keeps the state it came with.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] names the argument whose shape, dtype or device does not fit.
    pub fn forward_packed(
        &self,
        input: &PackedSequence,
        state: Option<&LstmState>,
        mode: Mode,
    ) -> Result<(PackedSequence, LstmState)> {
        let run = self.run(input.data(), input.layout(), state, mode)?;
        let output = PackedSequence::from_layout(run.rows()?, input.layout().clone())?;
        Ok((output, run.state()?))
    }

    /// The last hidden states of the last layer, `[B, D * H]`: those of
    /// [`forward_packed`](Self::forward_packed), without what is not asked for.
    pub(crate) fn last_hidden(&self, input: &PackedSequence, mode: Mode) -> Result<Tensor> {
        let run = self.run(input.data(), input.layout(), None, mode)?;
        beside(run.last_layer().iter().map(|outcome| outcome.h_n.clone()).collect())
    }

    /// The output of the last time step, `[B, D * H]`, of a padded batch `[B, T, I]` with T of at
    /// least 1: that of [`forward`](Self::forward), without what is not asked for.
    pub(crate) fn last_output(&self, input: &Tensor, mode: Mode) -> Result<Tensor> {
        let (rows, layout) = packed_rows(input)?;
        let run = self.run(&rows, &layout, None, mode)?;
        let (n, b) = (layout.rows(), layout.batch_size());
        let last = |(direction, outcome): (usize, &Outcome)| match direction {
            // The forward direction ends here, the other begins.
            0 => Ok(outcome.h_n.clone()),
            _ => outcome.output.narrow(0, n - b, b),
        };
        beside(run.last_layer().iter().enumerate().map(last).collect::<candle_core::Result<_>>()?)
    }

    /// Runs all layers and directions over packed rows.
    fn run(
        &self,
        rows: &Tensor,
        layout: &PackedLayout,
        state: Option<&LstmState>,
        mut mode: Mode,
    ) -> Result<Run> {
        self.check_rows(rows)?;
        self.check_state(layout.batch_size(), state)?;
        let directions = &[Direction::Forward, Direction::Reverse][..self.config.directions()];
        let mut run = Run { outcomes: vec![], directions: directions.len() };
        let mut rows = rows.clone();
        for (layer, weights) in self.weights.chunks(directions.len()).enumerate() {
            if layer > 0 {
                rows = run.rows()?;
                if let Mode::Train(rng) = &mut mode {
                    rows = dropout(&rows, self.config.dropout, *rng)?;
                }
            }
            for (weights, &direction) in weights.iter().zip(directions) {
                let k = run.outcomes.len();
                let part = |state: &LstmState| {
                    Ok::<_, candle_core::Error>(States { h: state.h.get(k)?, c: state.c.get(k)? })
                };
                let state = state.map(part).transpose()?;
                let (state, record) = (state.as_ref(), mode.is_train());
                let outcome = lstm_op::lstm(&rows, layout, weights, state, direction, record)?;
                run.outcomes.push(outcome);
            }
        }
        Ok(run)
    }

    /// Runs one time step `[B, I]`, for sequences that arrive while they grow.
    ///
    /// Returns the output `[B, H]` and the state for the next step. Stepping through a sequence
    /// gives what [`forward`](Self::forward) gives for the whole.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a bidirectional layer, whose second direction begins at the end;
    /// [`Error::Input`] as in `forward`.
    pub fn step(
        &self,
        input: &Tensor,
        state: Option<&LstmState>,
        mode: Mode,
    ) -> Result<(Tensor, LstmState)> {
        check("bidirectional", true, !self.config.bidirectional, "false, to run step by step")?;
        if input.rank() != 2 {
            return Err(self.wrong_input("[B, I]", input));
        }
        let (output, state) = self.forward(&input.unsqueeze(1)?, state, mode)?;
        Ok((output.squeeze(1)?, state))
    }

    /// Checks rows `[N, I]` against the first layer's parameters.
    fn check_rows(&self, rows: &Tensor) -> Result<()> {
        let weight = &self.weights[0].weight_ih;
        if rows.rank() != 2 || rows.dims()[1] != self.config.input_size {
            return Err(self.wrong_input("[.., I] of packed rank 2", rows));
        }
        same_kind("input", rows, weight)
    }

    fn wrong_input(&self, shape: &str, got: &Tensor) -> Error {
        Error::Input {
            name: "input",
            expected: format!("a tensor {shape} with I = {}", self.config.input_size),
            got: format!("shape {:?}", got.dims()),
        }
    }

    /// Checks a state of all layers and directions against the batch and the parameters.
    fn check_state(&self, batch: usize, state: Option<&LstmState>) -> Result<()> {
        let Some(state) = state else { return Ok(()) };
        let dims = [self.weights.len(), batch, self.config.hidden_size];
        for (name, tensor) in [("h_0", &state.h), ("c_0", &state.c)] {
            if tensor.dims() != dims {
                let expected = format!("shape {dims:?}");
                let got = format!("shape {:?}", tensor.dims());
                return Err(Error::Input { name, expected, got });
            }
            same_kind(name, tensor, &self.weights[0].weight_ih)?;
        }
        Ok(())
    }
}

/// What all layers and directions returned, of which a caller takes what it needs.
struct Run {
    /// Layer by layer, the forward direction before the reverse one.
    outcomes: Vec<Outcome>,
    directions: usize,
}

impl Run {
    fn last_layer(&self) -> &[Outcome] {
        &self.outcomes[self.outcomes.len() - self.directions..]
    }

    /// The packed rows of the last layer, `[N, D * H]`.
    fn rows(&self) -> Result<Tensor> {
        beside(self.last_layer().iter().map(|outcome| outcome.output.clone()).collect())
    }

    /// The final states of all layers and directions.
    fn state(&self) -> Result<LstmState> {
        let stack = |part: fn(&Outcome) -> &Tensor| {
            Tensor::stack(&self.outcomes.iter().map(part).collect::<Vec<_>>(), 0)
        };
        Ok(LstmState { h: stack(|outcome| &outcome.h_n)?, c: stack(|outcome| &outcome.c_n)? })
    }
}

/// The directions of a layer side by side.
fn beside(directions: Vec<Tensor>) -> Result<Tensor> {
    match <[Tensor; 1]>::try_from(directions) {
        Ok([one]) => Ok(one),
        Err(both) => Ok(Tensor::cat(&both, 1)?),
    }
}

/// A padded batch `[B, T, I]` as packed rows: time step by time step.
fn packed_rows(input: &Tensor) -> Result<(Tensor, PackedLayout)> {
    let (batch, steps, _) = input.dims3()?;
    let rows = input.transpose(0, 1)?.contiguous()?.flatten(0, 1)?;
    Ok((rows, PackedLayout::from_lengths(&vec![steps; batch])))
}

/// Checks a tensor's dtype and device against the parameters'.
fn same_kind(name: &'static str, tensor: &Tensor, parameter: &Tensor) -> Result<()> {
    if tensor.dtype() != parameter.dtype() {
        let dtype = |t: &Tensor| format!("dtype {}", t.dtype().as_str());
        return Err(Error::Input { name, expected: dtype(parameter), got: dtype(tensor) });
    }
    if !tensor.device().same_device(parameter.device()) {
        let device = |t: &Tensor| format!("device {:?}", t.device().location());
        return Err(Error::Input { name, expected: device(parameter), got: device(tensor) });
    }
    Ok(())
}
