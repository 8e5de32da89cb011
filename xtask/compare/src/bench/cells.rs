//! Layer-normalised cells, forward and backward, next to the plain ones and to a loop in PyTorch.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use ragged_models::{Cell, GruCell, LstmCell, Mode, Parameters, Recurrent, RecurrentConfig, State};
use ragged_sequence::{PackedLayout, PackedSequence};
use serde_json::json;

use crate::bench::pytorch::PyTorch;
use crate::bench::timing::{PAUSE, Turn, median, time};
use crate::bench::{ours, report};
use crate::failure::Failure;

const SCRIPT: &str = include_str!("../../../../validation/bench_cells.py");
/// B, T, I and H: the configuration `mid`.
const SIZES: [usize; 4] = [64, 50, 64, 256];
/// The number of iterations in a turn.
const ITERATIONS: usize = 10;
/// The number of iterations in a turn of PyTorch, which takes longer.
const THEIR_ITERATIONS: usize = 2;

pub(super) fn run(
    threads: usize,
    python: Option<&Path>,
    rounds: usize,
    json: Option<&Path>,
) -> Result<(), Failure> {
    let peak = ours::peak(threads)?;
    let peer = python.map(|python| PyTorch::start_script(SCRIPT, python, threads, None));
    let mut peer = peer.transpose()?;
    if let Some(peer) = &peer {
        peer.pause()?;
    }
    println!(
        "{threads} threads; sgemm 2048^3: {peak:.0} GFLOP/s; B 64, T 50, I 64, H 256; ms per forward and backward pass"
    );
    println!(
        "{:<6}{:>9}{:>12}{:>10}{:>15}{:>8}",
        "cell", "plain", "layer norm", "slower", "PyTorch loop", "ratio"
    );
    let mut rows = vec![];
    let cases: [(&str, [Step; 2]); 2] = [
        ("lstm", [step::<LstmCell>(false)?, step::<LstmCell>(true)?]),
        ("gru", [step::<GruCell>(false)?, step::<GruCell>(true)?]),
    ];
    for (name, steps) in cases {
        let (mut mine, mut theirs) = ([vec![], vec![]], vec![]);
        for _ in 0..rounds {
            std::thread::sleep(PAUSE);
            for (step, times) in steps.iter().zip(&mut mine) {
                step(1)?;
                times.extend(step(ITERATIONS)?);
            }
            let Some(peer) = &mut peer else { continue };
            // Only one library runs at a time.
            peer.resume()?;
            let mut ask = |iterations| peer.ask(&json!({ "cell": name, "iterations": iterations }));
            ask(1)?;
            let times = ask(THEIR_ITERATIONS)?;
            theirs.extend(times.as_array().into_iter().flatten().filter_map(|time| time.as_f64()));
            peer.pause()?;
        }
        let [plain, normalized] = mine.map(|mut times| median(&mut times));
        let theirs = median(&mut theirs);
        println!(
            "{name:<6}{plain:>9.2}{normalized:>12.2}{:>10.2}{theirs:>15.1}{:>8.1}",
            normalized / plain,
            theirs / normalized
        );
        rows.push(json!({
            "cell": name, "plain_ms": plain, "layer_norm_ms": normalized, "pytorch_loop_ms": theirs
        }));
    }
    json.map_or(Ok(()), |path| report::write(path, rows))
}

/// Runs some forward and backward passes and returns their times.
type Step = Box<dyn Fn(usize) -> Turn>;

/// Training steps whose loss is the sum of the last hidden states.
fn step<C: Cell + 'static>(layer_norm: bool) -> Result<Step, ragged_train::Error> {
    let [batch, steps, input_size, hidden_size] = SIZES;
    let config = RecurrentConfig { layer_norm, ..RecurrentConfig::new(input_size, hidden_size) };
    let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    let layer = Recurrent::<C>::new(&config, vb)?;
    let lengths: Vec<usize> = (0..batch).map(|b| ((batch - b) * steps / batch).max(1)).collect();
    let layout = PackedLayout::from_lengths(&lengths);
    let count = layout.rows() * input_size;
    let values: Vec<f32> = (0..count).map(|k| ((k * 7919 % 10_007) as f32 * 0.37).sin()).collect();
    let x = Tensor::from_vec(values, (layout.rows(), input_size), &Device::Cpu)?;
    let packed = PackedSequence::from_layout(x, layout)?;
    let run = move || -> Result<(), ragged_train::Error> {
        let (_, state) = layer.forward_packed(&packed, None, Mode::Eval)?;
        state.parts()[0].sum_all()?.backward()?;
        Ok(())
    };
    Ok(Box::new(move |iterations| time(iterations, &run)))
}
