//! The memory that a run takes, estimated before anything is allocated for the model.

use ragged_models::{LayerKind, ModelConfig, ParameterShapes};

use crate::config::experiment_config::ExperimentConfig;
use crate::error::{Error, Result};
use crate::run::available_memory::available_memory;
use crate::run::memory_estimate::MemoryEstimate;

/// The size of an element of the tensors of a run, which are `f32`.
const ELEMENT: u64 = 4;

/// Estimates the memory for batches of up to `rows` time steps in total.
pub(crate) fn estimate_memory(
    config: &ExperimentConfig,
    model: &ModelConfig,
    rows: usize,
) -> Result<MemoryEstimate> {
    let train = &config.train;
    let count = ParameterShapes::of(model)?.count() as u64;
    let rows = match (train.bptt_steps, train.batch_size) {
        (steps @ 1.., Some(batch_size)) => rows.min(steps.saturating_mul(batch_size)),
        _ => rows,
    };
    let states = (train.optimizer.slots().len() + usize::from(train.ema_decay > 0.0)) as u64;
    let bytes = |elements: u64| elements.saturating_mul(ELEMENT);
    Ok(MemoryEstimate {
        parameters: bytes(count),
        optimizer: bytes(count.saturating_mul(1 + states)),
        activations: bytes((rows as u64).saturating_mul(elements_per_row(model))),
        checkpoint: bytes(count.saturating_mul(1 + states)),
    })
}

/// Checks that there is so much memory, where the system says how much there is.
pub(crate) fn check_memory(estimate: MemoryEstimate) -> Result<()> {
    match available_memory() {
        Some(available) if available < estimate.total() => {
            Err(Error::Memory { estimate, available })
        }
        _ => Ok(()),
    }
}

/// Returns the number of elements that the layers keep for one time step: the tape of the kernels, the outputs,
/// and the gradients of both.
fn elements_per_row(model: &ModelConfig) -> u64 {
    let layer = &model.layer;
    let (hidden, output) = (layer.hidden_size as u64, layer.output_features() as u64);
    let (tape, gates) = match model.cell {
        LayerKind::Lstm => (5, 4),
        LayerKind::Gru => (5, 3),
        LayerKind::Rnn => (1, 1),
    };
    let directions = if layer.bidirectional { 2 } else { 1 };
    let per_layer = directions * (tape + gates) * hidden + 2 * output;
    layer.input_size as u64 + layer.num_layers as u64 * per_layer
}

#[cfg(test)]
mod tests {
    use ragged_datasets::TargetKind;
    use ragged_datasets::tokens::TokenEncoder;

    use super::*;

    #[test]
    fn the_parts_follow_from_the_configuration() {
        let text = "[model]\nhidden_size = 10\n[train]\nema_decay = 0.9\n";
        let config = ExperimentConfig::parse(text, &[]).unwrap();
        let model = config.model_config(7, &TokenEncoder::default(), &TargetKind::Values(1), 1);
        let estimate = estimate_memory(&config, &model, 100).unwrap();
        let count = 4 * 10 * (7 + 10 + 2) + 11;
        assert_eq!(estimate.parameters, 4 * count);
        // The gradients, two moments of Adam, and the average.
        assert_eq!(estimate.optimizer, 4 * 4 * count);
        assert_eq!(estimate.checkpoint, 4 * 4 * count);
        assert_eq!(estimate.activations, 4 * 100 * (7 + 9 * 10 + 2 * 10));
        assert!(check_memory(estimate).is_ok());
    }

    #[test]
    fn what_does_not_fit_is_an_error_with_figures() {
        let text = "[model]\nhidden_size = 16_384\nnum_layers = 64\n";
        let config = ExperimentConfig::parse(text, &[]).unwrap();
        let model = config.model_config(7, &TokenEncoder::default(), &TargetKind::Values(1), 1);
        let estimate = estimate_memory(&config, &model, 100).unwrap();
        let error = Error::Memory { estimate, available: 4_000_000_000 }.to_string();
        assert_eq!(
            error,
            "the training needs about 3.8 TB: parameters 545.5 GB, gradients and optimiser 1.6 TB, \
             activations of the largest batch 4.6 GB, a checkpoint 1.6 TB; 4.0 GB are available"
        );
    }
}
