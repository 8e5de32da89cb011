//! Checks of runs with a CRF, before training.

use ragged_datasets::{Dataset, Target, TargetKind};
use ragged_models::{CrfConstraints, Readout};

use crate::config::error::ConfigError;
use crate::config::experiment_config::ExperimentConfig;
use crate::error::Result;
use crate::objective::spans::is_bio;
use crate::run::datasets::{AnyDataset, Datasets};

/// Checks that the configuration and the targets fit a CRF, if there is one.
pub(crate) fn check_crf(config: &ExperimentConfig, data: &Datasets) -> Result<()> {
    let (model, train) = (&config.model, &config.train);
    if !model.crf {
        return Ok(());
    }
    let TargetKind::StepClasses(labels) = data.targets() else {
        let are = match data.targets().labels() {
            Some(_) if data.targets().is_transcription() => "lists of labels",
            Some(_) => "one class per sequence",
            None if !data.targets().parts().is_empty() => "those of several heads",
            None => "values",
        };
        let message = format!(
            "model.crf is true, but the targets are {are}: expected one class per time step"
        );
        return Err(ConfigError::conflict("model.crf", message).into());
    };
    let readout = model.readout.is_some_and(|readout| readout != Readout::Steps);
    let others = [
        ("model.readout", readout, "steps, as a CRF scores every step"),
        ("train.loss", train.loss.is_some(), "none, as the CRF is the loss"),
        ("train.class_weights", train.class_weights.is_some(), "none, as paths have no weights"),
        ("train.bptt_steps", train.bptt_steps > 0, "0, as a CRF scores whole sequences"),
    ];
    if let Some((key, _, expected)) = others.into_iter().find(|(_, given, _)| *given) {
        let message = format!("{key} is given, but model.crf is true: expected {expected}");
        return Err(ConfigError::conflict(key, message).into());
    }
    if model.crf_constraints.is_none() {
        return Ok(());
    }
    if !is_bio(labels) {
        let message = format!(
            "model.crf_constraints is bio, but the labels are {}: expected labels that are O or begin with B- or I-",
            labels.join(", ")
        );
        return Err(ConfigError::conflict("model.crf_constraints", message).into());
    }
    let constraints = CrfConstraints::bio(labels);
    let parts = [("training", Some(&data.train)), ("validation", data.valid.as_ref())];
    for (part, data) in parts.into_iter().chain([("test", Some(&data.test))]) {
        let Some(data) = data else { continue };
        check_paths(data, &constraints, &format!("the {part} data"))?;
    }
    Ok(())
}

/// Checks that no target has a transition that the constraints forbid. `part` names the data.
pub(crate) fn check_paths(
    data: &AnyDataset,
    constraints: &CrfConstraints,
    part: &str,
) -> Result<()> {
    let labels = data.target_kind().labels().unwrap_or_default();
    let label = |class: u32| labels.get(class as usize).map_or("", String::as_str);
    for index in 0..data.len() {
        let Target::StepClasses(classes) = data.target(0, index)? else { continue };
        for (step, &class) in classes.iter().enumerate() {
            let before = step.checked_sub(1).map(|before| classes[before]);
            let allowed = match before {
                Some(before) => constraints.allows(before as usize, class as usize),
                None => constraints.allows_start(class as usize),
            };
            if !allowed {
                let name = data.id(index).map_or_else(|| (index + 1).to_string(), String::from);
                let message = format!(
                    "model.crf_constraints forbids {} {} in {part}, sequence {name}, step {}",
                    label(class),
                    before
                        .map_or("at the start".into(), |before| format!("after {}", label(before))),
                    step + 1
                );
                return Err(ConfigError::conflict("model.crf_constraints", message).into());
            }
        }
    }
    Ok(())
}
