//! The recurrent layers as nodes.
//!
//! The operators take and return steps before sequences, `[T, B, I]` and `[T, D, B, H]`. D is the number of directions.

use ragged_models::{LayerKind, Merge, Nonlinearity, RecurrentConfig};

use crate::error::Result;
use crate::export::onnx::graph::{Element, GraphBuilder, Value};
use crate::export::onnx::messages::Attribute;
use crate::export::onnx::sequences::{Sequences, cast};
use crate::export::onnx::weights::Weights;

/// What is read from the last layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// The outputs of all steps, `[B, T, F]`.
    Outputs,
    /// The final hidden states, `[B, F]`.
    FinalStates,
}

/// The recurrent layers of a model.
pub(super) struct Layers<'a> {
    pub(super) cell: LayerKind,
    pub(super) config: &'a RecurrentConfig,
    /// The beginning of the names of the parameters, such as `lstm`.
    pub(super) prefix: String,
    pub(super) weights: &'a Weights<'a>,
    /// The initial states that are not parameters, `[L D, B, H]` each, the hidden state first; none where the model has
    /// none.
    pub(super) states: Vec<Value>,
}

/// Adds all layers over rows `[B, T, I]` and returns what is read from the last one.
pub(super) fn layers(
    graph: &mut GraphBuilder,
    layers: &Layers<'_>,
    sequences: &Sequences,
    rows: &Value,
    read: Read,
) -> Result<Value> {
    let layer = layers.config;
    let lengths = cast(graph, &sequences.lengths, Element::Int32);
    let mut rows = swap_batch_and_time(graph, rows);
    for number in 0..layer.num_layers {
        let last = number + 1 == layer.num_layers;
        let read = if last { read } else { Read::Outputs };
        let stack = Layer { number, layers };
        let initial = stack.initial_states(graph, sequences)?;
        let result = stack.node(graph, &rows, &lengths, &initial, read)?;
        if read == Read::FinalStates {
            // The operators leave open what the state of a sequence without steps is; ONNX Runtime returns zero. Here it
            // is the initial state.
            let empty = sequences.is_empty(graph);
            let first = match initial.first() {
                Some(hidden) => hidden.clone(),
                None => graph.number(Element::Float, 0.0),
            };
            let states = graph.node("Where", [&empty, &first, &result], vec![]);
            return Ok(merge(graph, layer, &states, 0));
        }
        rows = merge(graph, layer, &result, 1);
    }
    Ok(swap_batch_and_time(graph, &rows))
}

fn swap_batch_and_time(graph: &mut GraphBuilder, value: &Value) -> Value {
    graph.node("Transpose", [value], vec![Attribute::ints("perm", &[1, 0, 2])])
}

/// Merges the directions, which are at the axis `axis`: `[T, D, B, H]` to `[T, B, F]`, or `[D, B, H]` to `[B, F]`.
fn merge(graph: &mut GraphBuilder, layer: &RecurrentConfig, value: &Value, axis: i64) -> Value {
    let operator = match (layer.bidirectional, layer.merge) {
        (true, Merge::Concat) => return concat(graph, layer.output_features(), value, axis),
        (true, Merge::Sum) => "ReduceSum",
        (true, Merge::Mean) => "ReduceMean",
        (false, _) => "Squeeze",
    };
    let axes = graph.ints(&[axis]);
    let keep = vec![Attribute::int("keepdims", 0)];
    graph.node(operator, [value, &axes], if layer.bidirectional { keep } else { vec![] })
}

/// Joins the directions, which are at the axis `axis`, feature by feature.
fn concat(graph: &mut GraphBuilder, features: usize, value: &Value, axis: i64) -> Value {
    // A size of 0 is that of the input.
    let (order, kept): (&[i64], &[i64]) =
        if axis == 0 { (&[1, 0, 2], &[0]) } else { (&[0, 2, 1, 3], &[0, 0]) };
    let adjacent = graph.node("Transpose", [value], vec![Attribute::ints("perm", order)]);
    let shape = graph.ints(&[kept, &[features as i64]].concat());
    graph.node("Reshape", [&adjacent, &shape], vec![])
}

/// One layer, in all directions.
struct Layer<'a> {
    number: usize,
    layers: &'a Layers<'a>,
}

