//! Exports everything random of a run, so that another program can train the same: the initial
//! parameters, the examples of every epoch in their order and batches, and the learning rate of every
//! update.
//!
//! `cargo run --release -p ragged-train --example export_run -- CONFIG.toml DIRECTORY [KEY=VALUE]..`
//!
//! The directory then contains `run.json`, `initial.safetensors`, `valid.safetensors` and `epoch-K.safetensors`.
//! `validation/time_training.py` trains from them in PyTorch.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use candle_core::{Device, Tensor};
use ragged_datasets::{DataLoader, Dataset, Target};
use ragged_train::config::Override;
use ragged_train::optim::SchedulePoint;
use ragged_train::run::AnyDataset;
use ragged_train::{Experiment, ExperimentConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [config, folder, overrides @ ..] = words.as_slice() else {
        return Err("expected CONFIG.toml DIRECTORY [KEY=VALUE]..".into());
    };
    let pair = |text: &String| {
        let (key, value) = text.split_once('=').ok_or(format!("{text}: expected KEY=VALUE"))?;
        Ok(Override::set(key, value))
    };
    let overrides = overrides.iter().map(pair).collect::<Result<Vec<_>, String>>()?;
    let config = ExperimentConfig::parse(&std::fs::read_to_string(config)?, &overrides)?;
    let (epochs, lr, schedule) =
        (config.train.epochs, config.train.lr, config.train.schedule.clone());
    let experiment = Experiment::new(config)?;
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;

    let parameters = experiment.parameters().state_dict();
    safetensors::serialize_to_file(parameters, None, &folder.join("initial.safetensors"))?;
    let train = experiment.train_loader()?;
    for epoch in 0..epochs {
        export(&train, epoch, &folder.join(format!("epoch-{epoch}.safetensors")))?;
    }
    if let Some(valid) = experiment.valid_loader()? {
        export(&valid, 0, &folder.join("valid.safetensors"))?;
    }
    let steps = experiment.config().train.steps(train.len());
    let batches = train.len();
    let rates = (0..steps).map(|step| {
        let point = SchedulePoint { step, steps, epoch: step / batches, epochs };
        let rates = schedule.hyperparameters(lr, point);
        (rates.lr, rates.momentum)
    });
    let run = serde_json::json!({
        "config": experiment.config(),
        "outputs": train.dataset().target_kind().outputs(),
        "classes": train.dataset().target_kind().labels().is_some(),
        "features": train.dataset().features(),
        "vocabularies": train.dataset().token_columns().iter().map(|c| c.texts.len()).collect::<Vec<_>>(),
        "rates": rates.collect::<Vec<_>>(),
    });
    Ok(std::fs::write(folder.join("run.json"), serde_json::to_string(&run)?)?)
}

/// Writes the `values` `[N, features]` of all sequences one after another, their `lengths` and
/// `targets`, and `batches`, the number of sequences of each batch. Tokens are `ids` `[N, K]`, and their characters
/// `characters` with `spelled_lengths` `[N]`.
fn export(
    loader: &DataLoader<AnyDataset>,
    epoch: usize,
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    let (mut values, mut lengths, mut batches, mut targets) = (vec![], vec![], vec![], vec![]);
    let (mut ids, mut characters, mut spelled_lengths) = (vec![], vec![], vec![]);
    let dataset = loader.dataset();
    let (features, columns) = (dataset.features(), dataset.token_columns().len());
    let plan = loader.plan(epoch)?;
    for batch in plan.iter() {
        batches.push(batch.len() as i64);
        for &index in batch {
            let example = dataset.get(epoch, index)?;
            lengths.push(example.sequence.len() as i64);
            values.extend_from_slice(example.sequence.values());
            targets.push(target(&example.target)?);
            let Some(tokens) = example.sequence.tokens() else { continue };
            ids.extend(tokens.ids().iter().map(|&id| i64::from(id)));
            for spelling in tokens.inner().unwrap_or_default() {
                spelled_lengths.push(spelling.len() as i64);
                characters.extend(spelling.iter().map(|&id| i64::from(id)));
            }
        }
    }
    let rows = lengths.iter().sum::<i64>() as usize;
    let counts = |counts: Vec<i64>| Tensor::new(counts, &Device::Cpu);
    let tensors = BTreeMap::from([
        ("values", Tensor::from_vec(values, (rows, features), &Device::Cpu)?),
        ("ids", Tensor::from_vec(ids, (rows, columns), &Device::Cpu)?),
        ("characters", counts(characters)?),
        ("spelled_lengths", counts(spelled_lengths)?),
        ("lengths", counts(lengths)?),
        ("batches", counts(batches)?),
        ("targets", Tensor::cat(&targets, 0)?),
    ]);
    Ok(safetensors::serialize_to_file(tensors, None, path)?)
}

/// Returns the targets of a sequence, one row for the sequence or for each step.
fn target(target: &Target) -> candle_core::Result<Tensor> {
    let classes = |classes: &[u32]| {
        let classes: Vec<i64> = classes.iter().map(|&class| i64::from(class)).collect();
        Tensor::new(classes, &Device::Cpu)
    };
    match target {
        Target::Class(class) => classes(&[*class]),
        Target::StepClasses(all) | Target::Labels(all) => classes(all),
        Target::Values(values) => Tensor::new(values.as_slice(), &Device::Cpu)?.unsqueeze(0),
        Target::StepValues(values) => {
            Tensor::from_slice(values.values(), (values.len(), values.features()), &Device::Cpu)
        }
    }
}
