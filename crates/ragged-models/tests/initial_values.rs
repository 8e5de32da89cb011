//! Initial values of the options that PyTorch does not have.

use candle_core::{DType, Device, Tensor};
use ragged_models::{LstmCell, Parameters, RecurrentConfig};

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
fn the_forget_bias_is_set_for_new_parameters_only() {
    let config = RecurrentConfig { forget_bias: Some(1.0), ..RecurrentConfig::new(3, 2) };
    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    LstmCell::new(&config, vb.clone()).unwrap();
    let bias = |name: &str| parameters.state_dict()[name].to_vec1::<f64>().unwrap();
    assert_eq!((&bias("bias_ih")[2..4], &bias("bias_hh")[2..4]), (&[1.0; 2][..], &[0.0; 2][..]));
    assert!(bias("bias_ih")[..2].iter().all(|v| *v != 1.0));
    let trained = Tensor::full(7.0, 8, &Device::Cpu).unwrap();
    parameters.named().iter().find(|(n, _)| n == "bias_ih").unwrap().1.set(&trained).unwrap();
    LstmCell::new(&config, vb).unwrap();
    assert_eq!(bias("bias_ih"), [7.0; 8]);
}
