//! Accumulated gradients of several batches equal those of one large batch, for any lengths and any
//! split.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use ragged_datasets::{Batch, BatchSteps, Collate, Example, Sequence, Target};
use ragged_models::{Model, ModelConfig, ModelKind, Parameters, Readout, RecurrentConfig};
use ragged_sequence::random::Generator;
use ragged_train::fit::{GradientAccumulator, Position, StepOptions};
use ragged_train::{Criterion, Optimizer, OptimizerConfig};

const AT: Position = Position { epoch: 0, batch: 0 };

/// Returns sequence `index` with a target of the kind that the loss and the readout need.
fn example(index: usize, length: usize, loss: &Criterion, per_step: bool) -> Example {
    let wave = |k: usize| ((index * 31 + k * 7) as f32 * 0.7).sin();
    let sequence = Sequence::new((0..length * 2).map(wave).collect(), 2).unwrap();
    let target = match (loss.is_for_classes(), per_step) {
        (false, false) => Target::Values(vec![wave(3), wave(5)]),
        (true, false) => Target::Class(index as u32 % 2),
        (false, true) => {
            let values = (0..length * 2).map(|k| wave(k + 9)).collect();
            Target::StepValues(Sequence::new(values, 2).unwrap())
        }
        (true, true) => Target::StepClasses((0..length).map(|k| (index + k) as u32 % 2).collect()),
    };
    Example::new(sequence, target)
}

fn batch(indices: &[usize], lengths: &[usize], loss: &Criterion, per_step: bool) -> Batch {
    let examples: Vec<_> =
        indices.iter().map(|&i| (i, example(i, lengths[i], loss, per_step))).collect();
    let batch = Collate::Packed.collate(&examples, &Device::Cpu).unwrap();
    let BatchSteps::Packed(packed) = &batch.input.steps else { panic!("packed") };
    let input = BatchSteps::Packed(packed.to_dtype(DType::F64).unwrap());
    let target = batch.target.clone();
    Batch { input: input.into(), target, ..batch }
}

/// Returns the parameters, the loss and the gradient norm after one update from these batches.
fn after(
    batches: &[Batch],
    loss: &Criterion,
    per_step: bool,
) -> (BTreeMap<String, Tensor>, f64, f64) {
    let parameters = Parameters::new(3);
    let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(2, 4), 2);
    let readout = if per_step { Readout::Steps } else { Readout::Final };
    let config = ModelConfig { readout, ..config };
    let model = Model::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let mut optimizer = Optimizer::new(OptimizerConfig::sgd(), parameters.named()).unwrap();
    let mut sum = GradientAccumulator::default();
    for batch in batches {
        let rng = &mut Generator::seed(0);
        sum.add(&model, batch, loss, &optimizer, AT, rng).unwrap();
    }
    let mean = sum.loss();
    let options = StepOptions { clip_grad_norm: Some(0.3), ..StepOptions::new(0.5) };
    let norm = sum.update(&mut optimizer, options, AT).unwrap();
    (parameters.state_dict(), mean, norm)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn micro_batches_equal_one_large_batch(
        lengths in prop::collection::vec(1..12usize, 2..12),
        cuts in prop::collection::vec(1..4usize, 12),
        per_step: bool,
        classes: bool,
    ) {
        // The mean of cross-entropy with class weights divides by the sum of the weights.
        let weighted = Criterion::CrossEntropy { weight: vec![1.0, 7.0], label_smoothing: 0.1 };
        let loss = &if classes { weighted } else { Criterion::Mse };
        let all: Vec<usize> = (0..lengths.len()).collect();
        let (want, want_loss, want_norm) = after(&[batch(&all, &lengths, loss, per_step)], loss, per_step);
        let (mut rest, mut batches) = (all.as_slice(), vec![]);
        for cut in cuts {
            let (part, remaining) = rest.split_at(cut.min(rest.len()));
            if !part.is_empty() {
                batches.push(batch(part, &lengths, loss, per_step));
            }
            rest = remaining;
        }
        if !rest.is_empty() {
            batches.push(batch(rest, &lengths, loss, per_step));
        }
        let (got, got_loss, got_norm) = after(&batches, loss, per_step);
        prop_assert!((got_loss - want_loss).abs() < 1e-12, "loss {} and {}", got_loss, want_loss);
        prop_assert!((got_norm - want_norm).abs() < 1e-12, "norm {} and {}", got_norm, want_norm);
        for (name, want) in want {
            let far = (&got[&name] - want).unwrap().abs().unwrap().max_all().unwrap();
            let far: f64 = far.to_scalar().unwrap();
            prop_assert!(far < 1e-12, "{} differs by {}", name, far);
        }
    }
}
