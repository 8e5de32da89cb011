//! Tokens as the input of the recurrent layers.

use ragged_models::{EmbeddingSize, TokenConfig};

use crate::error::Result;
use crate::export::onnx::graph::{GraphBuilder, Value};
use crate::export::onnx::messages::Attribute;
use crate::export::onnx::sequences::Sequences;
use crate::export::onnx::weights::Weights;

/// Returns the rows `[B, T, I]` of the recurrent layers: the features, then the rows of the tables for the tokens.
pub(super) fn rows(
    graph: &mut GraphBuilder,
    config: Option<&TokenConfig>,
    weights: &Weights<'_>,
    sequences: &Sequences,
) -> Result<Value> {
    let mut parts: Vec<Value> = sequences.x.iter().cloned().collect();
    if let (Some(config), Some(tokens)) = (config, &sequences.tokens) {
        // Padding may have any indices, also such as no table has.
        let (mask, zero) = (sequences.mask(graph), graph.int(0));
        let ids = graph.node("Where", [&mask, tokens, &zero], vec![]);
        for (k, size) in config.tables.iter().enumerate() {
            let name = match config.tables.len() {
                1 => "embedding.weight".to_string(),
                _ => format!("embedding.{k}.weight"),
            };
            parts.push(embed(graph, weights, &name, *size, (&ids, k, 2))?);
        }
    }
    Ok(concat(graph, &parts, 2))
}

/// Returns the rows of a table for one column of indices, which is the element `k` of their axis `axis`.
pub(super) fn embed(
    graph: &mut GraphBuilder,
    weights: &Weights<'_>,
    name: &str,
    size: EmbeddingSize,
    (ids, k, axis): (&Value, usize, i64),
) -> Result<Value> {
    let dims = [size.num_embeddings, size.embedding_dim];
    let table = weights.get(name, &dims)?;
    let table = graph.parameter(name.into(), &dims, &table);
    let column = graph.int(k as i64);
    let column = graph.node("Gather", [ids, &column], vec![Attribute::int("axis", axis)]);
    Ok(graph.node("Gather", [&table, &column], vec![Attribute::int("axis", 0)]))
}

/// Joins values along an axis.
pub(super) fn concat(graph: &mut GraphBuilder, parts: &[Value], axis: i64) -> Value {
    match parts {
        [only] => only.clone(),
        _ => {
            let parts: Vec<&Value> = parts.iter().collect();
            graph.node_last("Concat", &parts, vec![Attribute::int("axis", axis)], &[])
        }
    }
}
