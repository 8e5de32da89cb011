//! The objective of a run: the loss that the configuration chooses or that is usual for the targets, with class
//! weights and the scale of targets from the training data.

use ragged_datasets::{Dataset, Target, TargetKind};
use ragged_transforms::Standardize;

use crate::config::error::ConfigError;
use crate::config::experiment_config::ExperimentConfig;
use crate::config::sections::TargetTransform;
use crate::error::Result;
use crate::objective::criterion::Criterion;
use crate::objective::scaled::Objective;
use crate::run::datasets::{AnyDataset, Datasets};
use crate::run::tagging::check_crf;
use crate::run::transcription::check_repeat;

/// Returns the objective, and adds to the configuration what it leaves to defaults. With a CRF, which is only known
/// once the model is built, the objective is that of its emissions alone.
///
/// # Errors
///
/// [`Error::Config`](crate::Error::Config) for a loss that does not fit the targets.
pub(crate) fn resolve_objective(
    config: &mut ExperimentConfig,
    data: &Datasets,
) -> Result<Objective> {
    let targets = data.targets();
    check_crf(config, data)?;
    check_repeat(config, data)?;
    if config.model.crf {
        return Ok(Objective::new(Criterion::cross_entropy(), None, targets));
    }
    let usual = match targets.labels() {
        Some(_) if targets.is_transcription() => Criterion::Ctc,
        Some(_) => Criterion::cross_entropy(),
        None => Criterion::Mse,
    };
    let criterion = config.train.loss.get_or_insert(usual).clone();
    let lists = targets.is_transcription();
    let classes = targets.labels().is_some() && !lists;
    if (criterion.is_for_classes(), criterion.is_for_transcription()) != (classes, lists) {
        let (are, expected) = match targets.labels() {
            Some(_) if lists => ("lists of labels", "ctc, or another data.read.task"),
            Some(_) => ("classes", "cross-entropy, or data.read.task regression"),
            None => ("values", "another loss, or data.read.task classification"),
        };
        let name = criterion.name();
        let message =
            format!("train.loss is {name}, but the targets are {are}: expected {expected}");
        return Err(ConfigError::conflict("train.loss", message).into());
    }
    let criterion = with_weights(criterion, config, data)?;
    check_range(&criterion, data)?;
    let scale = scale(&criterion, config, data)?;
    Ok(Objective::new(criterion, scale, targets))
}

/// Adds the class weights to cross-entropy, and checks the number of weights.
fn with_weights(
    criterion: Criterion,
    config: &ExperimentConfig,
    data: &Datasets,
) -> Result<Criterion> {
    let count = data.targets().outputs();
    let given = config.train.class_weights.as_ref();
    let wrong = |key: &str, got: usize, per: &str| {
        let message = format!("{key} has {got} numbers: expected {count}, one per {per}");
        Err(ConfigError::conflict(key, message).into())
    };
    match (criterion, data.targets().labels(), given) {
        (Criterion::CrossEntropy { weight, .. }, _, Some(_)) if !weight.is_empty() => {
            let message = "train.class_weights and train.loss.weight: expected only one of the two";
            Err(ConfigError::conflict("train.class_weights", message).into())
        }
        (Criterion::CrossEntropy { label_smoothing, .. }, Some(labels), Some(weights)) => {
            let mut counts = vec![0; labels.len()];
            for index in 0..data.train.len() {
                match data.train.get(0, index)?.target {
                    Target::Class(class) => counts[class as usize] += 1,
                    Target::StepClasses(classes) => {
                        classes.into_iter().for_each(|class| counts[class as usize] += 1);
                    }
                    Target::Values(_) | Target::StepValues(_) | Target::Labels(_) => {}
                }
            }
            let weight = weights.resolve(labels, &counts)?;
            Ok(Criterion::CrossEntropy { weight, label_smoothing })
        }
        (criterion, _, Some(_)) => {
            let message = format!(
                "train.class_weights is given, but train.loss is {}: expected cross-entropy",
                criterion.name()
            );
            Err(ConfigError::conflict("train.class_weights", message).into())
        }
        (Criterion::CrossEntropy { weight, .. }, ..)
            if !weight.is_empty() && weight.len() != count =>
        {
            wrong("train.loss.weight", weight.len(), "class")
        }
        (Criterion::Bce { pos_weight }, ..)
            if pos_weight.len() > 1 && pos_weight.len() != count =>
        {
            wrong("train.loss.pos_weight", pos_weight.len(), "value")
        }
        (criterion, ..) => Ok(criterion),
    }
}

