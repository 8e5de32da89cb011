//! Attention over the outputs of all steps as nodes.

use ragged_models::AttentionConfig;

use crate::error::Result;
use crate::export::onnx::graph::{Element, GraphBuilder, Value};
use crate::export::onnx::linear::{linear, product};
use crate::export::onnx::messages::Attribute;
use crate::export::onnx::sequences::Sequences;
use crate::export::onnx::weights::Weights;

/// Returns the means of the outputs `[B, T, F]`, weighted by the softmax of the scores of each head, `[B, heads * F]`;
/// zeros for a sequence without steps.
pub(super) fn read(
    graph: &mut GraphBuilder,
    config: AttentionConfig,
    features: usize,
    weights: &Weights<'_>,
    sequences: &Sequences,
    layer: &Value,
) -> Result<Value> {
    let AttentionConfig { size, heads } = config;
    let hidden = linear(graph, weights, "attention.hidden", (features, size), layer)?;
    let hidden = graph.node("Tanh", [&hidden], vec![]);
    let scores = product(graph, weights, "attention.score", (size, heads), &hidden)?;
    let mask = sequences.mask(graph);
    let (zero, least) = (graph.number(Element::Float, 0.0), least(graph));
    let real = graph.node("Where", [&mask, &scores, &least], vec![]);
    let time = graph.ints(&[1]);
    let keep = |keep| vec![Attribute::int("keepdims", keep)];
    let largest = graph.node("ReduceMax", [&real, &time], keep(1));
    let relative = graph.node("Sub", [&scores, &largest], vec![]);
    let exps = graph.node("Exp", [&relative], vec![]);
    let exps = graph.node("Where", [&mask, &exps, &zero], vec![]);
    // The largest exponential of a sequence is 1, so that this changes only the sum of no steps.
    let (sums, one) =
        (graph.node("ReduceSum", [&exps, &time], keep(1)), graph.number(Element::Float, 1.0));
    let sums = graph.node("Max", [&sums, &one], vec![]);
    let shares = graph.node("Div", [&exps, &sums], vec![]);
    // [B, T, heads, 1] times [B, T, 1, F]. A matrix product would have a sum of no terms in a batch without steps.
    let (last, inner) = (graph.ints(&[3]), graph.ints(&[2]));
    let shares = graph.node("Unsqueeze", [&shares, &last], vec![]);
    let rows = graph.node("Where", [&mask, layer, &zero], vec![]);
    let rows = graph.node("Unsqueeze", [&rows, &inner], vec![]);
    let weighted = graph.node("Mul", [&rows, &shares], vec![]);
    let means = graph.node("ReduceSum", [&weighted, &time], keep(0));
    // A size of 0 is that of the input.
    let shape = graph.ints(&[0, (heads * features) as i64]);
    Ok(graph.node("Reshape", [&means, &shape], vec![]))
}

fn least(graph: &mut GraphBuilder) -> Value {
    graph.number(Element::Float, f64::NEG_INFINITY)
}
