//! One training step of the lecture's variable-length model, by hand.
//!
//! `cargo run -p ragged-models --example variable_length`
#![allow(clippy::print_stdout)]

use candle_core::{DType, Device, Tensor};
use candle_nn::{Optimizer, SGD, loss::mse};
use ragged_models::{Mode, Parameters, RecurrentConfig, Result, VariableLengthLstm};
use ragged_sequence::pack_sequence;
use ragged_sequence::random::Generator;
use rand::Rng;

fn main() -> Result<()> {
    let mut rng = Generator::seed(1);
    let parameters = Parameters::new(42);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
    println!("{} parameters", parameters.count());

    // Eight sequences of 1 to 50 steps; the target is the sum of all their numbers.
    let (mut sequences, mut sums) = (vec![], vec![]);
    for _ in 0..8 {
        let length = rng.random_range(1..=50);
        let values: Vec<f32> = (0..length * 7).map(|_| rng.random_range(-0.1..0.1)).collect();
        sums.push(values.iter().sum::<f32>());
        sequences.push(Tensor::from_vec(values, (length, 7), &Device::Cpu)?);
    }
    let packed = pack_sequence(&sequences, false)?;
    let target = Tensor::from_vec(sums, (8, 1), &Device::Cpu)?;

    let variables = parameters.named().into_iter().map(|(_, var)| var).collect();
    let mut optimizer = SGD::new(variables, 0.1)?;
    for step in 0..10 {
        let prediction = model.forward(&packed, Mode::Train(&mut rng))?;
        let loss = mse(&prediction, &target)?;
        optimizer.backward_step(&loss)?;
        println!("step {step}: loss {:.4}", loss.to_scalar::<f32>()?);
    }
    Ok(())
}
