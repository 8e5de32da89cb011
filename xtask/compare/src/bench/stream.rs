//! Single steps at batch 1 on one thread, as in a service: the kernels with prepared weights, a
//! [`Stream`](ragged_models::Stream) of candle tensors, and the layers of candle-nn.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_nn::rnn::{GRUConfig, LSTMConfig, RNN};
use ragged_kernels::{CellKind, Direction, PackedShape, PreparedWeights, StepState, Weights};
use ragged_models::{Cell, Gru, Lstm, Parameters, Recurrent, RecurrentConfig};
use serde_json::{Value, json};

use crate::bench::timing::median;
use crate::bench::{ours, report};
use crate::failure::Failure;

/// (I, H).
const SIZES: [(usize, usize); 5] = [(16, 32), (32, 64), (64, 128), (128, 256), (256, 512)];
const LAYERS: [(&str, CellKind, usize); 3] =
    [("LSTM", CellKind::Lstm, 1), ("GRU", CellKind::Gru, 1), ("LSTM, 2 layers", CellKind::Lstm, 2)];
/// The time of a sample of several steps, in seconds: long compared with reading the clock.
const SAMPLE: f64 = 20e-6;
const SAMPLES: usize = 500;
/// Samples of one step each, after the caches were evicted.
const COLD_SAMPLES: usize = 40;
/// Bytes that are read to evict the caches: more than a third-level cache.
const EVICTION: usize = 64 << 20;

type Result<T> = std::result::Result<T, ragged_train::Error>;

/// Microseconds per step.
struct Times {
    median: f64,
    p99: f64,
    /// The median of steps after the caches were evicted.
    cold: f64,
}

impl Times {
    fn measure(mut step: impl FnMut() -> Result<()>) -> Result<Self> {
        let mut time = |steps: usize| -> Result<f64> {
            let start = Instant::now();
            for _ in 0..steps {
                step()?;
            }
            Ok(start.elapsed().as_secs_f64() / steps as f64)
        };
        time(10)?;
        let steps = ((SAMPLE / time(10)?) as usize).max(1);
        let mut warm = (0..SAMPLES).map(|_| time(steps)).collect::<Result<Vec<_>>>()?;
        let lines = vec![1u8; EVICTION];
        let mut cold = vec![];
        for _ in 0..COLD_SAMPLES {
            black_box(lines.iter().step_by(64).map(|&byte| u64::from(byte)).sum::<u64>());
            cold.push(time(1)?);
        }
        let us = 1e6;
        let median_warm = median(&mut warm) * us;
        let p99 = warm[(warm.len() * 99).div_ceil(100) - 1] * us;
        Ok(Self { median: median_warm, p99, cold: median(&mut cold) * us })
    }

    fn text(&self) -> String {
        format!("{:>9.2} {:>9.2} {:>9.2}", self.median, self.p99, self.cold)
    }

    fn json(&self) -> Value {
        json!({ "median_us": self.median, "p99_us": self.p99, "evicted_us": self.cold })
    }
}

pub(super) fn run(json: Option<&Path>) -> std::result::Result<(), Failure> {
    ours::set_threads(1)?;
    let peak = ours::peak(1)?;
    println!("1 thread; sgemm 2048^3: {peak:.0} GFLOP/s; us per step at batch 1");
    println!("each: median, 99th percentile, median after the caches were evicted");
    let columns = ["kernels", "Stream", "candle-nn"].map(|name| format!("{name:^29}")).concat();
    println!("{:<15}{:>4}{:>5}{columns}{:>7}", "layer", "I", "H", "ratio");
    let mut rows = vec![];
    for (name, cell, layers) in LAYERS {
        for (i, h) in SIZES {
            let [kernels, stream, candle] = measure(cell, layers, i, h)?;
            let ratio = candle.median / stream.median;
            let columns = [&kernels, &stream, &candle].map(Times::text).concat();
            println!("{name:<15}{i:>4}{h:>5}{columns}{ratio:>7.1}");
            rows.push(json!({
                "layer": name, "input_size": i, "hidden_size": h, "kernels": kernels.json(),
                "stream": stream.json(), "candle": candle.json(),
            }));
        }
    }
    json.map_or(Ok(()), |path| report::write(path, rows))
}

