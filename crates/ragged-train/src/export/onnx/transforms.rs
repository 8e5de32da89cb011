//! The fitted transforms as nodes.
//!
//! Scaling is computed in 64 bits and rounded to 32 bits, as [`Transform`] does. The other transforms keep the type of
//! the values: their results are exact, or equal after rounding.

use ragged_datasets::transforms::{Keep, Transform};

use crate::export::onnx::graph::{Dim, Element, GraphBuilder, Value};
use crate::export::onnx::messages::Attribute;
use crate::export::onnx::sequences::{Sequences, cast};

/// Applies a transform to padded sequences.
pub(super) fn apply(graph: &mut GraphBuilder, transform: &Transform, sequences: &mut Sequences) {
    if let Transform::Truncate { max_length, keep } = transform {
        return truncate(graph, sequences, i64::try_from(*max_length).unwrap_or(i64::MAX), *keep);
    }
    // All others change features, and leave tokens as they are.
    let Some(x) = sequences.x.clone() else { return };
    match transform {
        Transform::Truncate { .. } => {}
        Transform::Standardize(scale) => {
            let wide = cast(graph, &x, Element::Double);
            let (mean, std) = (doubles(graph, &scale.mean), doubles(graph, &scale.std));
            let centred = graph.node("Sub", [&wide, &mean], vec![]);
            sequences.x = Some(graph.node("Div", [&centred, &std], vec![]));
            sequences.element = Element::Double;
            sequences.round(graph);
        }
        Transform::MinMax(scale) => {
            let width = scale.min.iter().zip(&scale.max);
            let width: Vec<f64> =
                width.map(|(min, max)| if max > min { max - min } else { 1.0 }).collect();
            let (low, high) = (f64::from(scale.low), f64::from(scale.high));
            let wide = cast(graph, &x, Element::Double);
            let (min, width) = (doubles(graph, &scale.min), doubles(graph, &width));
            let offset = graph.node("Sub", [&wide, &min], vec![]);
            let relative = graph.node("Div", [&offset, &width], vec![]);
            let range = graph.number(Element::Double, high - low);
            let scaled = graph.node("Mul", [&relative, &range], vec![]);
            let low = graph.number(Element::Double, low);
            sequences.x = Some(graph.node("Add", [&low, &scaled], vec![]));
            sequences.element = Element::Double;
            sequences.round(graph);
        }
        Transform::ForwardFill => sequences.x = Some(forward_fill(graph, sequences, &x)),
        Transform::MeanFill { mean } => {
            let missing = graph.node("IsNaN", [&x], vec![]);
            let mean = graph.numbers(sequences.element, mean);
            sequences.x = Some(graph.node("Where", [&missing, &mean, &x], vec![]));
        }
        Transform::MissingIndicator { columns } if columns.is_empty() => {}
        Transform::MissingIndicator { columns } => {
            let list: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
            let (list, axis) = (graph.ints(&list), vec![Attribute::int("axis", 2)]);
            let chosen = graph.node("Gather", [&x, &list], axis.clone());
            let missing = graph.node("IsNaN", [&chosen], vec![]);
            let indicators = cast(graph, &missing, sequences.element);
            sequences.x = Some(graph.node("Concat", [&x, &indicators], axis));
            sequences.features += columns.len();
        }
        Transform::Clip { low, high } => {
            sequences.x = Some(clip(graph, &x, sequences.element, *low, *high));
        }
        Transform::Difference => {
            sequences.x = Some(difference(graph, &x));
            // The difference of two 32-bit floats in 64 bits, rounded to 32 bits, is their difference in 32 bits: 53
            // bits of precision are enough for a double rounding without effect.
            sequences.round(graph);
        }
    }
}

fn doubles(graph: &mut GraphBuilder, values: &[f64]) -> Value {
    graph.numbers(Element::Double, values)
}

/// Limits values to a range. The operator `Clip` does not say what it makes of NaN, which has to stay.
fn clip(graph: &mut GraphBuilder, x: &Value, element: Element, low: f32, high: f32) -> Value {
    let low = graph.number(element, low.into());
    let high = graph.number(element, high.into());
    let below = graph.node("Less", [x, &low], vec![]);
    let raised = graph.node("Where", [&below, &low, x], vec![]);
    let above = graph.node("Greater", [x, &high], vec![]);
    graph.node("Where", [&above, &high, &raised], vec![])
}

