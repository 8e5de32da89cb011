//! Static values as nodes.

use ragged_models::{LayerKind, ModelConfig, StaticConfig, StaticJoin};
use ragged_transforms::StaticEncoder;

use crate::error::Result;
use crate::export::onnx::embedding::{concat, embed};
use crate::export::onnx::graph::{Dim, Element, GraphBuilder, Value};
use crate::export::onnx::linear::linear;
use crate::export::onnx::messages::Attribute;
use crate::export::onnx::sequences::{Sequences, cast};
use crate::export::onnx::weights::Weights;

/// Declares the inputs of static values, and returns their features `[B, S]`: the scaled numbers, of which a missing
/// one is the mean, then the rows of the tables.
pub(super) fn features(
    graph: &mut GraphBuilder,
    config: &StaticConfig,
    encoder: &StaticEncoder,
    weights: &Weights<'_>,
) -> Result<Value> {
    let mut parts = vec![];
    let batch = |size: usize| [Dim::Any("batch"), Dim::Size(size)];
    if config.num_values > 0 {
        let names: Vec<&str> = encoder.numbers().iter().map(|n| n.column.as_str()).collect();
        let doc =
            format!("{}: one number for each sequence; NaN if it is missing.", names.join(", "));
        let dims = batch(config.num_values);
        let numbers = graph.input("static_numbers", Element::Double, &dims, doc);
        let mean: Vec<f64> = encoder.numbers().iter().map(|number| number.mean).collect();
        let std: Vec<f64> = encoder.numbers().iter().map(|number| number.std).collect();
        let (mean, std) =
            (graph.numbers(Element::Double, &mean), graph.numbers(Element::Double, &std));
        let centred = graph.node("Sub", [&numbers, &mean], vec![]);
        let scaled = graph.node("Div", [&centred, &std], vec![]);
        let missing = graph.node("IsNaN", [&numbers], vec![]);
        let zero = graph.number(Element::Double, 0.0);
        let filled = graph.node("Where", [&missing, &zero, &scaled], vec![]);
        parts.push(cast(graph, &filled, Element::Float));
    }
    if !config.tables.is_empty() {
        let names: Vec<&str> = encoder.categories().iter().map(|c| c.column.as_str()).collect();
        let doc = format!(
            "{}: the index of the category of each sequence in the vocabulary of the column.",
            names.join(", ")
        );
        let dims = batch(config.tables.len());
        let categories = graph.input("static_categories", Element::Int64, &dims, doc);
        for (k, size) in config.tables.iter().enumerate() {
            let name = format!("static.embedding.{k}.weight");
            parts.push(embed(graph, weights, &name, *size, (&categories, k, 1))?);
        }
    }
    Ok(concat(graph, &parts, 1))
}

/// Returns the initial states that static values make, `[L D, B, H]` each; none where they join the head.
pub(super) fn states(
    graph: &mut GraphBuilder,
    config: &ModelConfig,
    weights: &Weights<'_>,
    features: Option<&Value>,
) -> Result<Vec<Value>> {
    let statics = config.statics.as_ref().filter(|statics| statics.join == StaticJoin::State);
    let (Some(statics), Some(features)) = (statics, features) else { return Ok(vec![]) };
    let (layer, hidden) = (&config.layer, config.layer.hidden_size);
    let cells = layer.num_layers * layer.num_directions();
    let parts = if config.cell == LayerKind::Lstm { 2 } else { 1 };
    let state = |k: usize| {
        let sizes = (statics.features(), cells * hidden);
        let all = linear(graph, weights, &format!("static.state.{k}"), sizes, features)?;
        // A size of 0 is that of the input.
        let shape = graph.ints(&[0, cells as i64, hidden as i64]);
        let rows = graph.node("Reshape", [&all, &shape], vec![]);
        Ok(graph.node("Transpose", [&rows], vec![Attribute::ints("perm", &[1, 0, 2])]))
    };
    (0..parts).map(state).collect()
}

/// Appends the features to the rows of the head, `[B, R]` or `[B, T, R]` for every step, if they join it.
pub(super) fn join(
    graph: &mut GraphBuilder,
    config: &ModelConfig,
    sequences: &Sequences,
    rows: Value,
    features: Option<&Value>,
    per_step: bool,
) -> Value {
    let statics = config.statics.as_ref().filter(|statics| statics.join == StaticJoin::Head);
    let (Some(statics), Some(features)) = (statics, features) else { return rows };
    if !per_step {
        return concat(graph, &[rows, features.clone()], 1);
    }
    let axis = graph.ints(&[1]);
    let one_step = graph.node("Unsqueeze", [features, &axis], vec![]);
    let (batch, time) = (sequences.batch_size(graph), sequences.time_size(graph));
    let width = graph.ints(&[statics.features() as i64]);
    let shape = concat(graph, &[batch, time, width], 0);
    let repeated = graph.node("Expand", [&one_step, &shape], vec![]);
    concat(graph, &[rows, repeated], 2)
}
