//! The memory that a run takes, estimated before anything is allocated for the model.

use ragged_models::{LayerKind, ModelConfig, ParameterShapes, Readout, Recompute};

use crate::config::experiment_config::ExperimentConfig;
use crate::error::{Error, Result};
use crate::run::available_memory::available_memory;
use crate::run::loaders::BatchSizes;
use crate::run::memory_estimate::MemoryEstimate;

/// The size of an element of the tensors of a run, which are `f32`.
const ELEMENT: u64 = 4;

/// Estimates the memory for batches of up to these sizes.
pub(crate) fn estimate_memory(
    config: &ExperimentConfig,
    model: &ModelConfig,
    batch: BatchSizes,
) -> Result<MemoryEstimate> {
    let train = &config.train;
    let count = ParameterShapes::of(model)?.count() as u64;
    let batch = match (train.bptt_steps, train.batch_size) {
        (steps @ 1.., Some(batch_size)) => BatchSizes {
            rows: batch.rows.min(steps.saturating_mul(batch_size)),
            steps: batch.steps.min(steps),
            sequences: batch_size,
        },
        _ => batch,
    };
    let states = (train.optimizer.slots().len() + usize::from(train.ema_decay > 0.0)) as u64;
    let bytes = |elements: u64| elements.saturating_mul(ELEMENT);
    Ok(MemoryEstimate {
        parameters: bytes(count),
        optimizer: bytes(count.saturating_mul(1 + states)),
        activations: bytes(activations(model, batch, train.recompute)),
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

/// Returns the number of elements that the layers keep for a batch: the tapes of the kernels, the outputs, and the
/// gradients of both.
fn activations(model: &ModelConfig, batch: BatchSizes, recompute: Option<Recompute>) -> u64 {
    let layer = &model.layer;
    let (hidden, output) = (layer.hidden_size as u64, layer.output_features() as u64);
    let (tape, gates) = match model.cell {
        LayerKind::Lstm => (5, 4),
        LayerKind::Gru => (5, 3),
        LayerKind::Rnn => (1, 1),
    };
    let BatchSizes { rows, steps, sequences } = batch;
    let tape_bytes = (rows as u64).saturating_mul(tape * hidden).saturating_mul(ELEMENT);
    let tape_bytes = usize::try_from(tape_bytes).unwrap_or(usize::MAX);
    let segment = recompute.and_then(|recompute| recompute.segment_steps(steps, rows, tape_bytes));
    let num_layers = layer.num_layers as u64;
    let cells = num_layers * if layer.bidirectional { 2 } else { 1 };
    let times = |rows: usize, elements: u64| (rows as u64).saturating_mul(elements);
    let (recurrence, with_outputs) = match segment {
        None => (times(rows, cells * (tape + gates) * hidden), num_layers),
        Some(segment) => {
            // One segment of one layer and direction at a time, and the states between the segments of all.
            let of_segment = rows.min(segment.get().saturating_mul(sequences));
            let kept = times(rows.div_ceil(segment.get()), cells * 2 * hidden);
            let final_states = model.readout == Readout::Final
                || (model.readout == Readout::Last && !layer.bidirectional);
            let with_outputs = num_layers - u64::from(final_states);
            (times(of_segment, (tape + gates) * hidden).saturating_add(kept), with_outputs)
        }
    };
    let around = times(rows, layer.input_size as u64 + with_outputs * 2 * output);
    recurrence.saturating_add(around)
}

#[cfg(test)]
mod tests {
    use ragged_datasets::TargetKind;
    use ragged_datasets::tokens::TokenEncoder;

    use super::*;

    /// Two sequences.
    const ROWS: BatchSizes = BatchSizes { rows: 100, steps: 60, sequences: 2 };

    /// The tape of a long sequence is that of one segment, and of its outputs nothing is kept.
    #[test]
    fn what_is_computed_once_more_takes_little() {
        let text =
            "[model]\nhidden_size = 256\nreadout = \"final\"\n[train]\nrecompute = \"auto\"\n";
        let config = ExperimentConfig::parse(text, &[]).unwrap();
        let model = config.model_config(7, &TokenEncoder::default(), &TargetKind::Values(1), 1);
        let batch = |steps| BatchSizes { rows: steps, steps, sequences: 1 };
        let of = |steps| estimate_memory(&config, &model, batch(steps)).unwrap().activations;
        assert_eq!(of(1_000_000), 4 * (1_000_000 * 7 + 1000 * 9 * 256 + 1000 * 2 * 256));
        // Of a short sequence, all is kept.
        assert_eq!(of(1000), 4 * 1000 * (7 + 9 * 256 + 2 * 256));
    }

    #[test]
    fn the_parts_follow_from_the_configuration() {
        let text = "[model]\nhidden_size = 10\n[train]\nema_decay = 0.9\n";
        let config = ExperimentConfig::parse(text, &[]).unwrap();
        let model = config.model_config(7, &TokenEncoder::default(), &TargetKind::Values(1), 1);
        let estimate = estimate_memory(&config, &model, ROWS).unwrap();
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
        let estimate = estimate_memory(&config, &model, ROWS).unwrap();
        let error = Error::Memory { estimate, available: 4_000_000_000 }.to_string();
        assert_eq!(
            error,
            "the training needs about 3.8 TB: parameters 545.5 GB, gradients and optimiser 1.6 TB, \
             activations of the largest batch 4.6 GB, a checkpoint 1.6 TB; 4.0 GB are available"
        );
    }
}
