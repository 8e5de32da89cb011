//! The lecture's variable-length data in packed batches, and the padding that they save.
//!
//! `cargo run -p ragged-datasets --example batches`
#![allow(clippy::print_stdout)]

use ragged_datasets::{
    BatchSteps, DataLoader, LoaderConfig, Sampler, VariableLengthSums, VariableLengthSumsConfig,
};

fn main() -> ragged_datasets::Result<()> {
    let sums = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
    let config = LoaderConfig { sampler: Sampler::Shuffle { seed: 1 }, ..LoaderConfig::new(64) };
    let loader = DataLoader::new(sums, config)?;
    for (k, batch) in loader.epoch(0).enumerate() {
        let batch = batch?;
        if let BatchSteps::Packed(packed) = &batch.input.steps {
            let padded = batch.batch_size() * packed.layout().max_length();
            let percent = 100 * (padded - batch.real_steps()) / padded;
            println!(
                "batch {k:2}: {} sequences, {} steps, {percent} % less than {padded} padded",
                batch.batch_size(),
                batch.real_steps(),
            );
        }
    }
    Ok(())
}
