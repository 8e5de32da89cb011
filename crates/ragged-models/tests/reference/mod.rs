//! The judge: an LSTM made of ordinary candle operations, one sequence and one step at a time.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};
use candle_nn::ops::sigmoid;
use ragged_models::RecurrentConfig;

/// One sequence `[T, I]` from states `[L * D, H]`: outputs `[T, D * H]` and both final states.
pub(crate) fn lstm(
    config: &RecurrentConfig,
    parameters: &BTreeMap<String, Tensor>,
    sequence: &Tensor,
    h_0: &Tensor,
    c_0: &Tensor,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (mut h_n, mut c_n) = (vec![], vec![]);
    let mut input = sequence.clone();
    for layer in 0..config.num_layers {
        let mut outputs = vec![];
        for suffix in &["", "_reverse"][..config.directions()] {
            let parameter = |part: &str| parameters.get(&format!("{part}_l{layer}{suffix}"));
            let (mut h, mut c) = (h_0.get(h_n.len())?, c_0.get(h_n.len())?);
            let steps = input.dim(0)?;
            let mut rows = vec![None; steps];
            for k in 0..steps {
                let t = if suffix.is_empty() { k } else { steps - 1 - k };
                let product = |weight: &str, v: &Tensor| {
                    parameter(weight).unwrap().matmul(&v.unsqueeze(1)?)?.squeeze(1)
                };
                let mut gates =
                    (product("weight_ih", &input.get(t)?)? + product("weight_hh", &h)?)?;
                for bias in ["bias_ih", "bias_hh"].iter().filter_map(|name| parameter(name)) {
                    gates = (gates + bias)?;
                }
                let gates = gates.chunk(4, 0)?;
                let (i, f) = (sigmoid(&gates[0])?, sigmoid(&gates[1])?);
                let (g, o) = (gates[2].tanh()?, sigmoid(&gates[3])?);
                c = ((f * c)? + (i * g)?)?;
                h = (o * c.tanh()?)?;
                rows[t] = Some(h.clone());
            }
            let rows: Vec<Tensor> = rows.into_iter().flatten().collect();
            outputs.push(match rows.is_empty() {
                true => Tensor::zeros((0, config.hidden_size), input.dtype(), input.device())?,
                false => Tensor::stack(&rows, 0)?,
            });
            h_n.push(h);
            c_n.push(c);
        }
        input = Tensor::cat(&outputs, 1)?;
    }
    Ok((input, Tensor::stack(&h_n, 0)?, Tensor::stack(&c_n, 0)?))
}
