//! A linear layer as nodes.

use crate::error::Result;
use crate::export::onnx::graph::{GraphBuilder, Value};
use crate::export::onnx::weights::Weights;

/// Applies the layer whose parameters are `NAME.weight` and `NAME.bias` to rows `[.., I]`. `sizes` are I and the number
/// of outputs.
pub(super) fn linear(
    graph: &mut GraphBuilder,
    weights: &Weights<'_>,
    name: &str,
    sizes: (usize, usize),
    rows: &Value,
) -> Result<Value> {
    let product = product(graph, weights, name, sizes, rows)?;
    let name = format!("{name}.bias");
    let bias = weights.get(&name, &[sizes.1])?;
    let bias = graph.parameter(name, &[sizes.1], &bias);
    Ok(graph.node("Add", [&product, &bias], vec![]))
}

/// Applies the same layer without its bias.
pub(super) fn product(
    graph: &mut GraphBuilder,
    weights: &Weights<'_>,
    name: &str,
    (inputs, outputs): (usize, usize),
    rows: &Value,
) -> Result<Value> {
    let name = format!("{name}.weight");
    let weight = weights.get(&name, &[outputs, inputs])?;
    // `MatMul` takes rows of any rank, and the transpose of the weight.
    let transposed: Vec<f32> =
        (0..inputs).flat_map(|k| weight.iter().skip(k).step_by(inputs).copied()).collect();
    let weight = graph.parameter(name, &[inputs, outputs], &transposed);
    Ok(graph.node("MatMul", [rows, &weight], vec![]))
}
