//! Padded sequences within a graph.

use crate::export::onnx::graph::{Element, GraphBuilder, Value};
use crate::export::onnx::messages::Attribute;

/// A padded batch: the steps of each sequence, then padding of any content.
pub(super) struct Sequences {
    /// The features, `[B, T, I]`; absent in a model of tokens alone.
    pub(super) x: Option<Value>,
    /// Float, or double where 32 bits cannot hold the values.
    pub(super) element: Element,
    /// The number of features I.
    pub(super) features: usize,
    /// The indices of the tokens, `[B, T, K]`, if the model reads tokens.
    pub(super) tokens: Option<Value>,
    /// `[B]`, whole numbers from 0 to T.
    pub(super) lengths: Value,
}

impl Sequences {
    /// Rounds the values to 32 bits.
    pub(super) fn round(&mut self, graph: &mut GraphBuilder) {
        if let (Some(x), Element::Double) = (&self.x, self.element) {
            self.x = Some(cast(graph, x, Element::Float));
        }
        self.element = Element::Float;
    }

    /// Returns a value that has the batch and the time as its first axes.
    fn steps_of_all(&self) -> &Value {
        self.x.as_ref().or(self.tokens.as_ref()).unwrap_or(&self.lengths)
    }

    /// Returns B, `[1]`.
    pub(super) fn batch_size(&self, graph: &mut GraphBuilder) -> Value {
        size(graph, self.steps_of_all(), 0)
    }

    /// Returns T, `[1]`.
    pub(super) fn time_size(&self, graph: &mut GraphBuilder) -> Value {
        size(graph, self.steps_of_all(), 1)
    }

    /// Returns the numbers of the steps, from 0, `[T]`.
    pub(super) fn steps(&self, graph: &mut GraphBuilder) -> Value {
        let count = self.time_size(graph);
        let count = graph.node("Squeeze", [&count], vec![]);
        let (zero, one) = (graph.int(0), graph.int(1));
        graph.node("Range", [&zero, &count, &one], vec![])
    }

    /// Returns the lengths as a column, `[B, 1]`.
    pub(super) fn length_column(&self, graph: &mut GraphBuilder) -> Value {
        let last = graph.ints(&[1]);
        graph.node("Unsqueeze", [&self.lengths, &last], vec![])
    }

    /// Returns whether a sequence has no step, `[B, 1]`.
    pub(super) fn is_empty(&self, graph: &mut GraphBuilder) -> Value {
        let (lengths, zero) = (self.length_column(graph), graph.int(0));
        graph.node("Equal", [&lengths, &zero], vec![])
    }

    /// Returns whether a step belongs to its sequence, `[B, T, 1]`.
    pub(super) fn mask(&self, graph: &mut GraphBuilder) -> Value {
        let (steps, lengths) = (self.steps(graph), self.length_column(graph));
        let real = graph.node("Less", [&steps, &lengths], vec![]);
        let last = graph.ints(&[2]);
        graph.node("Unsqueeze", [&real, &last], vec![])
    }
}

/// Returns the size of one axis, `[1]`.
fn size(graph: &mut GraphBuilder, value: &Value, axis: i64) -> Value {
    let range = vec![Attribute::int("start", axis), Attribute::int("end", axis + 1)];
    graph.node("Shape", [value], range)
}

/// Converts a value to another type.
pub(super) fn cast(graph: &mut GraphBuilder, value: &Value, element: Element) -> Value {
    graph.node("Cast", [value], vec![Attribute::int("to", element as i64)])
}
