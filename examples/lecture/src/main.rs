//! The lecture's training loop: an LSTM learns the sums of sequences of 1 to 50 steps.
use candle_core::{DType, Device};
use candle_nn::{AdamW, Optimizer, VarBuilder, VarMap, loss::mse};
use ragged_datasets::{BatchSteps, DataLoader, LoaderConfig};
use ragged_datasets::{VariableLengthSums, VariableLengthSumsConfig};
use ragged_models::{Mode, RecurrentConfig, VariableLengthLstm, random::Generator};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let varmap = VarMap::new();
    let vb = VarBuilder::from_varmap(&varmap, DType::F32, &Device::Cpu);
    let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
    let mut optimizer = AdamW::new_lr(varmap.all_vars(), 0.01)?;

    // 1000 sequences with 7 features, generated anew in each epoch, in batches of 64.
    let config = VariableLengthSumsConfig { redraw: true, ..Default::default() };
    let loader = DataLoader::new(VariableLengthSums::new(config)?, LoaderConfig::new(64))?;
    let mut generator = Generator::seed(1);
    let (mut first, mut last) = (f32::NAN, f32::NAN);
    for epoch in 0..50 {
        last = 0.0;
        for batch in loader.epoch(epoch) {
            let batch = batch?;
            let BatchSteps::Packed(input) = &batch.input.steps else { continue };
            let prediction = model.forward(input, Mode::Train(&mut generator))?;
            let loss = mse(&prediction, &batch.target)?;
            optimizer.backward_step(&loss)?;
            last += loss.to_scalar::<f32>()? / loader.len() as f32;
        }
        if epoch == 0 {
            first = last;
        }
        println!("epoch {epoch:2}: loss {last:.2}");
    }
    if last < first / 10.0 { Ok(()) } else { Err("the loss did not fall to a tenth".into()) }
}