/// Checks that the loss is defined for every target.
fn check_range(criterion: &Criterion, data: &Datasets) -> Result<()> {
    let (range, expected) = match criterion {
        Criterion::Bce { .. } => (0.0..=1.0, "targets from 0 to 1"),
        Criterion::Poisson { .. } => (0.0..=f32::INFINITY, "targets of at least 0"),
        _ => return Ok(()),
    };
    let parts = [("training", Some(&data.train)), ("validation", data.valid.as_ref())];
    for (part, data) in parts.into_iter().chain([("test", Some(&data.test))]) {
        let Some(data) = data else { continue };
        let mut bad = None;
        for_each_value(data, |_, value| {
            if !value.is_nan() && !range.contains(&value) {
                bad.get_or_insert(value);
            }
        })?;
        if let Some(value) = bad {
            let name = criterion.name();
            let message = format!(
                "train.loss is {name}, but a target of the {part} data is {value}: expected {expected}"
            );
            return Err(ConfigError::conflict("train.loss", message).into());
        }
    }
    Ok(())
}

/// Returns the scale of the targets if they are scaled, and adds the choice to the configuration.
fn scale(
    criterion: &Criterion,
    config: &mut ExperimentConfig,
    data: &Datasets,
) -> Result<Option<Standardize>> {
    let values = match data.targets() {
        TargetKind::Values(count) | TargetKind::StepValues(count) => *count,
        TargetKind::Classes(_) | TargetKind::StepClasses(_) | TargetKind::Labels(_) => 0,
    };
    let possible = criterion.allows_scaling() && values > 0;
    let usual = match possible && !config.data.generates_held_out() {
        true => TargetTransform::Standardize,
        false => TargetTransform::None,
    };
    let chosen = config.data.target_transform;
    if chosen == Some(TargetTransform::Standardize) && !possible {
        let message = format!(
            "data.target_transform is standardize, but train.loss is {}, which has no scale: expected none",
            criterion.name()
        );
        return Err(ConfigError::conflict("data.target_transform", message).into());
    }
    if values > 0 {
        config.data.target_transform = Some(chosen.unwrap_or(usual));
    }
    if chosen.unwrap_or(usual) == TargetTransform::None {
        return Ok(None);
    }
    // In two passes, so that large means cost no precision.
    let (mut count, mut mean) = (vec![0.0f64; values], vec![0.0f64; values]);
    for_each_value(&data.train, |k, value| {
        if !value.is_nan() {
            count[k] += 1.0;
            mean[k] += (f64::from(value) - mean[k]) / count[k];
        }
    })?;
    let mut squares = vec![0.0f64; values];
    for_each_value(&data.train, |k, value| {
        if !value.is_nan() {
            squares[k] += (f64::from(value) - mean[k]).powi(2);
        }
    })?;
    let std = squares.iter().zip(&count).map(|(square, count)| (square / count).sqrt());
    let std = std.map(|std| if std > 0.0 && std.is_finite() { std } else { 1.0 }).collect();
    Ok(Some(Standardize { mean, std }))
}

/// Calls a function with the index and value of every target that is a value.
fn for_each_value(data: &AnyDataset, mut visit: impl FnMut(usize, f32)) -> Result<()> {
    for index in 0..data.len() {
        match data.get(0, index)?.target {
            Target::Values(values) => {
                values.into_iter().enumerate().for_each(|(k, value)| visit(k, value));
            }
            Target::StepValues(values) => {
                for step in values.steps() {
                    step.iter().enumerate().for_each(|(k, &value)| visit(k, value));
                }
            }
            Target::Class(_) | Target::StepClasses(_) | Target::Labels(_) => {}
        }
    }
    Ok(())
}
