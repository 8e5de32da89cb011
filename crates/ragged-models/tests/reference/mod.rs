//! The reference: recurrent layers of ordinary candle operations, one sequence and one step at a time.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};
use candle_nn::ops::sigmoid;
use ragged_models::{LayerKind, Merge, Nonlinearity, RecurrentConfig};

/// A layer with its parameters.
pub(crate) struct Reference<'a> {
    pub(crate) kind: LayerKind,
    pub(crate) config: &'a RecurrentConfig,
    pub(crate) parameters: &'a BTreeMap<String, Tensor>,
}

/// The results for one sequence.
pub(crate) struct ReferenceOutput {
    /// `[T, output_features]`.
    pub(crate) output: Tensor,
    /// The final states, `[L * D, ..]`, the hidden state before the cell state.
    pub(crate) states: Vec<Tensor>,
    /// The cell states of all steps, `[T, H]` for each layer and direction of an LSTM.
    pub(crate) cells: Vec<Tensor>,
}

impl Reference<'_> {
    /// Runs one sequence `[T, I]` from states `[L * D, ..]`. The hidden state is multiplied by `masks`
    /// `[L * D, P]` before it enters the next step.
    pub(crate) fn run(
        &self,
        sequence: &Tensor,
        states: &[Tensor],
        masks: Option<&Tensor>,
    ) -> Result<ReferenceOutput> {
        let (mut finals, mut cells) = (vec![vec![]; states.len()], vec![]);
        let mut input = sequence.clone();
        for layer in 0..self.config.num_layers {
            let mut outputs = vec![];
            for direction in &["", "_reverse"][..self.config.num_directions()] {
                let at = finals[0].len();
                let mask = masks.map(|masks| masks.get(at)).transpose()?;
                let mut state: Vec<_> =
                    states.iter().map(|state| state.get(at)).collect::<Result<_>>()?;
                let steps = input.dim(0)?;
                let (mut rows, mut row_cells) = (vec![None; steps], vec![None; steps]);
                for k in 0..steps {
                    let t = if direction.is_empty() { k } else { steps - 1 - k };
                    let suffix = format!("_l{layer}{direction}");
                    self.step(&suffix, &input.get(t)?, &mut state, mask.as_ref())?;
                    rows[t] = Some(state[0].clone());
                    row_cells[t] = state.get(1).cloned();
                }
                let (size, hidden_size) = (self.config.output_size(), self.config.hidden_size);
                outputs.push(stack(rows, size, &input)?);
                cells.push(stack(row_cells, hidden_size, &input)?);
                finals.iter_mut().zip(state).for_each(|(all, state)| all.push(state));
            }
            input = match (outputs.as_slice(), self.config.merge) {
                ([one], _) => one.clone(),
                (both, Merge::Concat) => Tensor::cat(both, 1)?,
                (both, Merge::Sum) => (&both[0] + &both[1])?,
                (both, Merge::Mean) => ((&both[0] + &both[1])? / 2.0)?,
            };
        }
        let states = finals.iter().map(|all| Tensor::stack(all, 0)).collect::<Result<_>>()?;
        Ok(ReferenceOutput { output: input, states, cells })
    }

    fn step(
        &self,
        suffix: &str,
        x: &Tensor,
        state: &mut [Tensor],
        mask: Option<&Tensor>,
    ) -> Result<()> {
        let parameter = |part: &str| self.parameters.get(&format!("{part}{suffix}"));
        let product = |weight: &str, v: &Tensor| {
            parameter(weight).unwrap().matmul(&v.unsqueeze(1)?)?.squeeze(1)
        };
        let plus = |sum: Tensor, bias: &str| match parameter(bias) {
            Some(bias) => sum + bias,
            None => Ok(sum),
        };
        let masked = match mask {
            Some(mask) => (&state[0] * mask)?,
            None => state[0].clone(),
        };
        let of_x = plus(product("weight_ih", x)?, "bias_ih")?;
        let of_h = plus(product("weight_hh", &masked)?, "bias_hh")?;
        let before = state.to_vec();
        match self.kind {
            LayerKind::Lstm => {
                let gates = (of_x + of_h)?.chunk(4, 0)?;
                // What the gate sees of a cell state.
                let seen = |gate: &Tensor, weight: &str, c: &Tensor| match parameter(weight) {
                    Some(weight) => gate + (weight * c)?,
                    None => Ok(gate.clone()),
                };
                let i = sigmoid(&seen(&gates[0], "weight_ci", &state[1])?)?;
                let f = sigmoid(&seen(&gates[1], "weight_cf", &state[1])?)?;
                state[1] = ((f * &state[1])? + (i * gates[2].tanh()?)?)?;
                let o = sigmoid(&seen(&gates[3], "weight_co", &state[1])?)?;
                state[0] = (o * state[1].tanh()?)?;
                if self.config.proj_size.is_some() {
                    state[0] = product("weight_hr", &state[0])?;
                }
            }
            LayerKind::Gru => {
                let (x, h) = (of_x.chunk(3, 0)?, of_h.chunk(3, 0)?);
                let (r, z) = (sigmoid(&(&x[0] + &h[0])?)?, sigmoid(&(&x[1] + &h[1])?)?);
                let n = match self.config.reset_after {
                    true => (&x[2] + (r * &h[2])?)?.tanh()?,
                    false => {
                        let reset = product("weight_hh", &(r * masked)?)?;
                        (&x[2] + plus(reset, "bias_hh")?.chunk(3, 0)?[2].clone())?.tanh()?
                    }
                };
                state[0] = (&n + (z * (&state[0] - &n)?)?)?;
            }
            LayerKind::Rnn => {
                let sum = (of_x + of_h)?;
                state[0] = match self.config.nonlinearity {
                    Nonlinearity::Tanh => sum.tanh()?,
                    Nonlinearity::Relu => sum.relu()?,
                };
            }
        }
        // The expectation of zoneout, as outside of training.
        let kept = [self.config.zoneout_hidden, self.config.zoneout_cell];
        for ((state, before), kept) in state.iter_mut().zip(before).zip(kept) {
            *state = ((&*state * (1.0 - kept))? + (before * kept)?)?;
        }
        Ok(())
    }
}

/// Stacks rows to a matrix, which may have no rows.
fn stack(rows: Vec<Option<Tensor>>, size: usize, like: &Tensor) -> Result<Tensor> {
    let rows: Vec<Tensor> = rows.into_iter().flatten().collect();
    match rows.is_empty() {
        true => Tensor::zeros((0, size), like.dtype(), like.device()),
        false => Tensor::stack(&rows, 0),
    }
}
