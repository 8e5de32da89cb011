//! What batches of a data set cost, for several ways to form them.

use std::io::Write;

use ragged_datasets::{BatchPlan, Batching, DataLoader, Dataset, LoaderConfig, OverLong, Sampler};

use crate::failure::Failure;

/// The number of batches whose sequences are sorted by length together.
const BUCKET_BATCHES: usize = 50;

/// How the sequences of the data set are ordered and cut into batches.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchOptions {
    pub(super) batch_size: usize,
    /// By default, the mean of batches of `batch_size` sequences.
    pub(super) max_tokens: Option<usize>,
    pub(super) seed: u64,
}

/// Prints one line per way to form batches: the number of batches, the time steps per batch, the
/// percentage of padding, and the time steps that the recurrence computes one after another.
pub(super) fn print(
    data: Box<dyn Dataset>,
    lengths: &[usize],
    options: BatchOptions,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let BatchOptions { batch_size, max_tokens, seed } = options;
    let mean_length = lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64;
    let mean_tokens = (mean_length * batch_size as f64).round().max(1.0) as usize;
    let max_tokens = max_tokens.unwrap_or(mean_tokens);
    let sequences = Batching::Sequences(batch_size);
    let tokens = Batching::Tokens { max_tokens, over_long: OverLong::Alone };
    let bucket_size = Some(BUCKET_BATCHES.saturating_mul(batch_size));
    writeln!(
        out,
        "  {:<32}{:>8}{:>17}{:>9}{:>14}",
        "", "batches", "steps per batch", "padding", "serial steps"
    )?;
    let data = std::sync::Arc::new(data);
    for (name, batching, bucket_size) in [
        (format!("{batch_size} sequences"), sequences, None),
        (format!("{batch_size} sequences, bucketed"), sequences, bucket_size),
        (format!("at most {max_tokens} steps"), tokens, None),
        (format!("at most {max_tokens} steps, bucketed"), tokens, bucket_size),
    ] {
        let sampler = Sampler::Shuffle { seed };
        let config =
            LoaderConfig { batching, bucket_size, sampler, ..LoaderConfig::new(batch_size) };
        let cost = Cost::of(&DataLoader::new(data.clone(), config)?.plan(0)?, lengths);
        let steps = format!("{} to {}", cost.min, cost.max);
        let padding = 100.0 * (cost.padded - cost.real) as f64 / cost.padded.max(1) as f64;
        writeln!(
            out,
            "  {name:<32}{:>8}{steps:>17}{padding:>7.1} %{:>14}",
            cost.batches, cost.serial
        )?;
    }
    Ok(())
}

/// The time steps of all batches of an epoch.
struct Cost {
    batches: usize,
    /// The steps of the smallest and of the largest batch, without padding.
    min: usize,
    max: usize,
    /// The steps of all batches, without padding.
    real: usize,
    /// The steps of all batches, with padding.
    padded: usize,
    /// The sum over the batches of the longest length: steps that depend on one another.
    serial: usize,
}

impl Cost {
    fn of(plan: &BatchPlan, lengths: &[usize]) -> Self {
        let mut cost =
            Self { batches: plan.len(), min: usize::MAX, max: 0, real: 0, padded: 0, serial: 0 };
        for batch in plan.iter() {
            let real: usize = batch.iter().map(|&index| lengths[index]).sum();
            let longest = batch.iter().map(|&index| lengths[index]).max().unwrap_or(0);
            cost.min = cost.min.min(real);
            cost.max = cost.max.max(real);
            cost.real += real;
            cost.padded += batch.len() * longest;
            cost.serial += longest;
        }
        cost
    }
}