impl Layer<'_> {
    /// Adds the operator and returns its output: `[T, D, B, H]`, or `[D, B, H]` for the final states.
    fn node(
        &self,
        graph: &mut GraphBuilder,
        rows: &Value,
        lengths: &Value,
        initial: &[Value],
        read: Read,
    ) -> Result<Value> {
        let layer = self.layers.config;
        let hidden = layer.hidden_size;
        let inputs = if self.number == 0 { layer.input_size } else { layer.output_features() };
        let w = self.stacked(graph, "W", &["weight_ih"], &[inputs])?;
        let r = self.stacked(graph, "R", &["weight_hh"], &[hidden])?;
        let b = match layer.bias {
            true => self.stacked(graph, "B", &["bias_ih", "bias_hh"], &[])?,
            false => Value::absent(),
        };
        let direction = if layer.bidirectional { "bidirectional" } else { "forward" };
        let mut attributes = vec![
            Attribute::int("hidden_size", hidden as i64),
            Attribute::string("direction", direction),
        ];
        let operator = match self.layers.cell {
            LayerKind::Lstm => "LSTM",
            LayerKind::Gru => {
                let after = i64::from(layer.reset_after);
                attributes.push(Attribute::int("linear_before_reset", after));
                "GRU"
            }
            LayerKind::Rnn => {
                let function = match layer.nonlinearity {
                    Nonlinearity::Tanh => "Tanh",
                    Nonlinearity::Relu => "Relu",
                };
                let functions = vec![function; layer.num_directions()];
                attributes.push(Attribute::strings("activations", &functions));
                "RNN"
            }
        };
        let peepholes = match layer.peepholes {
            true => Some(self.peepholes(graph)?),
            false => None,
        };
        // X, W, R, B, sequence_lens, initial_h, and of the LSTM initial_c and P.
        let mut operands = vec![rows, &w, &r, &b, lengths];
        operands.extend(initial);
        let absent = Value::absent();
        if let Some(peepholes) = &peepholes {
            operands.resize(7, &absent);
            operands.push(peepholes);
        }
        // The final states are the second output.
        let unused: &[&str] = if read == Read::FinalStates { &[""] } else { &[] };
        Ok(graph.node_last(operator, &operands, attributes, unused))
    }

    /// Adds the parameters of all directions as one constant. `shape` follows the rows of the gates, which are put
    /// into the order of ONNX; with several names, their parameters follow one another.
    fn stacked(
        &self,
        graph: &mut GraphBuilder,
        label: &str,
        names: &[&str],
        shape: &[usize],
    ) -> Result<Value> {
        let layer = self.layers.config;
        // PyTorch's i, f, g, o become i, o, f, c, and its r, z, n become z, r, h.
        let order: &[usize] = match self.layers.cell {
            LayerKind::Lstm => &[0, 3, 1, 2],
            LayerKind::Gru => &[1, 0, 2],
            LayerKind::Rnn => &[0],
        };
        let rows = order.len() * layer.hidden_size;
        let prefix = &self.layers.prefix;
        let mut values = vec![];
        for direction in &["", "_reverse"][..layer.num_directions()] {
            for name in names {
                let name = format!("{prefix}.{name}_l{}{direction}", self.number);
                let parameter = self.layers.weights.get(&name, &[&[rows], shape].concat())?;
                let gate = parameter.len() / order.len();
                for &position in order {
                    values.extend_from_slice(&parameter[position * gate..(position + 1) * gate]);
                }
            }
        }
        let name = format!("{prefix}.{label}_l{}", self.number);
        let dims = [&[layer.num_directions(), names.len() * rows], shape].concat();
        Ok(graph.parameter(name, &dims, &values))
    }

    /// Adds the peepholes of all directions as one constant `[D, 3 H]`, in the order of ONNX: i, o, f.
    fn peepholes(&self, graph: &mut GraphBuilder) -> Result<Value> {
        let (layer, prefix) = (self.layers.config, &self.layers.prefix);
        let mut values = vec![];
        for direction in &["", "_reverse"][..layer.num_directions()] {
            for part in ["weight_ci", "weight_co", "weight_cf"] {
                let name = format!("{prefix}.{part}_l{}{direction}", self.number);
                values.extend_from_slice(&self.layers.weights.get(&name, &[layer.hidden_size])?);
            }
        }
        let name = format!("{prefix}.P_l{}", self.number);
        Ok(graph.parameter(name, &[layer.num_directions(), 3 * layer.hidden_size], &values))
    }

    /// Returns the initial states, trained ones or those of static values, `[D, B, H]` each, the hidden state first;
    /// none where the model has none.
    fn initial_states(
        &self,
        graph: &mut GraphBuilder,
        sequences: &Sequences,
    ) -> Result<Vec<Value>> {
        let layer = self.layers.config;
        let own = |directions: usize| {
            let first = self.number * directions;
            [first as i64, (first + directions) as i64]
        };
        if !self.layers.states.is_empty() {
            let [start, end] = own(layer.num_directions()).map(|at| graph.ints(&[at]));
            let axis = graph.ints(&[0]);
            let states = self.layers.states.iter();
            return Ok(states
                .map(|all| graph.node("Slice", [all, &start, &end, &axis], vec![]))
                .collect());
        }
        if !layer.trainable_state {
            return Ok(vec![]);
        }
        let (directions, hidden) = (layer.num_directions(), layer.hidden_size);
        let names: &[&str] = match self.layers.cell {
            LayerKind::Lstm => &["h_0", "c_0"],
            LayerKind::Gru | LayerKind::Rnn => &["h_0"],
        };
        let batch = sequences.batch_size(graph);
        let sizes = (graph.ints(&[directions as i64]), graph.ints(&[hidden as i64]));
        let axis = vec![Attribute::int("axis", 0)];
        let shape = graph.node("Concat", [&sizes.0, &batch, &sizes.1], axis);
        let state = |name: &&str| {
            let name = format!("{}.{name}", &self.layers.prefix);
            let all = self.layers.weights.get(&name, &[layer.num_layers * directions, hidden])?;
            let size = directions * hidden;
            let own = &all[self.number * size..(self.number + 1) * size];
            let label = format!("{name}_l{}", self.number);
            let state = graph.parameter(label, &[directions, 1, hidden], own);
            Ok(graph.node("Expand", [&state, &shape], vec![]))
        };
        names.iter().map(state).collect()
    }
}
