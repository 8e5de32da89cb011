//! The outputs of a graph: the predictions for one target or several.

use ragged_datasets::TargetKind;
use ragged_transforms::Outputs;

use crate::export::onnx::graph::{Dim, Element, GraphBuilder, Value};
use crate::export::onnx::messages::Attribute;
use crate::export::onnx::sequences::Sequences;
use crate::export::onnx::{metadata, outputs};

/// Declares the output `prediction`, or one for each head, from the `count` outputs of the linear layer.
pub(super) fn declare(
    graph: &mut GraphBuilder,
    targets: &TargetKind,
    outputs: &Outputs,
    steps: Option<&Steps<'_>>,
    (values, count): (Value, usize),
) {
    if targets.parts().is_empty() {
        let prediction = Prediction { targets, outputs, steps, name: "prediction" };
        return prediction.declare(graph, values, count);
    }
    let (last, mut start) = (graph.ints(&[-1]), 0);
    for (part, head) in targets.parts().iter().zip(outputs.kind.heads()) {
        let end = start + head.count;
        let (from, to) = (graph.ints(&[start as i64]), graph.ints(&[end as i64]));
        let own = graph.node("Slice", [&values, &from, &to, &last], vec![]);
        let targets = &part.alone(targets.is_per_step());
        let (outputs, name) = (&head.outputs, &metadata::output_name(&part.name));
        Prediction { targets, outputs, steps, name }.declare(graph, own, head.count);
        start = end;
    }
}

/// The steps of predictions per step.
pub(super) struct Steps<'a> {
    pub(super) sequences: &'a Sequences,
    /// Whether a transform has left out some.
    pub(super) truncated: bool,
}

/// The predictions for one target.
struct Prediction<'a> {
    targets: &'a TargetKind,
    outputs: &'a Outputs,
    steps: Option<&'a Steps<'a>>,
    name: &'a str,
}

impl Prediction<'_> {
    fn declare(&self, graph: &mut GraphBuilder, mut values: Value, count: usize) {
        if self.targets.labels().is_some() {
            values = graph.node("Softmax", [&values], vec![Attribute::int("axis", -1)]);
        }
        let mut prediction = outputs::apply(graph, self.outputs, values, count);
        let mut dims = vec![Dim::Any("batch"), Dim::Size(count)];
        if let Some(Steps { sequences, truncated }) = self.steps {
            let (mask, zero) = (sequences.mask(graph), graph.number(Element::Float, 0.0));
            prediction = graph.node("Where", [&mask, &prediction, &zero], vec![]);
            dims.insert(1, Dim::Any(if *truncated { "kept" } else { "time" }));
        }
        let doc = metadata::prediction_doc(self.targets, self.outputs);
        graph.output(&prediction, self.name, Element::Float, &dims, doc);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ragged_datasets::{PartKind, TargetPart};
    use ragged_models::Readout;
    use ragged_transforms::{HeadOutputs, OutputKind};

    use super::*;
    use crate::export::onnx::case::{Case, check_names, dims};

    #[test]
    fn each_head_is_an_output() {
        for (readout, per_step) in [(Readout::Mean, false), (Readout::Steps, true)] {
            let mut case = Case::new(readout);
            let kind = PartKind::Classes(["run", "stand", "walk"].map(String::from).to_vec());
            let parts = vec![
                TargetPart { name: "activity".into(), kind },
                TargetPart { name: "x".into(), kind: PartKind::Values },
            ];
            case.schema.targets = TargetKind::Parts { parts, per_step };
            let outputs = Outputs { kind: OutputKind::Gaussian, scale: None };
            let heads = vec![
                HeadOutputs { name: "activity".into(), count: 3, outputs: Outputs::default() },
                HeadOutputs { name: "x".into(), count: 2, outputs },
            ];
            case.outputs = Outputs { kind: OutputKind::Heads(heads), scale: None };
            case.config.num_outputs = 5;
            let model = case.encode(&case.weights()).unwrap();
            let graph = model.graph.unwrap();
            check_names(&graph, &HashSet::new());
            let names: Vec<&str> = graph.output.iter().map(|output| &*output.name).collect();
            assert_eq!(names, ["prediction.activity", "prediction.x"]);
            let last = graph.output.iter().map(|output| dims(output).pop().unwrap());
            assert_eq!(last.collect::<Vec<_>>(), ["3", "2"]);
            let heads = model.metadata_props.iter().find(|property| property.key == "heads");
            assert_eq!(
                heads.unwrap().value,
                r#"[{"labels":["run","stand","walk"],"name":"activity","output":"prediction.activity"},{"name":"x","output":"prediction.x","outputs":["mean","std"]}]"#
            );
        }
    }
}
