//! Whole training runs compared with PyTorch: losses, gradient norms and final parameters.
//!
//! The fixtures come from `validation/generate_fixtures.py`.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use ragged_datasets::{Batch, BatchSteps};
use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
use ragged_sequence::random::Generator;
use ragged_sequence::{lengths_from_tensor, pack_padded_sequence};
use ragged_train::fit::{Position, StepOptions};
use ragged_train::objective::Monitor;
use ragged_train::optim::{Ema, ParameterGroup, Plateau, SchedulePoint};
use ragged_train::{Criterion, Optimizer, OptimizerConfig, Schedule, train_step};
use serde_json::Value;

fn read(path: &Path) -> (Value, HashMap<String, Tensor>) {
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let case = &metadata.metadata().as_ref().unwrap()["case"];
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    (serde_json::from_str(case).unwrap(), tensors)
}

/// Checks that every value is within 1e-9 of PyTorch's, relative to the largest value where that is
/// above one.
#[track_caller]
fn check(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 1e-9 * scale, "{what}: {got} against {want}");
    }
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn run(path: &Path) {
    let (case, tensors) = read(path);
    let name = path.display();
    let size = |key: &str| case[key].as_u64().unwrap() as usize;
    let kind = if case["model"] == "fixed" { ModelKind::Fixed } else { ModelKind::Variable };
    let layer = RecurrentConfig::new(size("input_size"), size("hidden_size"));
    let config = ModelConfig::new(kind, layer, size("output_size"));
    let parameters = Parameters::new(0);
    let model = Model::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let part = |prefix: &str| -> HashMap<String, Tensor> {
        let named = tensors.iter();
        named.filter_map(|(k, t)| Some((k.strip_prefix(prefix)?.into(), t.clone()))).collect()
    };
    parameters.load_state_dict(&part("init.")).unwrap();

    let mut rule = case["optimizer"].clone();
    let lr = rule.as_object_mut().unwrap().remove("lr").unwrap().as_f64().unwrap();
    let optimizer: OptimizerConfig = serde_json::from_value(rule).unwrap();
    let groups: Vec<ParameterGroup> = match &case["groups"] {
        Value::Null => vec![],
        groups => serde_json::from_value(groups.clone()).unwrap(),
    };
    let mut optimizer = Optimizer::with_groups(optimizer, parameters.named(), &groups).unwrap();
    let mut ema = case["ema"].as_f64().map(|decay| Ema::new(decay, parameters.named()).unwrap());
    let clip_grad_norm = case["clip_grad_norm"].as_f64();
    let clip_grad_value = case["clip_grad_value"].as_f64();
    let mse = case["loss"] == "mse";
    let loss = if mse { Criterion::Mse } else { Criterion::cross_entropy() };
    let (mut losses, mut norms) = (vec![], vec![]);
    for k in 0..size("updates") {
        let get = |key: &str| &tensors[&format!("batch.{k}.{key}")];
        let lengths = lengths_from_tensor(get("lengths")).unwrap();
        let input = match kind {
            ModelKind::Fixed => {
                BatchSteps::Padded { input: get("input").clone(), lengths: lengths.clone() }
            }
            ModelKind::Variable => {
                BatchSteps::Packed(pack_padded_sequence(get("input"), &lengths, false).unwrap())
            }
        };
        let indices = (0..lengths.len()).collect();
        let batch = Batch::new(input, get("target").clone(), indices);
        let options = StepOptions { clip_grad_norm, clip_grad_value, ..StepOptions::new(lr) };
        let at = Position { epoch: 0, batch: k };
        let rng = &mut Generator::seed(0);
        let step = train_step(&model, &batch, &loss, &mut optimizer, options, at, rng).unwrap();
        ema.iter_mut().for_each(|ema| ema.update().unwrap());
        losses.push(step.loss);
        norms.push(step.grad_norm);
    }
    check(&format!("{name}: losses"), &losses, &flat(&tensors["losses"]));
    if let Some(want) = tensors.get("grad_norms") {
        check(&format!("{name}: grad_norms"), &norms, &flat(want));
    }
    if let Some(ema) = &mut ema {
        let last = part("ema.");
        for (key, value) in ema.state_dict() {
            check(&format!("{name}: average of {key}"), &flat(&value), &flat(&last[&key]));
        }
        // Swapping twice restores the parameters.
        ema.swap().unwrap();
        check(
            "swapped",
            &flat(&parameters.state_dict()["linear.weight"]),
            &flat(&last["linear.weight"]),
        );
        ema.swap().unwrap();
    }
    let last = part("final.");
    for (key, value) in parameters.state_dict() {
        check(&format!("{name}: {key}"), &flat(&value), &flat(&last[&key]));
    }
}

#[test]
fn every_run_ends_with_the_parameters_of_pytorch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            run(&path);
            count += 1;
        }
    }
    assert!(count >= 10, "only {count} fixtures");
}

/// Checks every learning rate of PyTorch's schedulers, and the momentum where it changes.
#[test]
fn every_schedule_equals_that_of_pytorch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schedules.json");
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let numbers = |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
    let (lr, values) = (fixture["lr"].as_f64().unwrap(), numbers(&fixture["values"]));
    for case in fixture["cases"].as_array().unwrap() {
        let schedule: Schedule = serde_json::from_value(case["schedule"].clone()).unwrap();
        schedule.validate().unwrap();
        let mut plateau = Plateau::new(lr);
        let (mut rates, mut momenta) = (vec![], vec![]);
        for (k, &value) in values.iter().enumerate() {
            // Updates and epochs have the same count, so that the unit of the schedule does not matter.
            let end = values.len();
            let point = SchedulePoint { step: k, steps: end, epoch: k, epochs: end };
            let got = schedule.hyperparameters(plateau.lr, point);
            rates.push(got.lr);
            momenta.extend(got.momentum);
            plateau.update(&schedule, &Monitor::Loss, value);
        }
        let name = &case["schedule"];
        check(&format!("rates of {name}"), &rates, &numbers(&case["rates"]));
        if !case["momenta"].is_null() {
            check(&format!("momenta of {name}"), &momenta, &numbers(&case["momenta"]));
        }
    }
    assert!(fixture["cases"].as_array().unwrap().len() >= 10);
}
