//! The loss of several heads: compared with PyTorch, with each of its losses alone, and with one large batch.
//!
//! The fixture comes from `validation/generate_fixtures.py`.

use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;
use ragged_datasets::transforms::Standardize;
use ragged_datasets::{Batch, BatchSteps, Collate, Example, Sequence, Target};
use ragged_datasets::{PartKind, TargetPart};
use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
use ragged_sequence::random::Generator;
use ragged_train::fit::{GradientAccumulator, Position, StepOptions};
use ragged_train::objective::{HeadLoss, Loss, Monitor, MultiTaskLoss, Objective, Targets};
use ragged_train::{Criterion, Optimizer, OptimizerConfig};
use serde_json::Value;

fn part(name: &str, classes: usize) -> TargetPart {
    let labels: Vec<String> = (0..classes).map(|k| format!("c{k}")).collect();
    let kind = if classes == 0 { PartKind::Values } else { PartKind::Classes(labels) };
    TargetPart { name: name.into(), kind }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn matrix(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn tensor(rows: &[Vec<f64>]) -> Tensor {
    Tensor::from_vec(rows.concat(), (rows.len(), rows[0].len()), &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn close(what: &str, got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{what}: {got} against {want}");
}

#[test]
fn values_and_gradients_equal_pytorchs() {
    let path = format!("{}/tests/fixtures/heads.json", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(cases.len(), 1);
    let case = &cases[0];
    let heads = case["heads"].as_array().unwrap();
    let (mut parts, mut losses, mut scales, mut columns) = (vec![], vec![], vec![], vec![]);
    for (k, head) in heads.iter().enumerate() {
        let loss: Criterion = serde_json::from_value(head["loss"].clone()).unwrap();
        let classes = if loss.is_for_classes() { head["outputs"].as_u64().unwrap() } else { 0 };
        parts.push(part(&format!("h{k}"), classes as usize));
        losses.push(HeadLoss { loss, weight: head["weight"].as_f64().unwrap() });
        let number = |key: &str| head["scale"][key].as_f64().map(|value| vec![value]);
        let scale = number("mean").zip(number("std"));
        scales.push(scale.map(|(mean, std)| Standardize { mean, std }));
        columns.push(numbers(&head["target"]));
    }
    let rows = columns[0].len();
    let target: Vec<Vec<f64>> =
        (0..rows).map(|row| columns.iter().map(|column| column[row]).collect()).collect();
    let (target, loss) =
        (tensor(&target), MultiTaskLoss::new(&parts, false, &losses, scales).unwrap());
    let targets = Targets::new(&target);
    let prediction = Var::from_tensor(&tensor(&matrix(&case["prediction"]))).unwrap();
    let value = loss.value(&prediction, &targets).unwrap();
    close("total", value.to_scalar().unwrap(), case["value"].as_f64().unwrap());
    let gradient = value.backward().unwrap().get(&prediction).unwrap().clone();
    for (got, want) in flat(&gradient).iter().zip(matrix(&case["gradient"]).concat()) {
        close("gradient", *got, want);
    }
    // Each mean by itself, also that of the head of weight 0.
    let mut sum = loss.metrics();
    loss.measure(f64::NAN, &prediction, &targets, &mut sum).unwrap();
    let metrics = sum.finish();
    close("loss", metrics.loss, case["value"].as_f64().unwrap());
    for (k, head) in heads.iter().enumerate() {
        let mean = metrics.get(&format!("h{k}.loss")).unwrap();
        close(&format!("h{k}"), mean, head["mean"].as_f64().unwrap());
    }
    assert_eq!(metrics.headlines()[0].0, "h0.accuracy");
    // The scale is that of the data.
    let speed = &loss.heads()[1];
    let (mean, std) = (numbers_of(&speed.objective).mean[0], numbers_of(&speed.objective).std[0]);
    let errors: Vec<f64> = (0..rows)
        .filter(|row| !columns[1][*row].is_nan())
        .map(|row| {
            let output = matrix(&case["prediction"])[row][speed.outputs.start];
            (f64::from((output as f32 * std as f32) + mean as f32) - columns[1][row]).abs()
        })
        .collect();
    let mae = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!((metrics.get("h1.mae").unwrap() - mae).abs() < 1e-4);
}

fn numbers_of(objective: &Objective) -> &Standardize {
    objective.outputs().scale.as_ref().unwrap()
}

/// The losses that a value may have here; 0 is cross-entropy.
fn criterion(which: usize) -> Criterion {
    match which {
        0 => Criterion::CrossEntropy { weight: vec![0.5, 2.0, 1.25], label_smoothing: 0.1 },
        1 => Criterion::Mse,
        2 => Criterion::Huber { delta: 0.7 },
        3 => Criterion::Gaussian,
        _ => Criterion::Quantile { quantiles: vec![0.1, 0.5, 0.9] },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The bits of the value, the gradient, the weight and the metrics, in 32 and 64 bits.
    #[test]
    fn one_head_of_weight_1_is_its_loss_alone(
        which in 0usize..5,
        draws in prop::collection::vec((-3.0f64..3.0, 0usize..6), 1..12),
        scaled: bool,
        single: bool,
    ) {
        let loss = criterion(which);
        let part = part("only", if which == 0 { 3 } else { 0 });
        let scale = (scaled && which > 0)
            .then(|| Standardize { mean: vec![0.7], std: vec![2.5] });
        let width = if which == 0 { 3 } else { loss.outputs_per_value() };
        let dtype = if single { DType::F32 } else { DType::F64 };
        let values: Vec<f64> = draws
            .iter()
            .map(|(y, missing)| match (*missing, which) {
                (0, _) => f64::NAN,
                (_, 0) => (y.abs()).floor().min(2.0),
                _ => f64::from(*y as f32),
            })
            .collect();
        let outputs: Vec<f64> = (0..draws.len() * width).map(|k| (k as f64 * 1.7).sin() * 2.0).collect();
        let rows = draws.len();
        let prediction = Tensor::from_vec(outputs, (rows, width), &Device::Cpu).unwrap();
        let prediction = Var::from_tensor(&prediction.to_dtype(dtype).unwrap()).unwrap();
        let column = Tensor::from_vec(values.clone(), (rows, 1), &Device::Cpu).unwrap();
        let column = column.to_dtype(DType::F32).unwrap();
        let alone = match which {
            0 => {
                let class = |y: &f64| if y.is_nan() { u32::MAX } else { *y as u32 };
                let classes: Vec<u32> = values.iter().map(class).collect();
                Tensor::from_vec(classes, rows, &Device::Cpu).unwrap()
            }
            _ => column.clone(),
        };
        let objective = Objective::new(loss.clone(), scale.clone(), &part.alone(false));
        let heads = [HeadLoss { loss, weight: 1.0 }];
        let heads = MultiTaskLoss::new(&[part], false, &heads, vec![scale]).unwrap();
        let of = |loss: &dyn Loss, target: &Tensor| {
            let targets = Targets::new(target);
            let value = loss.value(&prediction, &targets).unwrap();
            let gradient = value.backward().unwrap().get(&prediction).map(flat).unwrap_or_default();
            let value = value.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
            let mut sum = loss.metrics().with_scores();
            loss.measure(value, &prediction, &targets, &mut sum).unwrap();
            (value, gradient, loss.weight(&targets).unwrap(), sum.finish())
        };
        let (value, gradient, weight, metrics) = of(&objective, &alone);
        let (of_heads, of_heads_gradient, of_heads_weight, of_heads_metrics) = of(&heads, &column);
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(value.to_bits(), of_heads.to_bits());
        prop_assert_eq!(bits(&gradient), bits(&of_heads_gradient));
        prop_assert_eq!(weight.to_bits(), of_heads_weight.to_bits());
        for (name, value) in metrics.all() {
            let name = if name == "loss" { "loss".into() } else { format!("only.{name}") };
            let got = of_heads_metrics.get(&name).unwrap();
            prop_assert!(got.to_bits() == value.to_bits() || (got.is_nan() && value.is_nan()), "{}", name);
        }
        prop_assert_eq!(of_heads_metrics.others.len(), metrics.others.len() + 1);
    }
}

const AT: Position = Position { epoch: 0, batch: 0 };

/// Three heads of different losses, with class weights, whose targets are missing in different examples.
fn three_heads() -> MultiTaskLoss {
    let losses = [(0, 1.5), (1, 0.5), (4, 2.0)]
        .map(|(which, weight)| HeadLoss { loss: criterion(which), weight });
    let parts = [part("a", 3), part("b", 0), part("c", 0)];
    MultiTaskLoss::new(&parts, false, &losses, vec![None; 3]).unwrap()
}

fn batch(indices: &[usize], missing: &[u8]) -> Batch {
    let example = |index: usize| {
        let wave = |k: usize| ((index * 31 + k * 7) as f32 * 0.7).sin();
        let known = |bit: u8, value: f32| if missing[index] & bit > 0 { f32::NAN } else { value };
        let targets =
            vec![known(1, (index % 3) as f32), known(2, wave(3)), known(4, 2.0 * wave(5))];
        let sequence = Sequence::new((0..(1 + index % 4) * 2).map(wave).collect(), 2).unwrap();
        Example::new(sequence, Target::Values(targets))
    };
    let examples: Vec<_> = indices.iter().map(|&index| (index, example(index))).collect();
    let batch = Collate::Packed.collate(&examples, &Device::Cpu).unwrap();
    let BatchSteps::Packed(packed) = &batch.input.steps else { panic!("packed") };
    let input = BatchSteps::Packed(packed.to_dtype(DType::F64).unwrap());
    let target = batch.target.clone();
    Batch { input: input.into(), target, ..batch }
}

/// Returns the parameters after one update, and the loss.
fn after(batches: &[Batch]) -> (Vec<(String, Tensor)>, f64) {
    let (loss, parameters) = (three_heads(), Parameters::new(3));
    let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(2, 4), 7);
    let model = Model::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let mut optimizer = Optimizer::new(OptimizerConfig::sgd(), parameters.named()).unwrap();
    let mut sum = GradientAccumulator::of_group(&loss, batches).unwrap();
    for batch in batches {
        sum.add(&model, batch, &loss, &optimizer, AT, &mut Generator::seed(0)).unwrap();
    }
    let mean = sum.loss();
    sum.update(&mut optimizer, StepOptions::new(0.5), AT).unwrap();
    let mut parameters: Vec<_> = parameters.state_dict().into_iter().collect();
    parameters.sort_by(|a, b| a.0.cmp(&b.0));
    (parameters, mean)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Also where a head has no target in a batch.
    #[test]
    fn a_group_of_batches_equals_one_large_batch(
        missing in prop::collection::vec(0u8..8, 3..12),
        cut in 1usize..3,
    ) {
        let all: Vec<usize> = (0..missing.len()).collect();
        let (want, want_loss) = after(&[batch(&all, &missing)]);
        let batches: Vec<Batch> = all.chunks(cut).map(|part| batch(part, &missing)).collect();
        let (got, got_loss) = after(&batches);
        prop_assert!((got_loss - want_loss).abs() < 1e-12, "{} and {}", got_loss, want_loss);
        for ((name, want), (_, got)) in want.iter().zip(&got) {
            let far = (got - want).unwrap().abs().unwrap().max_all().unwrap();
            prop_assert!(far.to_scalar::<f64>().unwrap() < 1e-12, "{}", name);
        }
        // The metrics are those of one batch too.
        let loss = three_heads();
        let measured = |batches: &[Batch]| {
            let mut sum = loss.metrics();
            for batch in batches {
                let wave = |k: usize| (k as f64).cos();
                let row = |i: &usize| (0..7).map(|k| wave(i * 7 + k)).collect::<Vec<f64>>();
                let outputs: Vec<f64> = batch.indices.iter().flat_map(row).collect();
                let rows = batch.indices.len();
                let prediction = Tensor::from_vec(outputs, (rows, 7), &Device::Cpu).unwrap();
                loss.measure(0.0, &prediction, &Targets::of(batch).unwrap(), &mut sum).unwrap();
            }
            sum.finish()
        };
        let (whole, parts) = (measured(&[batch(&all, &missing)]), measured(&batches));
        for ((name, want), (_, got)) in whole.all().zip(parts.all()) {
            let near = (got - want).abs() < 1e-9 || (got.is_nan() && want.is_nan());
            prop_assert!(near, "{}: {} and {}", name, got, want);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mse = || HeadLoss { loss: Criterion::Mse, weight: 1.0 };
    let new = |parts: &[TargetPart], losses: &[HeadLoss]| {
        MultiTaskLoss::new(parts, false, losses, vec![None; losses.len()])
    };
    let error =
        |parts: &[TargetPart], losses: &[HeadLoss]| new(parts, losses).unwrap_err().to_string();
    assert_eq!(error(&[part("a", 2)], &[mse()]), "head a has mse: expected cross-entropy");
    let classes = HeadLoss { loss: Criterion::cross_entropy(), weight: 1.0 };
    let message = "head b has cross-entropy: expected a loss of values";
    assert_eq!(error(&[part("b", 0)], &[classes]), message);
    let message = "head b has ctc: expected a loss of values";
    let ctc = HeadLoss { loss: Criterion::Ctc, weight: 1.0 };
    assert_eq!(error(&[part("b", 0)], &[ctc]), message);
    let message = "head b has the weight -1: expected a weight of at least 0";
    assert_eq!(error(&[part("b", 0)], &[HeadLoss { weight: -1.0, ..mse() }]), message);
    let message = "1 heads: expected one for each of 2 targets";
    assert_eq!(error(&[part("a", 0), part("b", 0)], &[mse()]), message);

    let loss = new(
        &[part("a", 2), part("b", 0)],
        &[HeadLoss { loss: Criterion::cross_entropy(), weight: 1.0 }, mse()],
    )
    .unwrap();
    let value = |outputs: usize, target: &[f64]| {
        let prediction = Tensor::zeros((1, outputs), DType::F64, &Device::Cpu).unwrap();
        let target = tensor(&[target.to_vec()]);
        loss.value(&prediction, &Targets::new(&target)).map(|v| v.to_scalar::<f64>().unwrap())
    };
    let error = |outputs, target: &[f64]| value(outputs, target).unwrap_err().to_string();
    assert_eq!(error(2, &[0.0, 1.0]), "predictions: expected shape [1, 3], got [1, 2]");
    assert_eq!(error(3, &[0.0]), "target: expected shape [1, 2], got [1, 1]");
    let message = "head a: target 2: expected the index of a class below 2, or NaN";
    assert_eq!(error(3, &[2.0, 0.0]), message);
    assert_eq!(value(3, &[f64::NAN, f64::NAN]).unwrap(), 0.0);
    // The monitor names a head.
    let monitor = |name: &str| serde_json::from_value::<Monitor>(name.into()).unwrap();
    for name in ["loss", "a.accuracy", "a.loss", "b.r2", "b.loss"] {
        monitor(name).check(&loss).unwrap();
    }
    let error = monitor("b.accuracy").check(&loss).unwrap_err().to_string();
    let message = "train.monitor is b.accuracy: expected loss, a.accuracy, a.balanced_accuracy, a.f1, a.top5, a.auc, \
                   a.loss, b.r2, b.mae, b.rmse or b.loss for these targets";
    assert_eq!(error, message);
    assert!(monitor("b.loss").smaller_is_better() && !monitor("a.f1").smaller_is_better());
    assert_eq!(serde_json::to_string(&monitor("a.f1")).unwrap(), "\"a.f1\"");
    assert!(serde_json::from_str::<Monitor>("\"a.f2\"").is_err());
}
