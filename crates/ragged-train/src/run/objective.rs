//! The objective of a run: the loss that the configuration chooses or that is usual for the targets, with class
//! weights and the scale of targets from the training data.

use ragged_transforms::Standardize;

use crate::config::error::ConfigError;
use crate::config::experiment_config::ExperimentConfig;
use crate::config::sections::TargetTransform;
use crate::error::Result;
use crate::objective::criterion::Criterion;
use crate::objective::multi_task::{HeadLoss, MultiTaskLoss};
use crate::objective::run_objective::RunObjective;
use crate::objective::scaled::Objective;
use crate::run::datasets::Datasets;
use crate::run::tagging::check_crf;
use crate::run::target_view::TargetView;
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
) -> Result<RunObjective> {
    let targets = data.targets();
    check_crf(config, data)?;
    check_repeat(config, data)?;
    if !targets.parts().is_empty() {
        return Ok(RunObjective::Heads(resolve_heads(config, data)?));
    }
    if !config.train.heads.is_empty() {
        let message = match config.data.forecast {
            Some(_) => "train.heads is given, but forecasts have one head: expected train.loss",
            None => {
                "train.heads is given, but the targets have no names: expected a table or objects in JSON lines"
            }
        };
        return Err(ConfigError::conflict("train.heads", message).into());
    }
    if config.model.crf {
        return Ok(Objective::new(Criterion::cross_entropy(), None, targets).into());
    }
    let view = TargetView { data, kind: targets.clone(), column: None, section: "train".into() };
    let criterion = config.train.loss.get_or_insert_with(|| view.usual()).clone();
    view.check_fit(&criterion)?;
    let criterion = view.with_weights(criterion, config.train.class_weights.as_ref())?;
    view.check_range(&criterion)?;
    let scales = resolve_scales(config, &[(&view, &criterion)])?;
    Ok(Objective::new(criterion, scales.into_iter().next().flatten(), targets).into())
}

/// Returns the losses of all heads, and adds to the configuration what it leaves to defaults.
fn resolve_heads(config: &mut ExperimentConfig, data: &Datasets) -> Result<MultiTaskLoss> {
    let targets = data.targets();
    let (parts, per_step) = (targets.parts(), targets.is_per_step());
    let one_of = [
        ("train.loss", config.train.loss.is_some()),
        ("train.class_weights", config.train.class_weights.is_some()),
    ];
    if let Some((key, _)) = one_of.into_iter().find(|(_, given)| *given) {
        let option = key.trim_start_matches("train.");
        let name = &parts[0].name;
        let message = format!(
            "{key} is given, but there are several heads: expected it in their sections, as \
             train.heads.{name}.{option}"
        );
        return Err(ConfigError::conflict(key, message).into());
    }
    let heads = &mut config.train.heads;
    let unknown = |name: &&String| parts.iter().all(|part| part.name != **name);
    if let Some(name) = heads.keys().find(unknown) {
        let key = format!("train.heads.{name}");
        let known: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let message = format!("{key} is no target: expected some of {}", known.join(", "));
        return Err(ConfigError::conflict(key, message).into());
    }
    let (mut views, mut losses) = (vec![], vec![]);
    for (column, part) in parts.iter().enumerate() {
        let section = format!("train.heads.{}", part.name);
        let kind = part.alone(per_step);
        let view = TargetView { data, kind, column: Some(column), section };
        let head = heads.entry(part.name.clone()).or_default();
        let criterion = head.loss.get_or_insert_with(|| view.usual()).clone();
        view.check_fit(&criterion)?;
        let loss = view.with_weights(criterion, head.class_weights.as_ref())?;
        view.check_range(&loss)?;
        losses.push(HeadLoss { loss, weight: head.weight });
        views.push(view);
    }
    if losses.iter().all(|head| head.weight == 0.0) {
        let message = "train.heads has the weight 0 for all heads: expected one above 0";
        return Err(ConfigError::conflict("train.heads", message).into());
    }
    let of: Vec<_> = views.iter().zip(losses.iter().map(|head| &head.loss)).collect();
    let scales = resolve_scales(config, &of)?;
    MultiTaskLoss::new(parts, per_step, &losses, scales)
}

/// Returns the scale of each target that is scaled, and adds the choice to the configuration.
fn resolve_scales(
    config: &mut ExperimentConfig,
    targets: &[(&TargetView<'_>, &Criterion)],
) -> Result<Vec<Option<Standardize>>> {
    let possible = |(view, criterion): &(&TargetView<'_>, &Criterion)| {
        criterion.allows_scaling() && view.values() > 0
    };
    let any = targets.iter().any(possible);
    let usual = match any && !config.data.generates_held_out() {
        true => TargetTransform::Standardize,
        false => TargetTransform::None,
    };
    let chosen = config.data.target_transform;
    if chosen == Some(TargetTransform::Standardize) && !any {
        let losses: Vec<String> = targets
            .iter()
            .map(|(view, criterion)| format!("{} is {}", view.key("loss"), criterion.name()))
            .collect();
        let message = format!(
            "data.target_transform is standardize, but {}, which has no scale: expected none",
            losses.join(" and ")
        );
        return Err(ConfigError::conflict("data.target_transform", message).into());
    }
    if targets.iter().any(|(view, _)| view.values() > 0) {
        config.data.target_transform = Some(chosen.unwrap_or(usual));
    }
    if chosen.unwrap_or(usual) == TargetTransform::None {
        return Ok(vec![None; targets.len()]);
    }
    let scale = |target: &(&TargetView<'_>, &Criterion)| -> Result<Option<Standardize>> {
        possible(target).then(|| target.0.scale()).transpose()
    };
    targets.iter().map(scale).collect()
}
