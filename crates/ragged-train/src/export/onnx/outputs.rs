//! From the outputs of the head to predictions in the units of the training data.

use ragged_transforms::{OutputKind, Outputs, SMALLEST_VARIANCE, Standardize};

use crate::export::onnx::graph::{Element, GraphBuilder, Value};
use crate::export::onnx::messages::Attribute;
use crate::export::onnx::sequences::cast;

/// Applies [`Outputs`] to the last axis, which has `count` outputs.
pub(super) fn apply(graph: &mut GraphBuilder, outputs: &Outputs, x: Value, count: usize) -> Value {
    if outputs.is_identity() {
        return x;
    }
    match &outputs.kind {
        // Each head is applied alone.
        OutputKind::Heads(_) => x,
        OutputKind::Value | OutputKind::Quantiles(_) => {
            let per_value = outputs.kind.per_value();
            unscaled(graph, outputs.scale.as_ref(), &x, per_value, true)
        }
        OutputKind::Gaussian => {
            let last = || vec![Attribute::int("axis", -1)];
            let every_second = |first: i64| (0..count as i64 / 2).map(move |k| 2 * k + first);
            let means = graph.ints(&every_second(0).collect::<Vec<_>>());
            let raw = graph.ints(&every_second(1).collect::<Vec<_>>());
            let means = graph.node("Gather", [&x, &means], last());
            let raw = graph.node("Gather", [&x, &raw], last());
            let means = unscaled(graph, outputs.scale.as_ref(), &means, 1, true);
            let variances = graph.node("Softplus", [&raw], vec![]);
            let least = graph.number(Element::Float, SMALLEST_VARIANCE);
            let variances = graph.node("Max", [&variances, &least], vec![]);
            let stds = graph.node("Sqrt", [&variances], vec![]);
            let stds = unscaled(graph, outputs.scale.as_ref(), &stds, 1, false);
            let grouped = graph.node("Concat", [&means, &stds], last());
            let half = count as i64 / 2;
            let order: Vec<i64> = (0..half).flat_map(|k| [k, half + k]).collect();
            let order = graph.ints(&order);
            graph.node("Gather", [&grouped, &order], last())
        }
        OutputKind::LogRate => graph.node("Exp", [&x], vec![]),
        OutputKind::Logit => graph.node("Sigmoid", [&x], vec![]),
    }
}

/// Multiplies by the standard deviations and, if wanted, adds the means; each is repeated for the outputs of a value.
/// Computed in 64 bits and rounded to 32 bits, as [`Outputs`] does.
fn unscaled(
    graph: &mut GraphBuilder,
    scale: Option<&Standardize>,
    x: &Value,
    per_value: usize,
    shifted: bool,
) -> Value {
    let Some(Standardize { mean, std }) = scale else {
        return graph.node("Identity", [x], vec![]);
    };
    let repeated = |values: &[f64]| -> Vec<f64> {
        values.iter().flat_map(|&value| std::iter::repeat_n(value, per_value)).collect()
    };
    let wide = cast(graph, x, Element::Double);
    let std = graph.numbers(Element::Double, &repeated(std));
    let mut scaled = graph.node("Mul", [&wide, &std], vec![]);
    if shifted {
        let mean = graph.numbers(Element::Double, &repeated(mean));
        scaled = graph.node("Add", [&scaled, &mean], vec![]);
    }
    cast(graph, &scaled, Element::Float)
}
