//! The parameters of one layer and direction, and their initial values, for all kinds of cells.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Init, VarBuilder};

use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::op::parameters::{CellParameters, LayerNormParameters};

/// Takes `weight_ih`, `weight_hh` and both biases, with `gates` blocks of H rows each, the
/// projection `weight_hr`, the peepholes and the parameters of layer normalisation from `vb`.
///
/// New parameters are drawn from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch, except where the options
/// `orthogonal` and `forget_bias` say otherwise. With layer normalisation, its weights start at one and all biases at
/// zero. `forget_gate` is the index of the forget gate's
/// block, for cells that have one.
pub(crate) fn init(
    config: &RecurrentConfig,
    gates: usize,
    forget_gate: Option<usize>,
    input_size: usize,
    suffix: &str,
    vb: &VarBuilder,
) -> Result<CellParameters> {
    let (h, p) = (config.hidden_size, config.output_size());
    let bound = 1.0 / (h as f64).sqrt();
    let uniform = Init::Uniform { lo: -bound, up: bound };
    let name = |part: &str| format!("{part}{suffix}");
    let weight_ih = vb.get_with_hints((gates * h, input_size), &name("weight_ih"), uniform)?;
    let weight_hh = (gates * h, p);
    let weight_hh = if config.orthogonal {
        let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
        get_or_modify_new(vb, weight_hh, &name("weight_hh"), normal, |values| {
            values.chunks_exact_mut(h * p).for_each(|gate| orthonormalize(gate, p));
        })?
    } else {
        vb.get_with_hints(weight_hh, &name("weight_hh"), uniform)?
    };
    let initial_bias = if config.layer_norm { Init::Const(0.0) } else { uniform };
    let bias = |part: &str, preset: f64| -> Result<Tensor> {
        let name = name(part);
        match (config.forget_bias, forget_gate) {
            (Some(_), Some(gate)) => {
                get_or_modify_new(vb, gates * h, &name, initial_bias, |values| {
                    values[gate * h..(gate + 1) * h].fill(preset);
                })
            }
            _ => Ok(vb.get_with_hints(gates * h, &name, initial_bias)?),
        }
    };
    let biases = match config.bias {
        // The cell adds the two, so the first gets the whole value.
        true => Some((bias("bias_ih", config.forget_bias.unwrap_or(0.0))?, bias("bias_hh", 0.0)?)),
        false => None,
    };
    let weight_hr = match config.proj_size {
        Some(p) => Some(vb.get_with_hints((p, h), &name("weight_hr"), uniform)?),
        None => None,
    };
    let peephole = |part: &str| vb.get_with_hints(h, &name(part), uniform);
    let peepholes = match config.peepholes {
        true => Some([peephole("weight_ci")?, peephole("weight_cf")?, peephole("weight_co")?]),
        false => None,
    };
    let norm = |part: &str, size: usize, value: f64| {
        vb.get_with_hints(size, &name(part), Init::Const(value))
    };
    let layer_norm = match config.layer_norm {
        true => Some(LayerNormParameters {
            sides: [norm("ln_ih_weight", gates * h, 1.0)?, norm("ln_hh_weight", gates * h, 1.0)?],
            // Only an LSTM has a forget gate, and a cell state.
            cell: match forget_gate {
                Some(_) => Some([norm("ln_c_weight", h, 1.0)?, norm("ln_c_bias", h, 0.0)?]),
                None => None,
            },
        }),
        false => None,
    };
    Ok(CellParameters { weight_ih, weight_hh, biases, weight_hr, peepholes, layer_norm })
}

/// Takes a parameter from `vb`. If it is new, `change` modifies its values.
fn get_or_modify_new(
    vb: &VarBuilder,
    shape: impl Into<candle_core::Shape>,
    name: &str,
    init: Init,
    change: impl FnOnce(&mut [f64]),
) -> Result<Tensor> {
    let known = vb.contains_tensor(name);
    let tensor = vb.get_with_hints(shape, name, init)?;
    if !known && tensor.is_variable() {
        let mut values = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        change(&mut values);
        let values = Tensor::from_vec(values, tensor.shape(), &Device::Cpu)?;
        let values = values.to_dtype(tensor.dtype())?.to_device(tensor.device())?;
        Var::from_tensor(&tensor)?.set(&values)?;
    }
    Ok(tensor)
}

/// Makes the columns of a row-major matrix, at least as tall as wide, orthonormal.
///
/// The Gram-Schmidt process, applied twice for full accuracy. It turns a matrix of independent
/// normal values into a uniformly distributed orthogonal matrix (Stewart 1980).
fn orthonormalize(matrix: &mut [f64], columns: usize) {
    let rows = matrix.len() / columns;
    let dot = |matrix: &[f64], a: usize, b: usize| -> f64 {
        (0..rows).map(|r| matrix[r * columns + a] * matrix[r * columns + b]).sum()
    };
    for column in 0..columns {
        for _ in 0..2 {
            for before in 0..column {
                let projection = dot(matrix, before, column);
                for r in 0..rows {
                    matrix[r * columns + column] -= projection * matrix[r * columns + before];
                }
            }
        }
        let norm = dot(matrix, column, column).sqrt();
        (0..rows).for_each(|r| matrix[r * columns + column] /= norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_orthonormal() {
        let mut matrix: Vec<f64> = (0..15).map(|k| ((k * 7 + 3) % 11) as f64).collect();
        orthonormalize(&mut matrix, 3);
        for (a, b) in (0..3).flat_map(|a| (0..3).map(move |b| (a, b))) {
            let dot: f64 = (0..5).map(|r| matrix[r * 3 + a] * matrix[r * 3 + b]).sum();
            assert!((dot - f64::from(a == b)).abs() < 1e-14, "columns {a} and {b}: {dot}");
        }
    }
}
