//! How the parameters of a layer and direction come to be, for all kinds of cells.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Init, VarBuilder};

use crate::recurrent_op::Parameters;
use crate::{RecurrentConfig, Result};

/// Takes `weight_ih`, `weight_hh` and both biases, with `gates` blocks of H rows each, and the
/// projection `weight_hr` from `vb`.
///
/// Fresh ones are drawn from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch, but for what the presets of
/// the configuration change. `forget_gate` says which block of the biases has its preset.
pub(crate) fn weights(
    config: &RecurrentConfig,
    gates: usize,
    forget_gate: Option<usize>,
    input_size: usize,
    suffix: &str,
    vb: &VarBuilder,
) -> Result<Parameters> {
    let (h, state) = (config.hidden_size, config.state_size());
    let bound = 1.0 / (h as f64).sqrt();
    let init = Init::Uniform { lo: -bound, up: bound };
    let name = |part: &str| format!("{part}{suffix}");
    let weight_ih = vb.get_with_hints((gates * h, input_size), &name("weight_ih"), init)?;
    let weight_hh = (gates * h, state);
    let weight_hh = if config.orthogonal {
        let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
        fresh(vb, weight_hh, &name("weight_hh"), normal, |values| {
            values.chunks_exact_mut(h * state).for_each(|gate| orthonormalize(gate, state));
        })?
    } else {
        vb.get_with_hints(weight_hh, &name("weight_hh"), init)?
    };
    let bias = |part: &str, preset: f64| -> Result<Tensor> {
        let name = name(part);
        match (config.forget_bias, forget_gate) {
            (Some(_), Some(gate)) => fresh(vb, gates * h, &name, init, |values| {
                values[gate * h..(gate + 1) * h].fill(preset);
            }),
            _ => Ok(vb.get_with_hints(gates * h, &name, init)?),
        }
    };
    let biases = match config.bias {
        // The two are added: the whole preset stands in the first.
        true => Some((bias("bias_ih", config.forget_bias.unwrap_or(0.0))?, bias("bias_hh", 0.0)?)),
        false => None,
    };
    let weight_hr = match config.proj_size {
        0 => None,
        p => Some(vb.get_with_hints((p, h), &name("weight_hr"), init)?),
    };
    Ok(Parameters { weight_ih, weight_hh, biases, weight_hr })
}

/// Takes a parameter from `vb`; where it has just been drawn, `change` may change its values.
fn fresh(
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
/// Gram and Schmidt's way, twice over for full accuracy. Of independent normal numbers it makes a
/// uniformly distributed orthogonal matrix (Stewart 1980).
fn orthonormalize(matrix: &mut [f64], columns: usize) {
    let rows = matrix.len() / columns;
    let dot = |matrix: &[f64], a: usize, b: usize| -> f64 {
        (0..rows).map(|r| matrix[r * columns + a] * matrix[r * columns + b]).sum()
    };
    for column in 0..columns {
        for _ in 0..2 {
            for before in 0..column {
                let share = dot(matrix, before, column);
                for r in 0..rows {
                    matrix[r * columns + column] -= share * matrix[r * columns + before];
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
    use crate::{Cell, LstmCell, Parameters};

    fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
        tensor.to_vec2().unwrap()
    }

    #[test]
    fn every_gate_starts_orthogonal() {
        let config = RecurrentConfig { orthogonal: true, ..RecurrentConfig::new(3, 5) };
        let parameters = Parameters::new(1);
        LstmCell::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
        let weights = rows(&parameters.state_dict()["weight_hh"]);
        for gate in weights.chunks(5) {
            for (a, row_a) in gate.iter().enumerate() {
                for (b, row_b) in gate.iter().enumerate() {
                    let dot: f64 = row_a.iter().zip(row_b).map(|(x, y)| x * y).sum();
                    assert!((dot - f64::from(a == b)).abs() < 1e-14, "{dot}");
                }
            }
        }
        assert_ne!(weights[..5], weights[5..10]);
    }

    #[test]
    fn the_forget_gate_starts_open_and_a_loaded_one_stays_as_it_is() {
        let config = RecurrentConfig { forget_bias: Some(1.0), ..RecurrentConfig::new(3, 2) };
        let parameters = Parameters::new(1);
        let vb = parameters.builder(DType::F64, &Device::Cpu);
        LstmCell::new(&config, vb.clone()).unwrap();
        let bias = |name: &str| parameters.state_dict()[name].to_vec1::<f64>().unwrap();
        assert_eq!(
            (&bias("bias_ih")[2..4], &bias("bias_hh")[2..4]),
            (&[1.0; 2][..], &[0.0; 2][..])
        );
        assert!(bias("bias_ih")[..2].iter().all(|v| *v != 1.0));
        let trained = Tensor::full(7.0, 8, &Device::Cpu).unwrap();
        parameters.named().iter().find(|(n, _)| n == "bias_ih").unwrap().1.set(&trained).unwrap();
        LstmCell::new(&config, vb).unwrap();
        assert_eq!(bias("bias_ih"), [7.0; 8]);
    }
}
