//! What a program can read about an exported model: `metadata_props` and the texts for people.

use ragged_datasets::formats::Schema;
use ragged_datasets::{TargetKind, TargetPart};
use ragged_transforms::{HeadOutputs, OutputKind, Outputs, TokenEncoder, TokenVocabulary};
use serde_json::{Value, json};

use crate::export::onnx::messages::Property;

/// Returns the properties. `labels`, `outputs` (for values) and `features` are JSON lists of names, `heads`,
/// `vocabularies` and `static_categories` lists of objects; they are left out where there are none.
pub(super) fn properties(
    name: &str,
    epoch: usize,
    schema: &Schema,
    outputs: &Outputs,
    encoder: &TokenEncoder,
) -> Vec<Property> {
    let targets = &schema.targets;
    let task = match targets {
        TargetKind::Classes(_) | TargetKind::StepClasses(_) => "classification",
        // Refused before.
        TargetKind::Labels(_) => "transcription",
        TargetKind::Parts { .. } => "several",
        TargetKind::Values(_) | TargetKind::StepValues(_) => "regression",
    };
    let per = if targets.is_per_step() { "step" } else { "sequence" };
    let json = |key: &str, value: Value| Property { key: key.into(), value: value.to_string() };
    let list = |key: &str, names: &[String]| json(key, json!(names));
    let text = |key: &str, value: &str| Property { key: key.into(), value: value.into() };
    let mut properties = vec![
        text("name", name),
        text("epoch", &epoch.to_string()),
        text("task", task),
        text("prediction_per", per),
    ];
    properties.extend(targets.labels().map(|labels| list("labels", labels)));
    let heads = targets.parts().iter().zip(outputs.kind.heads());
    let heads: Vec<Value> = heads.map(|(part, head)| head_properties(part, head)).collect();
    if !heads.is_empty() {
        properties.push(json("heads", json!(heads)));
    } else if targets.labels().is_none() {
        properties.push(list("outputs", &outputs.names(targets.outputs())));
    }
    let features = schema.features.as_ref().filter(|names| !names.is_empty());
    properties.extend(features.map(|names| list("features", names)));
    let statics = encoder.statics();
    for (key, columns) in
        [("vocabularies", encoder.columns()), ("static_categories", statics.categories())]
    {
        let all: Vec<Value> = columns.iter().map(vocabulary).collect();
        properties.extend((!all.is_empty()).then(|| json(key, json!(all))));
    }
    let numbers: Vec<String> = statics.numbers().iter().map(|n| n.column.clone()).collect();
    properties.extend((!numbers.is_empty()).then(|| list("static_numbers", &numbers)));
    properties
}

/// The name of the output of a head.
pub(super) fn output_name(head: &str) -> String {
    format!("prediction.{head}")
}

fn head_properties(part: &TargetPart, head: &HeadOutputs) -> Value {
    let output = output_name(&part.name);
    match part.labels() {
        Some(labels) => json!({ "name": part.name, "output": output, "labels": labels }),
        None => json!({ "name": part.name, "output": output, "outputs": head.outputs.names(1) }),
    }
}

/// The text of each index, from 0, and the index of unknown tokens.
fn vocabulary(TokenVocabulary { column, vocabulary }: &TokenVocabulary) -> Value {
    json!({
        "column": column,
        "lowercase": vocabulary.is_lowercase(),
        "unknown": vocabulary.unknown(),
        "tokens": vocabulary.texts(),
    })
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
