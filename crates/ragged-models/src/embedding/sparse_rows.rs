//! The rows of a table that one batch has, with a gradient of their own.

use candle_core::{Tensor, Var};

/// The distinct rows of an embedding table that a batch has, as a variable of their own.
///
/// The graph of the batch ends at [`rows`](Self::rows), so that neither the backward pass nor an update costs anything
/// for the other rows of the table. [`Model::embed_sparse`](crate::Model::embed_sparse) returns it.
#[derive(Debug, Clone)]
pub struct SparseRows {
    /// The parameter `[V, E]` from which the rows were copied.
    pub table: Tensor,
    /// The indices of the rows in the table, in increasing order.
    pub ids: Vec<u32>,
    /// `[ids, E]`.
    pub rows: Var,
}
