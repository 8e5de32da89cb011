//! The states of the rows of a stream, between single steps.

use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, WithDType, bail};
use ragged_kernels::{Element, PreparedWeights, StepState};

use crate::op::prepared::PreparedCell;
use crate::op::storage::{ELEMENTS, slice};

/// The prepared weights of all layers, in one direction, and the states of B rows.
pub(crate) trait StepStates: fmt::Debug + Send + Sync {
    /// Returns B.
    fn rows(&self) -> usize;

    /// Runs one step of every row, `[B, I]` to `[B, P]`. The states are unchanged after an error.
    fn step(&mut self, x: &Tensor) -> Result<Tensor>;

    /// Returns the states as tensors `[L, B, ..]`, the hidden states first.
    fn parts(&self) -> Result<Vec<Tensor>>;

    fn boxed_clone(&self) -> Box<dyn StepStates>;
}

impl Clone for Box<dyn StepStates> {
    fn clone(&self) -> Self {
        self.boxed_clone()
    }
}

/// Takes the states `[L, B, ..]` of some rows, the hidden states first.
pub(crate) fn step_states(
    cells: &[PreparedCell],
    parts: &[&Tensor],
) -> Result<Box<dyn StepStates>> {
    let dtype = parts.first().map(|part| part.dtype());
    Ok(match dtype {
        Some(DType::F32) => Box::new(Typed::<f32>::new(cells, parts)?),
        #[cfg(feature = "f64")]
        Some(DType::F64) => Box::new(Typed::<f64>::new(cells, parts)?),
        _ => bail!("recurrent layer: expected {ELEMENTS}, got {dtype:?}"),
    })
}

#[derive(Debug, Clone)]
struct Typed<T: Element> {
    layers: Vec<Arc<PreparedWeights<T>>>,
    states: Vec<StepState<T>>,
}

impl<T: Element + WithDType> Typed<T> {
    fn new(cells: &[PreparedCell], parts: &[&Tensor]) -> Result<Self> {
        let rows = parts[0].dim(1)?;
        let layers = cells.iter().map(PreparedCell::weights::<T>).collect::<Result<Vec<_>>>()?;
        let mut states = vec![];
        for (layer, weights) in layers.iter().enumerate() {
            let flat = |part: &&Tensor| part.get(layer)?.flatten_all()?.to_vec1::<T>();
            let parts = parts.iter().map(flat).collect::<Result<Vec<_>>>()?;
            let mut state = weights.state(rows).map_err(candle_core::Error::wrap)?;
            for row in 0..rows {
                let part = |k: usize, size: usize| {
                    parts.get(k).map_or(&[][..], |part| &part[row * size..(row + 1) * size])
                };
                let (h, c) = (part(0, weights.output_size()), part(1, weights.hidden_size()));
                state.set_row(row, h, c).map_err(candle_core::Error::wrap)?;
            }
            states.push(state);
        }
        Ok(Self { layers, states })
    }
}

impl<T: Element + WithDType> StepStates for Typed<T> {
    fn rows(&self) -> usize {
        self.states.first().map_or(0, StepState::rows)
    }

    fn step(&mut self, x: &Tensor) -> Result<Tensor> {
        let x = x.contiguous()?;
        let storage = x.storage_and_layout();
        let x_slice = slice::<T>(&storage)?;
        let Self { layers, states } = self;
        for (layer, weights) in layers.iter().enumerate() {
            let (below, states) = states.split_at_mut(layer);
            let input = below.last().map_or(x_slice, StepState::hidden);
            weights.step(input, &mut states[0]).map_err(candle_core::Error::wrap)?;
        }
        let (Some(weights), Some(state)) = (layers.last(), states.last()) else {
            bail!("recurrent layer: expected a layer");
        };
        Tensor::from_slice(state.hidden(), (state.rows(), weights.output_size()), x.device())
    }

    fn parts(&self) -> Result<Vec<Tensor>> {
        let (mut hidden, mut cells) = (vec![], vec![]);
        for (weights, state) in self.layers.iter().zip(&self.states) {
            let (rows, device) = (state.rows(), &Device::Cpu);
            let h = Tensor::from_slice(state.hidden(), (rows, weights.output_size()), device)?;
            hidden.push(h);
            if weights.cell().has_cell_state() {
                let mut c = vec![T::zero(); rows * weights.hidden_size()];
                state.copy_cell_states(&mut c).map_err(candle_core::Error::wrap)?;
                cells.push(Tensor::from_vec(c, (rows, weights.hidden_size()), device)?);
            }
        }
        let parts = [hidden, cells].into_iter().filter(|parts| !parts.is_empty());
        parts.map(|parts| Tensor::stack(&parts, 0)).collect()
    }

    fn boxed_clone(&self) -> Box<dyn StepStates> {
        Box::new(self.clone())
    }
}
