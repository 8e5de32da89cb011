//! The LSTM layer: PyTorch's options, names, gate order and initialisation over packed rows.

use candle_core::{Device, Tensor};
use candle_nn::{Init, VarBuilder};
use ragged_kernels::Direction;
use ragged_sequence::{PackedLayout, PackedSequence};
use serde::{Deserialize, Serialize};

use crate::dropout::dropout;
use crate::lstm_op::{self, Weights};
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
        let rows = input.transpose(0, 1)?.contiguous()?.flatten(0, 1)?;
        let layout = PackedLayout::from_lengths(&vec![steps; batch]);
        let packed = PackedSequence::from_layout(rows, layout)?;
        let (output, state) = self.forward_packed(&packed, state, mode)?;
        let output = output.data().reshape((steps, batch, self.config.output_size()))?;
        Ok((output.transpose(0, 1)?, state))
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
        mut mode: Mode,
    ) -> Result<(PackedSequence, LstmState)> {
        let layout = input.layout();
        self.check_rows(input.data())?;
        let state = self.sorted_state(layout, state)?;
        let directions = &[Direction::Forward, Direction::Reverse][..self.config.directions()];
        let mut rows = input.data().clone();
        let (mut h_n, mut c_n) = (vec![], vec![]);
        for (layer, weights) in self.weights.chunks(directions.len()).enumerate() {
            if let (1.., Mode::Train(rng)) = (layer, &mut mode) {
                rows = dropout(&rows, self.config.dropout, *rng)?;
            }
            let mut outputs = vec![];
            for (weights, &direction) in weights.iter().zip(directions) {
                let (x, state) = (&rows, &state[h_n.len()]);
                let outcome = lstm_op::lstm(x, layout, weights, state, direction, mode.is_train())?;
                outputs.push(outcome.output);
                h_n.push(outcome.h_n);
                c_n.push(outcome.c_n);
            }
            rows = match outputs.as_slice() {
                [output] => output.clone(),
                both => Tensor::cat(both, 1)?,
            };
        }
        let order = layout.unsorted_indices();
        let state = LstmState {
            h: reorder(&Tensor::stack(&h_n, 0)?, order)?,
            c: reorder(&Tensor::stack(&c_n, 0)?, order)?,
        };
        Ok((PackedSequence::from_layout(rows, layout.clone())?, state))
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

    /// The state of each layer and direction as `[2, B, H]`, in sorted order.
    fn sorted_state(
        &self,
        layout: &PackedLayout,
        state: Option<&LstmState>,
    ) -> Result<Vec<Tensor>> {
        let (count, b, h) = (self.weights.len(), layout.batch_size(), self.config.hidden_size);
        let weight = &self.weights[0].weight_ih;
        let Some(state) = state else {
            let zeros = Tensor::zeros((2, b, h), weight.dtype(), weight.device())?;
            return Ok(vec![zeros; count]);
        };
        for (name, tensor) in [("h_0", &state.h), ("c_0", &state.c)] {
            if tensor.dims() != [count, b, h] {
                let expected = format!("shape {:?}", [count, b, h]);
                let got = format!("shape {:?}", tensor.dims());
                return Err(Error::Input { name, expected, got });
            }
            same_kind(name, tensor, weight)?;
        }
        let order = layout.sorted_indices();
        let (hidden, cell) = (reorder(&state.h, order)?, reorder(&state.c, order)?);
        (0..count).map(|k| Ok(Tensor::stack(&[hidden.get(k)?, cell.get(k)?], 0)?)).collect()
    }
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

/// The sequences of a state `[L * D, B, H]` in another order.
fn reorder(state: &Tensor, order: &[usize]) -> Result<Tensor> {
    if order.iter().enumerate().all(|(place, &index)| place == index) {
        return Ok(state.clone());
    }
    let order: Vec<i64> = order.iter().map(|&index| index as i64).collect();
    let order = Tensor::from_vec(order, state.dim(1)?, &Device::Cpu)?.to_device(state.device())?;
    Ok(state.contiguous()?.index_select(&order, 1)?)
}
