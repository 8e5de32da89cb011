//! What is around the recurrent layer, forward and backward: the CTC loss, the CRF and the embedding.

use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use ragged_models::{Crf, Parameters};
use ragged_sequence::{PackedLayout, PackedSequence};
use ragged_train::objective::{CtcOptions, ctc_loss};
use serde_json::json;

use crate::bench::embedding::{Lookup, TrainingStep, print_share};
use crate::bench::pytorch::PyTorch;
use crate::bench::timing::{PAUSE, Turn, median, time};
use crate::bench::{ours, report};
use crate::failure::Failure;

const SCRIPT: &str = include_str!("../../../../validation/bench_losses.py");
/// B, the number of sequences.
const BATCH: usize = 32;
/// The number of iterations in a turn; half of them for PyTorch's CRF, which takes longer.
const ITERATIONS: usize = 8;

type Result<T> = std::result::Result<T, ragged_train::Error>;

pub(super) fn run(
    threads: usize,
    python: Option<&Path>,
    rounds: usize,
    json: Option<&Path>,
) -> std::result::Result<(), Failure> {
    let peak = ours::peak(threads)?;
    let peer = python.map(|python| PyTorch::start_script(SCRIPT, python, threads, None));
    let mut peer = peer.transpose()?;
    if let Some(peer) = &peer {
        peer.pause()?;
    }
    println!(
        "{threads} threads; sgemm 2048^3: {peak:.0} GFLOP/s; ms per forward and backward pass"
    );
    println!("{:<6}{:<28}{:>9}{:>11}{:>8}", "loss", "", "ragged", "PyTorch", "ratio");
    let (ctc, crf, lookup) = (Ctc::new()?, TagSequences::new()?, Lookup::new()?);
    let training = TrainingStep::new()?;
    let mut steps = vec![];
    let cases: [(&str, &str, Step); 3] = [
        ("ctc", "B 32, T 500, C 64, 50 labels", &|n| time(n, || ctc.step())),
        ("crf", "B 32, T 384, C 17", &|n| time(n, || crf.step())),
        ("embed", "N 1600, V 10000, E 64", &|n| time(n, || lookup.step())),
    ];
    let mut rows = vec![];
    for (name, size, ours) in cases {
        let (mut mine, mut theirs) = (vec![], vec![]);
        for _ in 0..rounds {
            std::thread::sleep(PAUSE);
            ours(1)?;
            mine.extend(ours(ITERATIONS)?);
            if name == "embed" {
                steps.extend(training.times(ITERATIONS)?);
            }
            let Some(peer) = &mut peer else { continue };
            // Only one library runs at a time.
            peer.resume()?;
            let mut ask = |iterations| peer.ask(&json!({ "loss": name, "iterations": iterations }));
            ask(1)?;
            let times = ask(ITERATIONS / 2)?;
            theirs.extend(times.as_array().into_iter().flatten().filter_map(|time| time.as_f64()));
            peer.pause()?;
        }
        let (mine, theirs) = (median(&mut mine), median(&mut theirs));
        println!("{name:<6}{size:<28}{mine:>9.2}{theirs:>11.2}{:>8.1}", theirs / mine);
        rows.push(json!({ "loss": name, "ragged_ms": mine, "pytorch_ms": theirs }));
        if name == "embed" {
            print_share(mine, std::mem::take(&mut steps));
        }
    }
    json.map_or(Ok(()), |path| report::write(path, rows))
}

/// Runs some forward and backward passes and returns their times.
type Step<'a> = &'a dyn Fn(usize) -> Turn;

/// Returns packed rows of full length with varied values, as a variable.
fn variable(steps: usize, classes: usize) -> Result<(Var, PackedLayout)> {
    let count = BATCH * steps * classes;
    let values: Vec<f32> =
        (0..count).map(|k| ((k * 7919 % 10_007) as f32 * 0.37).sin() * 2.0).collect();
    let values = Tensor::from_vec(values, (BATCH * steps, classes), &Device::Cpu)?;
    Ok((Var::from_tensor(&values)?, PackedLayout::from_lengths(&[steps; BATCH])))
}

struct Ctc {
    logits: Var,
    layout: PackedLayout,
    targets: Vec<Vec<u32>>,
}

impl Ctc {
    fn new() -> Result<Self> {
        let (logits, layout) = variable(500, 64)?;
        let target = |b: u32| (0..50).map(|k| 1 + (k * 31 + b * 7) % 63).collect();
        Ok(Self { logits, layout, targets: (0..BATCH as u32).map(target).collect() })
    }

    fn step(&self) -> Result<()> {
        let logits = self.logits.as_tensor().clone();
        let logits = PackedSequence::from_layout(logits, self.layout.clone())?;
        ctc_loss(&logits, &self.targets, CtcOptions::default())?.backward()?;
        Ok(())
    }
}

struct TagSequences {
    crf: Crf,
    emissions: Var,
    layout: PackedLayout,
    tags: Vec<Vec<u32>>,
}

impl TagSequences {
    fn new() -> Result<Self> {
        let (emissions, layout) = variable(384, 17)?;
        let crf = Crf::new(17, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
        let tags = |b: u32| (0..384).map(|t| (t * 7 + b) % 17).collect();
        Ok(Self { crf, emissions, layout, tags: (0..BATCH as u32).map(tags).collect() })
    }

    fn step(&self) -> Result<()> {
        let emissions = self.emissions.as_tensor().clone();
        let emissions = PackedSequence::from_layout(emissions, self.layout.clone())?;
        self.crf.negative_log_likelihood(&emissions, &self.tags)?.sum_all()?.backward()?;
        Ok(())
    }
}
