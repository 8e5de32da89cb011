//! Checks that the configuration, the data and a checkpoint of a run fit each other, before training.

use std::path::Path;

use ragged_datasets::formats::Schema;
use ragged_datasets::{Dataset, Target};
use ragged_models::{ModelConfig, ModelKind, Readout, StaticJoin};

use crate::config::error::ConfigError;
use crate::config::experiment_config::ExperimentConfig;
use crate::error::{CheckpointError, Error, Result};
use crate::objective::monitor::Monitor;
use crate::run::checkpoint::CheckpointInfo;
use crate::run::datasets::Datasets;
use crate::run::difference::Difference;
use crate::run::identity::RunIdentity;

/// Checks that a model can be trained on the data, and that the monitored metric is defined.
pub(crate) fn check_model(
    config: &ExperimentConfig,
    data: &Datasets,
    model: &ModelConfig,
) -> Result<()> {
    check_tokens(config, data)?;
    check_readout(config, data, model)?;
    check_lengths(config, data, model)?;
    check_monitor(config, data)
}

/// Checks that a checkpoint is one of this run: of the same targets, identity and features. Returns what
/// differs in the identity, where that is forced to be accepted, and with it what else has `changed`.
pub(crate) fn check_checkpoint(
    data: &Datasets,
    identity: &RunIdentity,
    info: &CheckpointInfo,
    path: &Path,
    changed: Option<Difference>,
    force: bool,
) -> Result<Vec<Difference>> {
    let wrong = |source| Error::Checkpoint { path: path.to_path_buf(), source };
    let Schema { targets, features, static_numbers, static_categories, .. } = &data.schema;
    let saved = &info.schema;
    if saved.targets != *targets {
        let (expected, got) = (targets.clone(), saved.targets.clone());
        return Err(wrong(CheckpointError::Targets { expected, got }));
    }
    let mut differences = info.identity.differences(identity);
    differences.extend(changed);
    if !differences.is_empty() && !force {
        return Err(Error::RunChanged { path: path.to_path_buf(), differences });
    }
    if (&saved.static_numbers, &saved.static_categories) != (static_numbers, static_categories) {
        let all = |a: &[String], b: &[String]| Some([a, b].concat());
        let expected = all(static_numbers, static_categories);
        let got = all(&saved.static_numbers, &saved.static_categories);
        return Err(wrong(CheckpointError::Features { expected, got }));
    }
    if saved.features != *features {
        let (expected, got) = (features.clone(), saved.features.clone());
        return Err(wrong(CheckpointError::Features { expected, got }));
    }
    Ok(differences)
}

/// Checks that what is configured for tokens fits the data.
fn check_tokens(config: &ExperimentConfig, data: &Datasets) -> Result<()> {
    let model = &config.model;
    if data.encoder.statics().is_empty() {
        let keys = [
            ("model.static", model.static_join != StaticJoin::Head),
            ("model.static_size", model.static_size.is_some()),
        ];
        if let Some((key, _)) = keys.into_iter().find(|(_, given)| *given) {
            let message = format!("{key} is given, but the data have no static columns");
            return Err(ConfigError::conflict(key, message).into());
        }
    } else {
        if model.kind == ModelKind::Fixed {
            let message =
                "model.kind is fixed, but the data have static columns: expected variable";
            return Err(ConfigError::conflict("model.kind", message).into());
        }
        if config.train.bptt_steps > 0 {
            let message = "train.bptt_steps is given, but the data have static columns: expected 0";
            return Err(ConfigError::conflict("train.bptt_steps", message).into());
        }
    }
    if data.encoder.is_empty() {
        let keys = [
            ("model.embedding", model.embedding.is_some()),
            ("model.characters", model.characters.is_some()),
        ];
        return match keys.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((key, _)) => {
                let message = format!("{key} is given, but the data have no tokens");
                Err(ConfigError::conflict(key, message).into())
            }
        };
    }
    let word_dropout = model.embedding.as_ref().map_or(0.0, |embedding| embedding.word_dropout);
    let lacks_unknown =
        data.encoder.columns().iter().any(|column| column.vocabulary.unknown().is_none());
    if word_dropout > 0.0 && lacks_unknown {
        let key = "model.embedding.word_dropout";
        let message = format!(
            "{key} is {word_dropout}, but the file of data.read.tokenizer has no token for unknown ones: expected 0"
        );
        return Err(ConfigError::conflict(key, message).into());
    }
    if model.kind == ModelKind::Fixed {
        let message = "model.kind is fixed, but the data have tokens: expected variable";
        return Err(ConfigError::conflict("model.kind", message).into());
    }
    if config.train.bptt_steps > 0 {
        let message = "train.bptt_steps is given, but the data have tokens: expected 0";
        return Err(ConfigError::conflict("train.bptt_steps", message).into());
    }
    Ok(())
}