/// Subtracts from each step the step before it, and the first step from itself.
fn difference(graph: &mut GraphBuilder, x: &Value) -> Value {
    let (zero, one, end) = (graph.ints(&[0]), graph.ints(&[1]), graph.ints(&[-1]));
    let first = graph.node("Slice", [x, &zero, &one, &one], vec![]);
    let before = graph.node("Slice", [x, &zero, &end, &one], vec![]);
    let before = graph.node("Concat", [&first, &before], vec![Attribute::int("axis", 1)]);
    graph.node("Sub", [x, &before], vec![])
}

/// Replaces a missing value by the value before it, step by step.
fn forward_fill(graph: &mut GraphBuilder, sequences: &Sequences, x: &Value) -> Value {
    let Sequences { element, features, .. } = sequences;
    let dims = [Dim::Any("batch"), Dim::Size(*features)];
    let batch = sequences.batch_size(graph);
    let width = graph.ints(&[*features as i64]);
    let shape = graph.node("Concat", [&batch, &width], vec![Attribute::int("axis", 0)]);
    let missing = graph.number(*element, f64::NAN);
    let start = graph.node("Expand", [&missing, &shape], vec![]);
    // One more step, which is cut off again: a scan over no steps ends ONNX Runtime with a signal.
    let (zero, one, end) = (graph.ints(&[0]), graph.ints(&[1]), graph.ints(&[-1]));
    let extra = graph.node("Unsqueeze", [&start, &one], vec![]);
    let longer = graph.node("Concat", [x, &extra], vec![Attribute::int("axis", 1)]);

    // The initial state makes the names of this body unique.
    let mut body = GraphBuilder::new("forward_fill", format!("{}.", start.name()));
    let before = body.input("before", *element, &dims, String::new());
    let step = body.input("step", *element, &dims, String::new());
    let missing = body.node("IsNaN", [&step], vec![]);
    let filled = body.node("Where", [&missing, &before, &step], vec![]);
    let state = body.node("Identity", [&filled], vec![]);
    body.output(&state, "state", *element, &dims, String::new());
    body.output(&filled, "filled", *element, &dims, String::new());
    let attributes = vec![
        Attribute::graph("body", body.finish()),
        Attribute::int("num_scan_inputs", 1),
        Attribute::ints("scan_input_axes", &[1]),
        Attribute::ints("scan_output_axes", &[1]),
    ];
    let filled = graph.node_last("Scan", &[&start, &longer], attributes, &["state"]);
    graph.node("Slice", [&filled, &zero, &end, &one], vec![])
}

/// Keeps the first or the last steps of each sequence.
fn truncate(graph: &mut GraphBuilder, sequences: &mut Sequences, max_length: i64, keep: Keep) {
    let most = graph.ints(&[max_length]);
    let kept = graph.node("Min", [&sequences.lengths, &most], vec![]);
    let (zero, one) = (graph.ints(&[0]), graph.ints(&[1]));
    let from = (keep == Keep::Last).then(|| {
        // Moves the last steps of each sequence to its beginning: step t becomes step t - (length - kept).
        let count = sequences.time_size(graph);
        let steps = sequences.steps(graph);
        let offset = graph.node("Sub", [&sequences.lengths, &kept], vec![]);
        let offset = graph.node("Unsqueeze", [&offset, &one], vec![]);
        let from = graph.node("Add", [&steps, &offset], vec![]);
        // Steps after the end of a sequence are padding. Their source only has to exist.
        let last = graph.node("Sub", [&count, &one], vec![]);
        let from = graph.node("Min", [&from, &last], vec![]);
        let axis = graph.ints(&[2]);
        graph.node("Unsqueeze", [&from, &axis], vec![])
    });
    for value in sequences.x.iter_mut().chain(&mut sequences.tokens) {
        if let Some(from) = &from {
            let batch_dims = vec![Attribute::int("batch_dims", 1)];
            *value = graph.node("GatherND", [value, from], batch_dims);
        }
        *value = graph.node("Slice", [value, &zero, &most, &one], vec![]);
    }
    sequences.lengths = kept;
}
