//! Small sets of training data: a batch size that suits them, and advice.

use ragged_datasets::Dataset;

use crate::config::experiment_config::ExperimentConfig;
use crate::run::datasets::Datasets;

/// The largest batch size by default.
const USUAL: usize = 64;
/// The number of updates per epoch below which learning is slow.
const FEWEST_UPDATES: usize = 10;

/// Adds the batch size to a configuration that leaves it open: 64, or the largest power of two that gives ten updates
/// per epoch.
pub(crate) fn resolve_batch_size(config: &mut ExperimentConfig, data: &Datasets) {
    if config.train.max_tokens.is_none() {
        config.train.batch_size.get_or_insert(suitable_batch_size(data.train.len()));
    }
}

fn suitable_batch_size(sequences: usize) -> usize {
    let most = (sequences / FEWEST_UPDATES).clamp(1, USUAL);
    1 << most.ilog2()
}

/// Returns one sentence of advice for a set of files, if there is any.
pub(crate) fn advice(config: &ExperimentConfig, data: &Datasets) -> Option<String> {
    if config.data.generates_held_out() || config.train.overfit_batches > 0 {
        return None;
    }
    let mut parts = vec![];
    let sequences = data.train.len();
    if let Some(size) = config.train.batch_size {
        let updates = sequences.div_ceil(size);
        let suitable = suitable_batch_size(sequences);
        if updates < FEWEST_UPDATES && suitable < size && config.train.bptt_steps == 0 {
            let times = if updates == 1 { "once" } else { &format!("{updates} times") };
            parts.push(format!(
                "an epoch of {sequences} sequences updates the weights only {times} (try train.batch_size = \
                 {suitable})"
            ));
        }
    }
    if !config.validates() {
        let what = match config.train.early_stopping {
            Some(_) => "early stopping watches the training data",
            None => "the last epoch is the one that is tested",
        };
        parts.push(format!("without validation data, {what} (try data.valid_fraction = 0.2)"));
    }
    (!parts.is_empty()).then(|| format!("advice: {}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sets_have_small_batches() {
        let sizes = [0, 1, 19, 32, 79, 80, 639, 640, 10_000].map(suitable_batch_size);
        assert_eq!(sizes, [1, 1, 1, 2, 4, 8, 32, 64, 64]);
    }
}
