//! The readouts without parameters as nodes.

use ragged_models::Readout;

use crate::export::onnx::graph::{Element, GraphBuilder, Value};
use crate::export::onnx::messages::Attribute;
use crate::export::onnx::recurrent::Read;
use crate::export::onnx::sequences::{Sequences, cast};

/// Returns what a readout reads from the last layer.
pub(super) fn reads(readout: Readout) -> Read {
    match readout {
        Readout::Final => Read::FinalStates,
        _ => Read::Outputs,
    }
}

/// Returns the rows that the head receives, `[B, F]`, or `[B, T, F]` for every step. The row of a sequence without
/// steps is zero, except for its final states.
pub(super) fn read(
    graph: &mut GraphBuilder,
    readout: Readout,
    sequences: &Sequences,
    layer: &Value,
) -> Value {
    match readout {
        // Attention reads all steps itself.
        Readout::Final | Readout::Steps | Readout::Attention => layer.clone(),
        Readout::Last => {
            let last = last_step(graph, sequences);
            step(graph, sequences, layer, &last)
        }
        Readout::First => {
            let (last, zero) = (last_step(graph, sequences), graph.int(0));
            let first = graph.node("Min", [&last, &zero], vec![]);
            step(graph, sequences, layer, &first)
        }
        Readout::Sum => sum(graph, sequences, layer),
        Readout::Mean => {
            let total = sum(graph, sequences, layer);
            let (lengths, one) = (sequences.length_column(graph), graph.int(1));
            let count = graph.node("Max", [&lengths, &one], vec![]);
            let count = cast(graph, &count, Element::Float);
            graph.node("Div", [&total, &count], vec![])
        }
        Readout::Max => {
            let mask = sequences.mask(graph);
            let least = graph.number(Element::Float, f64::NEG_INFINITY);
            let real = graph.node("Where", [&mask, layer, &least], vec![]);
            let largest = over_time(graph, "ReduceMax", &real);
            let empty = sequences.is_empty(graph);
            let zero = graph.number(Element::Float, 0.0);
            graph.node("Where", [&empty, &zero, &largest], vec![])
        }
    }
}

/// The number of the last step of each sequence, `[B, 1]`; -1 for a sequence without steps.
fn last_step(graph: &mut GraphBuilder, sequences: &Sequences) -> Value {
    let (lengths, one) = (sequences.length_column(graph), graph.int(1));
    graph.node("Sub", [&lengths, &one], vec![])
}

/// The row of one step of each sequence, as a sum with zeros. An index would have to exist, and a batch may have no
/// steps at all.
fn step(graph: &mut GraphBuilder, sequences: &Sequences, layer: &Value, number: &Value) -> Value {
    let steps = sequences.steps(graph);
    let chosen = graph.node("Equal", [&steps, number], vec![]);
    let axis = graph.ints(&[2]);
    let chosen = graph.node("Unsqueeze", [&chosen, &axis], vec![]);
    masked_sum(graph, &chosen, layer)
}

/// The sum over the steps of each sequence.
fn sum(graph: &mut GraphBuilder, sequences: &Sequences, layer: &Value) -> Value {
    let mask = sequences.mask(graph);
    masked_sum(graph, &mask, layer)
}

fn masked_sum(graph: &mut GraphBuilder, mask: &Value, layer: &Value) -> Value {
    let zero = graph.number(Element::Float, 0.0);
    let real = graph.node("Where", [mask, layer, &zero], vec![]);
    over_time(graph, "ReduceSum", &real)
}

fn over_time(graph: &mut GraphBuilder, operator: &'static str, value: &Value) -> Value {
    let axes = graph.ints(&[1]);
    graph.node(operator, [value, &axes], vec![Attribute::int("keepdims", 0)])
}
