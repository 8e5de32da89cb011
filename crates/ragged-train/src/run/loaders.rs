//! The loaders of a run: its examples in the order and in the batches of the configuration.

use ragged_datasets::{Collate, DataLoader, Dataset, LoaderConfig, SampleWeights, Sampler, Strata};
use ragged_models::{ModelConfig, ModelKind};

use crate::config::experiment_config::ExperimentConfig;
use crate::config::sections::Order;
use crate::error::Result;
use crate::run::datasets::{AnyDataset, Datasets};

/// Returns the training examples in batches.
pub(crate) fn train_loader(
    config: &ExperimentConfig,
    data: &Datasets,
    model: &ModelConfig,
) -> Result<DataLoader<AnyDataset>> {
    let seed = config.seed;
    let overfit = config.train.overfit_batches > 0;
    let train = &data.train;
    let sampler = match config.data.order {
        _ if overfit => Sampler::Sequential,
        Order::Shuffle => Sampler::Shuffle { seed },
        Order::Blocks => {
            let (block, buffer) = (config.data.block_size, config.data.block_buffer);
            Sampler::Blocks { block, buffer, seed }
        }
        Order::Balanced => Sampler::Weighted { weights: SampleWeights::balanced(train)?, seed },
        Order::Stratified => Sampler::Stratified { strata: Strata::of(train)?, seed },
    };
    let bucket = config.data.bucket_size;
    let bucket_size = (bucket > 0 && !overfit).then_some(bucket);
    let config = LoaderConfig { bucket_size, ..loader_config(config, model, sampler) };
    Ok(DataLoader::new(train.clone(), config)?)
}

pub(crate) fn loader_config(
    config: &ExperimentConfig,
    model: &ModelConfig,
    sampler: Sampler,
) -> LoaderConfig {
    let collate = match model.kind {
        ModelKind::Fixed => Collate::Padded,
        ModelKind::Variable => Collate::Packed,
    };
    let (batching, workers) = (config.train.batching(), config.data.workers);
    LoaderConfig { batching, sampler, collate, workers, ..LoaderConfig::new(1) }
}

/// The sizes of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BatchSizes {
    /// N, its time steps in total.
    pub(crate) rows: usize,
    /// T, those of its longest sequence.
    pub(crate) steps: usize,
    /// B.
    pub(crate) sequences: usize,
}

/// Returns the sizes of the largest batch of the first epoch.
pub(crate) fn largest_batch(
    config: &ExperimentConfig,
    data: &Datasets,
    model: &ModelConfig,
) -> Result<BatchSizes> {
    let mut largest = BatchSizes::default();
    for batch in train_loader(config, data, model)?.plan(0)?.iter() {
        let lengths = batch.iter().map(|&index| data.train.length(0, index));
        let lengths = lengths.collect::<ragged_datasets::Result<Vec<usize>>>()?;
        let rows = lengths.iter().sum();
        if rows > largest.rows {
            let steps = lengths.iter().copied().max().unwrap_or(0);
            largest = BatchSizes { rows, steps, sequences: lengths.len() };
        }
    }
    Ok(largest)
}
