//! The recurrent layers of a model, with weights that are packed once.

use ragged_kernels::{
    Direction, ForwardOptions, Input, PackedShape, PreparedWeights, StepState, Weights,
};
use ragged_sequence::PackedLayout;

use crate::checkpoint::Checkpoint;
use crate::config::{LayerConfig, LayerKind, Merge};
use crate::error::Result;

/// The recurrent layers. A *cell* is one layer and direction; cells are ordered by layer, then by direction.
#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) config: LayerConfig,
    cells: Vec<PreparedWeights<f32>>,
    /// The state before the first step.
    pub(crate) initial: States,
}

/// The states of all cells for B sequences: `[cell][B, P]`, and `[cell][B, H]` of an LSTM.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct States {
    pub(crate) hidden: Vec<Vec<f32>>,
    /// Empty for other cells.
    pub(crate) cell: Vec<Vec<f32>>,
}

/// The outputs of the last layer.
pub(crate) struct LayerOutputs {
    /// `[N, output_features]`, packed.
    pub(crate) rows: Vec<f32>,
    /// The states after the last step, sequences in the caller's order.
    pub(crate) states: States,
}

impl Layers {
    /// Takes and packs the parameters, whose names begin with `name`.
    pub(crate) fn new(
        kind: LayerKind,
        config: &LayerConfig,
        name: &str,
        checkpoint: &Checkpoint,
    ) -> Result<Self> {
        let kind = kind.cell_kind(config);
        let (h, p) = (config.hidden_size, config.output_size());
        let gates = kind.gates() * h;
        let mut cells = vec![];
        for layer in 0..config.num_layers {
            let i = if layer == 0 { config.input_size } else { config.output_features() };
            for direction in config.directions() {
                let parameter = |part: &str, shape: &[usize]| {
                    checkpoint.parameter(&format!("{name}.{part}_l{layer}{direction}"), shape)
                };
                let bias = |part: &str| config.bias.then(|| parameter(part, &[gates])).transpose();
                let weight_ih = parameter("weight_ih", &[gates, i])?;
                let weight_hh = parameter("weight_hh", &[gates, p])?;
                let (bias_ih, bias_hh) = (bias("bias_ih")?, bias("bias_hh")?);
                let weight_hr = (p != h).then(|| parameter("weight_hr", &[p, h])).transpose()?;
                let peephole =
                    |part: &str| kind.has_peepholes().then(|| parameter(part, &[h])).transpose();
                let (weight_ci, weight_cf) = (peephole("weight_ci")?, peephole("weight_cf")?);
                let weight_co = peephole("weight_co")?;
                let norm = |part: &str, size: usize, has: bool| {
                    has.then(|| parameter(part, &[size])).transpose()
                };
                let (sides, of_cell) =
                    (kind.normalizes(), kind.normalizes() && kind.has_cell_state());
                let ln_ih_weight = norm("ln_ih_weight", gates, sides)?;
                let ln_hh_weight = norm("ln_hh_weight", gates, sides)?;
                let ln_c_weight = norm("ln_c_weight", h, of_cell)?;
                let ln_c_bias = norm("ln_c_bias", h, of_cell)?;
                let mut weights = Weights::new(&weight_ih, &weight_hh);
                weights.bias_ih = bias_ih.as_deref();
                weights.bias_hh = bias_hh.as_deref();
                weights.weight_hr = weight_hr.as_deref();
                weights.weight_ci = weight_ci.as_deref();
                weights.weight_cf = weight_cf.as_deref();
                weights.weight_co = weight_co.as_deref();
                weights.ln_ih_weight = ln_ih_weight.as_deref();
                weights.ln_hh_weight = ln_hh_weight.as_deref();
                weights.ln_c_weight = ln_c_weight.as_deref();
                weights.ln_c_bias = ln_c_bias.as_deref();
                let shape = packed_shape(config, 0, &[], i, Direction::Forward)?;
                let mut prepared = PreparedWeights::new(kind, &shape, &weights)?;
                if config.zoneout_hidden > 0.0 || config.zoneout_cell > 0.0 {
                    let cell = kind.has_cell_state().then_some(config.zoneout_cell as f32);
                    prepared = prepared.with_zoneout(config.zoneout_hidden as f32, cell)?;
                }
                cells.push(prepared);
            }
        }
        let part = |part: &str, size: usize| -> Result<Vec<Vec<f32>>> {
            if !config.trainable_state {
                return Ok(vec![vec![0.0; size]; cells.len()]);
            }
            let all = checkpoint.parameter(&format!("{name}.{part}"), &[cells.len(), size])?;
            Ok(all.chunks_exact(size).map(<[f32]>::to_vec).collect())
        };
        let hidden = part("h_0", p)?;
        let cell = if kind.has_cell_state() { part("c_0", h)? } else { vec![] };
        Ok(Self { config: config.clone(), cells, initial: States { hidden, cell } })
    }

