//! Times single steps of recurrent layers in tract and in `ragged-kernels`, on one thread. `../bench_tract.py` writes the
//! models and runs this program.
//!
//! Each argument is a folder with `model.onnx`, of one step with states as inputs and outputs, and for each layer the
//! weights as little-endian `f32`: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, and so on, gates in
//! PyTorch's order. The name of the folder is the cell, I, H and the number of layers, such as `lstm-16-32-1`.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use ragged_kernels::{CellKind, Direction, PackedShape, PreparedWeights, StepState, Weights};
use tract_onnx::prelude::*;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long each side is timed in a round.
const TIME: Duration = Duration::from_millis(200);
const ROUNDS: usize = 7;
/// Steps per measurement.
const STEPS: usize = 50;

fn main() -> Result<()> {
    println!("{:<18} {:>10} {:>10} {:>6}", "cell-I-H-layers", "tract", "ragged", "ratio");
    for folder in std::env::args_os().skip(1) {
        compare(folder.as_ref())?;
    }
    Ok(())
}

fn compare(folder: &Path) -> Result<()> {
    let name = folder.file_name().and_then(|name| name.to_str()).ok_or("expected a name")?;
    let parts: Vec<&str> = name.split('-').collect();
    let [cell, input_size, hidden_size, layers] = parts[..] else {
        return Err("expected cell-I-H-layers".into());
    };
    let (i, h, layers): (usize, usize, usize) =
        (input_size.parse()?, hidden_size.parse()?, layers.parse()?);
    let kind = if cell == "gru" { CellKind::Gru } else { CellKind::Lstm };
    let mut ours = Ours::read(folder, kind, i, h, layers)?;
    let mut tract = Tract::read(folder, kind, h, layers)?;

    let steps: Vec<Vec<f32>> =
        (0..STEPS).map(|t| (0..i).map(|k| ((t * i + k) as f32 * 0.37).sin()).collect()).collect();
    for x in &steps {
        let (ours, tract) = (ours.step(x)?, tract.step(x)?);
        for (a, b) in ours.iter().zip(&tract) {
            if (a - b).abs() > 1e-5 {
                return Err(format!("{name}: {a} and {b} after the same steps").into());
            }
        }
    }

    let (mut times, mut peer) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        peer.push(median(&steps, |x| tract.step(x).map(drop))?);
        times.push(median(&steps, |x| ours.step(x).map(drop))?);
    }
    times.sort_by(f64::total_cmp);
    peer.sort_by(f64::total_cmp);
    let (ours, tract) = (times[ROUNDS / 2], peer[ROUNDS / 2]);
    println!("{name:<18} {tract:>10.2} {ours:>10.2} {:>6.1}", tract / ours);
    Ok(())
}

/// The median time of a step, in microseconds.
fn median(steps: &[Vec<f32>], mut step: impl FnMut(&[f32]) -> Result<()>) -> Result<f64> {
    let (begin, mut times) = (Instant::now(), vec![]);
    while begin.elapsed() < TIME {
        let begin = Instant::now();
        steps.iter().try_for_each(|x| step(x))?;
        times.push(begin.elapsed().as_secs_f64() * 1e6 / steps.len() as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// The layers with prepared weights.
struct Ours {
    layers: Vec<(PreparedWeights<f32>, StepState<f32>)>,
    x: Vec<f32>,
}

impl Ours {
    fn read(
        folder: &Path,
        kind: CellKind,
        input_size: usize,
        h: usize,
        layers: usize,
    ) -> Result<Self> {
        let read = |part: &str, layer: usize| -> Result<Vec<f32>> {
            let bytes = std::fs::read(folder.join(format!("{part}_l{layer}")))?;
            Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        };
        let layer = |layer: usize| -> Result<_> {
            let i = if layer == 0 { input_size } else { h };
            let (weight_ih, weight_hh) = (read("weight_ih", layer)?, read("weight_hh", layer)?);
            let (bias_ih, bias_hh) = (read("bias_ih", layer)?, read("bias_hh", layer)?);
            let mut weights = Weights::new(&weight_ih, &weight_hh);
            (weights.bias_ih, weights.bias_hh) = (Some(&bias_ih[..]), Some(&bias_hh[..]));
            let shape = PackedShape::new(0, &[], i, h, Direction::Forward)?;
            let prepared = PreparedWeights::new(kind, &shape, &weights)?;
            let state = prepared.state(1)?;
            Ok((prepared, state))
        };
        Ok(Self { layers: (0..layers).map(layer).collect::<Result<_>>()?, x: vec![] })
    }

    /// Runs one step and returns the hidden state of the last layer.
    fn step(&mut self, x: &[f32]) -> Result<&[f32]> {
        self.x.clear();
        self.x.extend_from_slice(x);
        for (weights, state) in &mut self.layers {
            weights.step(&self.x, state)?;
            self.x.clear();
            self.x.extend_from_slice(state.hidden());
        }
        Ok(&self.x)
    }
}

/// The model in tract, with the states between steps.
struct Tract {
    model: Arc<TypedRunnableModel>,
    states: Vec<TValue>,
}

impl Tract {
    fn read(folder: &Path, kind: CellKind, h: usize, layers: usize) -> Result<Self> {
        let model = tract_onnx::onnx().model_for_path(folder.join("model.onnx"))?;
        let model = model.into_optimized()?.into_runnable()?;
        let count = layers * if kind.has_cell_state() { 2 } else { 1 };
        let zeros = || -> Result<TValue> { Ok(Tensor::zero::<f32>(&[1, 1, h])?.into()) };
        Ok(Self { model, states: (0..count).map(|_| zeros()).collect::<Result<_>>()? })
    }

    /// Runs one step and returns the hidden state of the last layer.
    fn step(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        let mut inputs: TVec<TValue> = tvec![Tensor::from_shape(&[1, 1, x.len()], x)?.into()];
        inputs.extend(self.states.drain(..));
        let mut outputs = self.model.run(inputs)?.into_iter();
        let y = outputs.next().ok_or("expected an output")?;
        self.states.extend(outputs);
        Ok(y.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }
}
