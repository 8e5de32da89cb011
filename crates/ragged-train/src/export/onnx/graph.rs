//! A builder of graphs: each call adds a node and returns its output.

use std::collections::HashMap;

use crate::export::onnx::messages::{
    Attribute, Dimension, Graph, Node, Shape, Tensor, TensorType, Type, ValueInfo,
};

/// The element types, with their numbers in `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Element {
    Float = 1,
    Int32 = 6,
    Int64 = 7,
    Double = 11,
}

/// The name of an input, a constant or the output of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Value(String);

impl Value {
    /// Returns the optional input that is not given.
    pub(super) fn absent() -> Self {
        Self(String::new())
    }

    /// Returns the name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

/// A dimension of an input or output.
pub(super) enum Dim {
    Size(usize),
    /// A size that is not known before the graph is run.
    Any(&'static str),
}

/// A graph under construction.
#[derive(Default)]
pub(super) struct GraphBuilder {
    /// The beginning of all names. The names in a graph within another graph must differ from those outside.
    prefix: String,
    graph: Graph,
    /// The number of nodes of each operator so far.
    counts: HashMap<&'static str, usize>,
    /// The constants without a name, by type, dimensions and bytes. Each is stored once.
    constants: HashMap<(Element, Vec<i64>, Vec<u8>), Value>,
}

impl GraphBuilder {
    /// Creates an empty graph. All names that it makes up begin with `prefix`.
    pub(super) fn new(name: &str, prefix: String) -> Self {
        Self { prefix, graph: Graph { name: name.into(), ..Graph::default() }, ..Self::default() }
    }

    /// Declares an input.
    pub(super) fn input(
        &mut self,
        name: &str,
        element: Element,
        dims: &[Dim],
        doc: String,
    ) -> Value {
        let name = format!("{}{name}", self.prefix);
        self.graph.input.push(value_info(name.clone(), element, dims, doc));
        Value(name)
    }

    /// Makes the output of a node an output of the graph, under a name of its own.
    pub(super) fn output(
        &mut self,
        value: &Value,
        name: &str,
        element: Element,
        dims: &[Dim],
        doc: String,
    ) {
        let name = format!("{}{name}", self.prefix);
        for node in &mut self.graph.node {
            for other in node.input.iter_mut().chain(&mut node.output) {
                if *other == value.0 {
                    other.clone_from(&name);
                }
            }
        }
        self.graph.output.push(value_info(name, element, dims, doc));
    }

    /// Adds a node with one output.
    pub(super) fn node<const N: usize>(
        &mut self,
        operator: &'static str,
        inputs: [&Value; N],
        attributes: Vec<Attribute>,
    ) -> Value {
        self.node_last(operator, &inputs, attributes, &[])
    }

    /// Adds a node and returns its last output. `unused` has a name for each output before it; one without a name is
    /// not computed, where the operator allows that.
    pub(super) fn node_last(
        &mut self,
        operator: &'static str,
        inputs: &[&Value],
        attribute: Vec<Attribute>,
        unused: &[&str],
    ) -> Value {
        let count = self.counts.entry(operator).or_default();
        *count += 1;
        let name = format!("{}{operator}_{count}", self.prefix);
        let output = |suffix: &&str| match *suffix {
            "" => String::new(),
            suffix => format!("{name}.{suffix}"),
        };
        let mut output: Vec<String> = unused.iter().map(output).collect();
        output.push(name.clone());
        let input = inputs.iter().map(|value| value.0.clone()).collect();
        let op_type = operator.into();
        self.graph.node.push(Node { input, output, name: name.clone(), op_type, attribute });
        Value(name)
    }

    /// Returns a constant list of whole numbers.
    pub(super) fn ints(&mut self, values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(Element::Int64, vec![values.len() as i64], bytes)
    }

    /// Returns a constant whole number, without dimensions.
    pub(super) fn int(&mut self, value: i64) -> Value {
        self.constant(Element::Int64, vec![], value.to_le_bytes().to_vec())
    }