/// Checks that there is one prediction per target: per time step or per sequence.
fn check_readout(config: &ExperimentConfig, data: &Datasets, model: &ModelConfig) -> Result<()> {
    let targets = data.targets();
    let per_step = targets.is_per_step();
    let lists = targets.is_transcription();
    if lists && config.train.bptt_steps > 0 {
        let message = "train.bptt_steps is given, but the targets are lists of labels: expected 0";
        return Err(ConfigError::conflict("train.bptt_steps", message).into());
    }
    let ModelConfig { kind, readout, ref layer, .. } = *model;
    if (per_step || lists) != (readout == Readout::Steps) {
        let (targets, expected) = match (per_step, lists) {
            (true, _) => ("there is one target per time step", "steps"),
            (false, true) => ("the targets are lists of labels", "steps"),
            (false, false) => ("there is one target per sequence", "another readout"),
        };
        let message = format!(
            "model.readout is {}, but {targets}: expected {expected}",
            format!("{readout:?}").to_lowercase()
        );
        return Err(ConfigError::conflict("model.readout", message).into());
    }
    if (per_step || lists) && kind == ModelKind::Fixed {
        let targets = match lists {
            true => "the targets are lists of labels",
            false => "there is one target per time step",
        };
        let message = format!("model.kind is fixed, but {targets}: expected variable");
        return Err(ConfigError::conflict("model.kind", message).into());
    }
    if config.train.bptt_steps > 0 && (kind == ModelKind::Fixed || layer.bidirectional) {
        let message = "train.bptt_steps is given: expected model.kind variable and one direction";
        return Err(ConfigError::conflict("train.bptt_steps", message).into());
    }
    Ok(())
}

/// Checks that the monitored metric is defined: R2 is not, where the targets of every output are all equal.
fn check_monitor(config: &ExperimentConfig, data: &Datasets) -> Result<()> {
    let refuse = |message: &str| Err(ConfigError::conflict("train.monitor", message).into());
    let targets = data.targets();
    let name = config.train.monitor.name();
    let (head, monitor) = config.train.monitor.of_head();
    // The column of the head, if the metric is that of one.
    let column = targets.parts().iter().position(|part| Some(part.name.as_str()) == head);
    let outputs = column.map_or(targets.outputs(), |column| targets.parts()[column].outputs());
    if *monitor == Monitor::Auc && !config.validates() {
        return refuse(&format!(
            "train.monitor is {name}, which is measured on validation data only: expected another metric, or \
             data.valid_fraction",
        ));
    }
    if *monitor == Monitor::Top5 && outputs <= 5 {
        return refuse(&format!(
            "train.monitor is {name}, but there are no more than five classes: expected accuracy",
        ));
    }
    if *monitor == Monitor::Mase && !targets.is_per_step() {
        return refuse(&format!(
            "train.monitor is {name}, but there is one target per sequence: expected mae"
        ));
    }
    if *monitor != Monitor::R2 || config.data.generates_held_out() {
        return Ok(());
    }
    let valid = data.valid.as_ref().filter(|_| config.validates());
    let (part, data) = valid.map_or(("training", &data.train), |valid| ("validation", valid));
    let mut first: Option<Vec<f32>> = None;
    for index in 0..data.len() {
        let rows: Vec<Vec<f32>> = match data.target(0, index)? {
            Target::Values(values) => vec![values],
            Target::StepValues(values) => values.steps().map(<[f32]>::to_vec).collect(),
            Target::Class(_) | Target::StepClasses(_) | Target::Labels(_) => return Ok(()),
        };
        // A step without a target says nothing.
        let of_head = |row: Vec<f32>| match column {
            Some(column) => vec![row[column]],
            None => row,
        };
        let rows = rows.into_iter().map(of_head);
        for row in rows.filter(|row| !row.iter().all(|value| value.is_nan())) {
            if *first.get_or_insert_with(|| row.clone()) != row {
                return Ok(());
            }
        }
    }
    let message = format!(
        "train.monitor is {name}, which is undefined for the {part} data, whose targets are all equal: \
         expected loss, or other {part} data"
    );
    Err(ConfigError::conflict("train.monitor", message).into())
}

/// Checks that all sequences have one length if the model needs that, before training reaches a
/// batch where they do not.
fn check_lengths(config: &ExperimentConfig, data: &Datasets, model: &ModelConfig) -> Result<()> {
    if model.kind == ModelKind::Variable || config.data.is_sums() {
        let varies = config.data.dataset == "variable-sums";
        if varies && model.kind == ModelKind::Fixed {
            let message = "model.kind is fixed, but the lengths of variable-sums vary: \
                           expected kind variable, or dataset fixed-sums";
            return Err(ConfigError::conflict("model.kind", message).into());
        }
        return Ok(());
    }
    let parts = [Some(&data.train), data.valid.as_ref(), Some(&data.test)];
    let mut first = None;
    for data in parts.into_iter().flatten() {
        for index in 0..data.len() {
            let length = data.length(0, index)?;
            let expected = *first.get_or_insert(length);
            if length != expected || length == 0 {
                let message = format!(
                    "model.kind is fixed, but {} has sequences of length {expected} and \
                     {length}: expected kind variable",
                    config.data.dataset
                );
                return Err(ConfigError::conflict("model.kind", message).into());
            }
        }
    }
    Ok(())
}