    /// The states of `rows` sequences before their first step.
    pub(crate) fn initial_states(&self, rows: usize) -> States {
        let repeat = |parts: &[Vec<f32>]| parts.iter().map(|part| part.repeat(rows)).collect();
        States { hidden: repeat(&self.initial.hidden), cell: repeat(&self.initial.cell) }
    }

    /// Runs all layers over packed rows `[N, I]`, from states in the caller's order.
    pub(crate) fn run(
        &self,
        layout: &PackedLayout,
        x: Vec<f32>,
        states: &States,
    ) -> Result<LayerOutputs> {
        let (h, p) = (self.config.hidden_size, self.config.output_size());
        let (sorted, unsorted) = (layout.sorted_indices(), layout.unsorted_indices());
        let mut after = States { hidden: vec![], cell: vec![] };
        let directions = [Direction::Forward, Direction::Reverse];
        let directions = &directions[..self.config.directions().len()];
        let mut rows = x;
        for pair in self.cells.chunks(directions.len()) {
            let mut outputs = vec![];
            for (weights, &direction) in pair.iter().zip(directions) {
                let index = after.hidden.len();
                let (batch, i) = (layout.batch_size(), weights.input_size());
                let shape = packed_shape(&self.config, batch, layout.batch_sizes(), i, direction)?;
                let h_0 = select_rows(&states.hidden[index], sorted, p);
                let c_0 = states.cell.get(index).map(|c_0| select_rows(c_0, sorted, h));
                let mut input = Input::new(&rows).with_h_0(&h_0);
                input.c_0 = c_0.as_deref();
                let result = weights.infer(&shape, &input, ForwardOptions::default())?;
                after.hidden.push(select_rows(&result.h_n, unsorted, p));
                after.cell.extend(result.c_n.map(|c_n| select_rows(&c_n, unsorted, h)));
                outputs.push(result.output);
            }
            rows = self.merge(outputs);
        }
        Ok(LayerOutputs { rows, states: after })
    }

    /// Joins rows of the directions of a layer.
    fn merge(&self, mut directions: Vec<Vec<f32>>) -> Vec<f32> {
        let second = if directions.len() > 1 { directions.pop() } else { None };
        let first = directions.pop().unwrap_or_default();
        let Some(second) = second else { return first };
        let pairs = first.iter().zip(&second);
        match self.config.merge {
            Merge::Sum => pairs.map(|(a, b)| a + b).collect(),
            Merge::Mean => pairs.map(|(a, b)| (a + b) / 2.0).collect(),
            Merge::Concat => {
                let p = self.config.output_size();
                let rows = first.chunks_exact(p).zip(second.chunks_exact(p));
                rows.flat_map(|(a, b)| [a, b].concat()).collect()
            }
        }
    }

    /// The final hidden states of the last layer, `[B, output_features]`.
    pub(crate) fn final_hidden(&self, states: &States) -> Vec<f32> {
        let last = states.hidden.len() - self.config.directions().len();
        self.merge(states.hidden[last..].to_vec())
    }

    /// Returns room for single steps of `rows` sequences.
    pub(crate) fn step_states(&self, rows: usize) -> Result<Vec<StepState<f32>>> {
        self.cells.iter().map(|weights| Ok(weights.state(rows)?)).collect()
    }

    /// Runs one step of every row, for `x` `[B, I]`.
    pub(crate) fn step(&self, x: &[f32], states: &mut [StepState<f32>]) -> Result<()> {
        for (layer, weights) in self.cells.iter().enumerate() {
            let (below, states) = states.split_at_mut(layer);
            weights.step(below.last().map_or(x, StepState::hidden), &mut states[0])?;
        }
        Ok(())
    }
}

fn packed_shape<'a>(
    config: &LayerConfig,
    batch: usize,
    batch_sizes: &'a [usize],
    input_size: usize,
    direction: Direction,
) -> Result<PackedShape<'a>> {
    let shape = PackedShape::new(batch, batch_sizes, input_size, config.hidden_size, direction)?;
    Ok(match config.proj_size {
        Some(size) => shape.with_projection(size)?,
        None => shape,
    })
}

/// Returns the rows of `width` elements at these indices.
fn select_rows(from: &[f32], indices: &[usize], width: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(indices.len() * width);
    for &index in indices {
        rows.extend_from_slice(&from[index * width..(index + 1) * width]);
    }
    rows
}