    /// Returns a constant number of a floating-point type, without dimensions.
    pub(super) fn number(&mut self, element: Element, value: f64) -> Value {
        self.constant(element, vec![], float_bytes(element, &[value]))
    }

    /// Returns a constant list of numbers of a floating-point type.
    pub(super) fn numbers(&mut self, element: Element, values: &[f64]) -> Value {
        self.constant(element, vec![values.len() as i64], float_bytes(element, values))
    }

    /// Adds a parameter under its name.
    pub(super) fn parameter(&mut self, name: String, dims: &[usize], values: &[f32]) -> Value {
        let dims = dims.iter().map(|&dim| dim as i64).collect();
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let data_type = Element::Float as i32;
        let tensor = Tensor { dims, data_type, name: name.clone(), raw_data };
        self.graph.initializer.push(tensor);
        Value(name)
    }

    fn constant(&mut self, element: Element, dims: Vec<i64>, raw_data: Vec<u8>) -> Value {
        let key = (element, dims, raw_data);
        if let Some(value) = self.constants.get(&key) {
            return value.clone();
        }
        let name = format!("{}constant_{}", self.prefix, self.constants.len() + 1);
        let value = Value(name.clone());
        self.constants.insert(key.clone(), value.clone());
        let (_, dims, raw_data) = key;
        let data_type = element as i32;
        self.graph.initializer.push(Tensor { dims, data_type, name, raw_data });
        value
    }

    /// Returns the graph.
    pub(super) fn finish(self) -> Graph {
        self.graph
    }
}

/// The bytes of numbers that are rounded to a floating-point type.
fn float_bytes(element: Element, values: &[f64]) -> Vec<u8> {
    match element {
        Element::Double => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        _ => values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
    }
}

fn value_info(name: String, element: Element, dims: &[Dim], doc_string: String) -> ValueInfo {
    let dimension = |dim: &Dim| match *dim {
        Dim::Size(size) => Dimension { value: Some(size as i64), param: None },
        Dim::Any(name) => Dimension { value: None, param: Some(name.into()) },
    };
    let shape = Some(Shape { dim: dims.iter().map(dimension).collect() });
    let tensor_type = Some(TensorType { elem_type: element as i32, shape });
    ValueInfo { name, r#type: Some(Type { tensor_type }), doc_string }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_constants_are_stored_once() {
        let mut graph = GraphBuilder::new("g", String::new());
        let one = graph.int(1);
        assert_eq!(graph.int(1), one);
        // Another type or shape is another constant.
        let others = [
            graph.ints(&[1]),
            graph.number(Element::Float, 1.0),
            graph.number(Element::Double, 1.0),
        ];
        assert!(others.iter().all(|other| *other != one));
        let graph = graph.finish();
        assert_eq!(graph.initializer.len(), 4);
        assert_eq!(graph.initializer[3].raw_data, 1f64.to_le_bytes());
    }

    #[test]
    fn an_output_has_its_own_name_everywhere() {
        let mut graph = GraphBuilder::new("g", "p.".into());
        let x = graph.input("x", Element::Float, &[Dim::Any("batch"), Dim::Size(2)], String::new());
        let sum = graph.node("Add", [&x, &x], vec![]);
        let last = graph.node_last("LSTM", &[&sum, &Value::absent()], vec![], &["", "h"]);
        assert_eq!(last.name(), "p.LSTM_1");
        graph.output(&sum, "sum", Element::Float, &[], String::new());
        let graph = graph.finish();
        assert_eq!(
            (&graph.node[0].input[0], &graph.node[0].output[0]),
            (&"p.x".into(), &"p.sum".into())
        );
        assert_eq!(graph.node[1].input, ["p.sum", ""]);
        assert_eq!(graph.node[1].output, ["", "p.LSTM_1.h", "p.LSTM_1"]);
        assert_eq!(graph.output[0].name, "p.sum");
    }
}
