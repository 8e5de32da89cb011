//! What batches of a data set would cost, by each way to make them.

use ragged_datasets::{BatchPlan, Batching, DataLoader, Dataset, LoaderConfig, OverLong, Sampler};

use crate::failure::Failure;

/// Batches' worth of sequences that are sorted together.
const BUCKET: usize = 50;

/// A line for each way: how many batches, how many real steps each has, what padding would add, and
/// how many steps in a row the recurrence takes.
pub(super) fn print(
    data: Box<dyn Dataset>,
    lengths: &[usize],
    batch_size: usize,
    max_tokens: Option<usize>,
    seed: u64,
) -> Result<(), Failure> {
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64;
    let usual = (mean * batch_size as f64).round().max(1.0) as usize;
    let max_tokens = max_tokens.unwrap_or(usual);
    let sequences = Batching::Sequences(batch_size);
    let tokens = Batching::Tokens { max_tokens, over_long: OverLong::Alone };
    let bucket_size = Some(BUCKET.saturating_mul(batch_size));
    println!(
        "  {:<34}{:>8}{:>16}{:>10}{:>18}",
        "", "batches", "steps a batch", "padding", "steps in a row"
    );
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
        let steps = format!("{} to {}", cost.least, cost.most);
        let padding = 100.0 * (cost.padded - cost.real) as f64 / cost.padded.max(1) as f64;
        println!("  {name:<34}{:>8}{steps:>16}{padding:>8.1} %{:>18}", cost.batches, cost.in_a_row);
    }
    Ok(())
}

struct Cost {
    batches: usize,
    /// Real steps of the smallest batch and the largest.
    least: usize,
    most: usize,
    real: usize,
    /// Steps of all rectangles.
    padded: usize,
    /// The sum of the longest lengths: what no batch can do at once.
    in_a_row: usize,
}

impl Cost {
    fn of(plan: &BatchPlan, lengths: &[usize]) -> Self {
        let mut cost = Self {
            batches: plan.len(),
            least: usize::MAX,
            most: 0,
            real: 0,
            padded: 0,
            in_a_row: 0,
        };
        for batch in plan.iter() {
            let real: usize = batch.iter().map(|&index| lengths[index]).sum();
            let longest = batch.iter().map(|&index| lengths[index]).max().unwrap_or(0);
            cost.least = cost.least.min(real);
            cost.most = cost.most.max(real);
            cost.real += real;
            cost.padded += batch.len() * longest;
            cost.in_a_row += longest;
        }
        cost
    }
}
