//! Trains the variable-length model of the lecture with the trainer, without a configuration file.
//!
//! `cargo run --release -p ragged-train --example fit`
#![allow(clippy::print_stdout)]

use candle_core::{DType, Device};
use ragged_datasets::{
    DataLoader, LoaderConfig, Sampler, VariableLengthSums, VariableLengthSumsConfig,
};
use ragged_models::{Parameters, RecurrentConfig, VariableLengthLstm};
use ragged_train::fit::{EpochRecord, TrainState};
use ragged_train::{Criterion, Observer, Result, TrainConfig, Trainer};

/// Prints the metrics of every tenth epoch.
struct Print;

impl Observer for Print {
    fn epoch(&mut self, record: &EpochRecord, _: &TrainState) -> Result<()> {
        if record.epoch.is_multiple_of(10) {
            let (metric, value) = record.monitored().headline();
            println!(
                "epoch {:3}: loss {:8.3}, {metric} {value:.4}",
                record.epoch, record.train.loss
            );
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let sums = |seed, redraw| {
        VariableLengthSums::new(VariableLengthSumsConfig { seed, redraw, ..Default::default() })
    };
    let shuffled = LoaderConfig { sampler: Sampler::Shuffle { seed: 1 }, ..LoaderConfig::new(64) };
    let train = DataLoader::new(sums(1, true)?, shuffled)?;
    let valid = DataLoader::new(sums(2, false)?, LoaderConfig::new(256))?;

    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
    let train_config = TrainConfig { epochs: 100, ..Default::default() };
    let mut trainer = Trainer::new(&model, parameters.named(), &Criterion::Mse, train_config, 1)?;
    trainer.fit(&train, Some(&valid), &mut Print)?;
    Ok(())
}
