//! A training run: the loss and the gradient norm of every update, and the final parameters.

use candle_core::{DType, Device, Tensor};
use ragged_datasets::{Batch, BatchSteps};
use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
use ragged_sequence::random::Generator;
use ragged_sequence::{lengths_from_tensor, pack_padded_sequence};
use ragged_train::fit::{Position, StepOptions};
use ragged_train::{Criterion, Optimizer, OptimizerConfig, train_step};
use serde_json::Value;

use crate::conformance::case::{Case, CaseResult, Comparison};

pub(super) fn compare(case: &Case) -> CaseResult<Comparison> {
    let (dtype, tolerance) = case.precision()?;
    for key in ["groups", "ema", "clip_grad_value"] {
        if !case.option(key).is_null() {
            return Err(format!("unknown option {key}").into());
        }
    }
    let kind = match case.text("model")? {
        "fixed" => ModelKind::Fixed,
        "variable" => ModelKind::Variable,
        other => return Err(format!("unknown model {other:?}").into()),
    };
    let loss = match case.text("loss")? {
        "mse" => Criterion::Mse,
        "cross_entropy" => Criterion::cross_entropy(),
        other => return Err(format!("unknown loss {other:?}").into()),
    };
    let layer = RecurrentConfig::new(case.size("input_size")?, case.size("hidden_size")?);
    let config = ModelConfig::new(kind, layer, case.size("output_size")?);
    let parameters = Parameters::new(0);
    let model = Model::new(&config, parameters.builder(dtype, &Device::Cpu))?;
    parameters.load_state_dict(&case.below("init."))?;

    let (lr, optimizer) = optimizer(case.option("optimizer"))?;
    let mut optimizer = Optimizer::new(optimizer, parameters.named())?;
    let clip_grad_norm = case.option("clip_grad_norm").as_f64();
    let rule = StepOptions { clip_grad_norm, ..StepOptions::new(lr) };
    let updates = case.size("updates")?;
    let (mut losses, mut norms) = (vec![], vec![]);
    for k in 0..updates {
        let batch = batch(case, kind, k)?;
        let (at, rng) = (Position { epoch: 0, batch: k }, &mut Generator::seed(0));
        let step = train_step(&model, &batch, &loss, &mut optimizer, rule, at, rng)?;
        losses.push(step.loss);
        norms.push(step.grad_norm);
    }

    let mut comparison = Comparison::new(tolerance);
    let numbers = |values: Vec<f64>| Tensor::from_vec(values, updates, &Device::Cpu);
    comparison.add("losses", &numbers(losses)?, case.tensor("losses")?)?;
    if rule.clip_grad_norm.is_some() {
        comparison.add("grad_norms", &numbers(norms)?, case.tensor("grad_norms")?)?;
    }
    for (name, got) in parameters.state_dict() {
        let name = format!("final.{name}");
        comparison.add(&name, &got, case.tensor(&name)?)?;
    }
    Ok(comparison)
}

/// Returns the learning rate and the optimiser. Options that the case omits have PyTorch's defaults.
fn optimizer(options: &Value) -> CaseResult<(f64, OptimizerConfig)> {
    let mut rule = options.clone();
    let lr = rule.as_object_mut().and_then(|rule| rule.remove("lr"));
    let lr = lr.and_then(|lr| lr.as_f64()).ok_or("option optimizer.lr: expected a number")?;
    Ok((lr, serde_json::from_value(rule)?))
}

fn batch(case: &Case, kind: ModelKind, k: usize) -> CaseResult<Batch> {
    let get = |key: &str| case.tensor(&format!("batch.{k}.{key}"));
    let (input, lengths) = (get("input")?, lengths_from_tensor(get("lengths")?)?);
    let target = get("target")?;
    // Class indices are i64 in PyTorch and u32 here.
    let target =
        if target.dtype().is_int() { target.to_dtype(DType::U32)? } else { target.clone() };
    let indices = (0..lengths.len()).collect();
    let input = match kind {
        ModelKind::Fixed => BatchSteps::Padded { input: input.clone(), lengths },
        ModelKind::Variable => BatchSteps::Packed(pack_padded_sequence(input, &lengths, false)?),
    };
    Ok(Batch::new(input, target, indices))
}
