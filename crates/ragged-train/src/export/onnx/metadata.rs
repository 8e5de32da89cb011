//! What a program can read about an exported model: `metadata_props` and the texts for people.

use ragged_datasets::TargetKind;
use ragged_datasets::formats::Schema;
use ragged_transforms::{OutputKind, Outputs};
use serde_json::json;

use crate::export::onnx::messages::Property;

/// Returns the properties. `labels`, `outputs` (for values) and `features` are JSON lists of names; they are left out
/// where there are none.
pub(super) fn properties(
    name: &str,
    epoch: usize,
    schema: &Schema,
    outputs: &Outputs,
) -> Vec<Property> {
    let (task, per) = match &schema.targets {
        TargetKind::Classes(_) => ("classification", "sequence"),
        TargetKind::StepClasses(_) => ("classification", "step"),
        // Refused before.
        TargetKind::Labels(_) => ("transcription", "sequence"),
        TargetKind::Parts { .. } => ("several", "sequence"),
        TargetKind::Values(_) => ("regression", "sequence"),
        TargetKind::StepValues(_) => ("regression", "step"),
    };
    let list =
        |key: &str, names: &[String]| Property { key: key.into(), value: json!(names).to_string() };
    let text = |key: &str, value: &str| Property { key: key.into(), value: value.into() };
    let mut properties = vec![
        text("name", name),
        text("epoch", &epoch.to_string()),
        text("task", task),
        text("prediction_per", per),
    ];
    properties.extend(schema.targets.labels().map(|labels| list("labels", labels)));
    if schema.targets.labels().is_none() {
        properties.push(list("outputs", &outputs.names(schema.targets.outputs())));
    }
    properties.extend(schema.features.as_ref().map(|names| list("features", names)));
    properties
}

/// Describes the values of the output.
pub(super) fn prediction_doc(targets: &TargetKind, outputs: &Outputs) -> String {
    let values = match targets.labels() {
        Some(labels) => format!("The probabilities of the classes {}", labels.join(", ")),
        None if outputs.kind == OutputKind::Value => "The predicted values".into(),
        None => format!("The predictions {}", outputs.names(targets.outputs()).join(", ")),
    };
    match targets.is_per_step() {
        true => format!("{values}, for each step; zero after the end of a sequence."),
        false => format!("{values}, for each sequence."),
    }
}

/// Describes the features of the input.
pub(super) fn input_doc(schema: &Schema) -> String {
    let names = schema.features.as_ref().map(|names| format!(" ({})", names.join(", ")));
    format!(
        "Sequences, padded to one length with any values. The features{} are those of the training data before \
         transforms; NaN stands for a missing value.",
        names.unwrap_or_default()
    )
}
