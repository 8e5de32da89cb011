//! The lecture's training loop for sequences of any lengths, with candle's own parameters (`VarMap`) and
//! optimiser, and without `ragged-train`.
//!
//! `cargo run -p ragged-models --example training_loop`
#![allow(clippy::print_stdout)]

use candle_core::{DType, Device, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap, loss::mse};
use ragged_models::random::Generator;
use ragged_models::{Mode, RecurrentConfig, Result, VariableLengthLstm};
use ragged_sequence::pack_sequence;

fn main() -> Result<()> {
    let varmap = VarMap::new();
    let vb = VarBuilder::from_varmap(&varmap, DType::F32, &Device::Cpu);
    let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
    let parameters = ParamsAdamW { lr: 0.01, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(varmap.all_vars(), parameters)?;

    // Sequences of 1 to 50 steps with 7 features. The target is the sum of a sequence.
    let lengths = (0..64).map(|k| 1 + (k * 37) % 50);
    let sequences = lengths.map(|length| Tensor::rand(-0.1f32, 0.1, (length, 7), &Device::Cpu));
    let sequences = sequences.collect::<candle_core::Result<Vec<_>>>()?;
    let targets = sequences.iter().map(|sequence| sequence.sum_all()?.reshape((1, 1)));
    let targets = targets.collect::<candle_core::Result<Vec<_>>>()?;

    let mut generator = Generator::seed(42);
    for epoch in 1..=20 {
        let mut sum = 0.0;
        for (sequences, targets) in sequences.chunks(8).zip(targets.chunks(8)) {
            let packed = pack_sequence(sequences, false)?;
            let prediction = model.forward(&packed, Mode::Train(&mut generator))?;
            let loss = mse(&prediction, &Tensor::cat(targets, 0)?)?;
            optimizer.backward_step(&loss)?;
            sum += loss.to_scalar::<f32>()?;
        }
        println!("epoch {epoch}: loss {:.4}", sum / 8.0);
    }
    Ok(())
}