/// Returns the times of the kernels, of a stream and of candle-nn.
fn measure(cell: CellKind, layers: usize, i: usize, h: usize) -> Result<[Times; 3]> {
    let config = RecurrentConfig { num_layers: layers, ..RecurrentConfig::new(i, h) };
    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    let x: Vec<f32> = (0..i).map(|k| (k as f32).sin()).collect();
    let row = Tensor::from_slice(&x, (1, i), &Device::Cpu)?;
    let stream = match cell {
        CellKind::Gru => time_stream(&Gru::new(&config, vb)?, &row)?,
        _ => time_stream(&Lstm::new(&config, vb)?, &row)?,
    };
    Ok([time_kernels(cell, layers, &parameters, &x)?, stream, time_candle(cell, layers, h, &row)?])
}

fn time_stream<C: Cell>(layer: &Recurrent<C>, row: &Tensor) -> Result<Times> {
    let mut stream = layer.stream(1)?;
    Times::measure(|| {
        black_box(stream.step(row)?);
        Ok(())
    })
}

fn time_kernels(
    cell: CellKind,
    layers: usize,
    parameters: &Parameters,
    x: &[f32],
) -> Result<Times> {
    let tensors = parameters.state_dict();
    let mut stack: Vec<(PreparedWeights<f32>, StepState<f32>)> = vec![];
    for layer in 0..layers {
        let (_, h) = tensors[&format!("weight_hh_l{layer}")].dims2()?;
        let (_, i) = tensors[&format!("weight_ih_l{layer}")].dims2()?;
        let values = |name: &str| tensors[&format!("{name}_l{layer}")].flatten_all()?.to_vec1();
        let (ih, hh) = (values("weight_ih")?, values("weight_hh")?);
        let (bias_ih, bias_hh) = (values("bias_ih")?, values("bias_hh")?);
        let weights = Weights::new(&ih, &hh).with_biases(&bias_ih, &bias_hh);
        let prepared = PackedShape::new(0, &[], i, h, Direction::Forward)
            .and_then(|shape| PreparedWeights::new(cell, &shape, &weights))
            .map_err(candle_core::Error::wrap)?;
        let state = prepared.state(1).map_err(candle_core::Error::wrap)?;
        stack.push((prepared, state));
    }
    Times::measure(|| {
        for layer in 0..stack.len() {
            let (below, rest) = stack.split_at_mut(layer);
            let input = below.last().map_or(x, |(_, state)| state.hidden());
            let (prepared, state) = &mut rest[0];
            prepared.step(input, state).map_err(candle_core::Error::wrap)?;
        }
        Ok(())
    })
}

/// candle-nn's layers, with constants as parameters: variables would record a graph.
fn time_candle(cell: CellKind, layers: usize, h: usize, row: &Tensor) -> Result<Times> {
    let i = row.dim(1)?;
    let sizes = (0..layers).map(|layer| if layer == 0 { i } else { h });
    let constants = |i: usize| -> candle_core::Result<VarBuilder> {
        let tensor =
            |rows: usize, columns: usize| Tensor::rand(-0.1f32, 0.1, (rows, columns), &Device::Cpu);
        let rows = cell.gates() * h;
        let bias = || tensor(1, rows)?.squeeze(0);
        let tensors = HashMap::from([
            ("weight_ih_l0".to_string(), tensor(rows, i)?),
            ("weight_hh_l0".to_string(), tensor(rows, h)?),
            ("bias_ih_l0".to_string(), bias()?),
            ("bias_hh_l0".to_string(), bias()?),
        ]);
        Ok(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
    };
    match cell {
        CellKind::Gru => {
            let layer = |i| candle_nn::gru(i, h, GRUConfig::default(), constants(i)?);
            let layers = sizes.map(layer).collect::<candle_core::Result<Vec<_>>>()?;
            time_layers(&layers, row, |state| state.h().clone())
        }
        _ => {
            let layer = |i| candle_nn::lstm(i, h, LSTMConfig::default(), constants(i)?);
            let layers = sizes.map(layer).collect::<candle_core::Result<Vec<_>>>()?;
            time_layers(&layers, row, |state| state.h().clone())
        }
    }
}

fn time_layers<L: RNN>(
    layers: &[L],
    row: &Tensor,
    hidden: impl Fn(&L::State) -> Tensor,
) -> Result<Times> {
    let states = layers.iter().map(|layer| layer.zero_state(1));
    let mut states = states.collect::<candle_core::Result<Vec<_>>>()?;
    Times::measure(|| {
        let mut x = row.clone();
        for (layer, state) in layers.iter().zip(&mut states) {
            *state = layer.step(&x, state)?;
            x = hidden(state);
        }
        black_box(x);
        Ok(())
    })
}
