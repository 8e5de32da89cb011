//! The time and the memory of a training step over one long sequence, with all activations in memory or with those of
//! a segment at a time:
//!
//! ```sh
//! cargo run --release -p ragged-models --example long_sequence -- 100000
//! cargo run --release -p ragged-models --example long_sequence -- 100000 auto
//! cargo run --release -p ragged-models --example long_sequence -- 100000 auto steps
//! ```
//!
//! The arguments are the number of time steps, then `all`, `auto` or the steps of a segment, and then the readout:
//! `final`, the last hidden state (the default), or `steps`, a prediction per step. The gradients are the same in every
//! bit, which the sum of their bits shows.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use ragged_models::random::Generator;
use ragged_models::{
    Mode, Model, ModelConfig, ModelKind, Parameters, Readout, Recompute, RecurrentConfig,
};
use ragged_sequence::pack_sequence;

const FEATURES: usize = 8;
const HIDDEN: usize = 256;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let steps: usize = argument(0).unwrap_or("10000").parse()?;
    let recompute = match argument(1).unwrap_or("all") {
        "all" => None,
        "auto" => Some(Recompute::Auto),
        number => Recompute::every(number.parse()?),
    };
    let readout = match argument(2).unwrap_or("final") {
        "steps" => Readout::Steps,
        _ => Readout::Final,
    };

    let layer = RecurrentConfig::new(FEATURES, HIDDEN);
    let config = ModelConfig { readout, ..ModelConfig::new(ModelKind::Variable, layer, 1) };
    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    let model = Model::new(&config, vb)?.with_recompute(recompute);
    let values: Vec<f32> = (0..steps * FEATURES).map(|k| (k as f32 * 0.37).sin()).collect();
    let series = Tensor::from_vec(values, (steps, FEATURES), &Device::Cpu)?;
    let input = pack_sequence(&[series], false)?;

    for _ in 0..2 {
        let start = Instant::now();
        let prediction = model.forward(&input, Mode::Train(&mut Generator::seed(1)))?;
        let loss = prediction.sqr()?.mean_all()?;
        let gradients = loss.backward()?;
        let seconds = start.elapsed().as_secs_f64();
        let mut bits = 0u64;
        for (_, parameter) in parameters.named() {
            let gradient = gradients.get(&parameter).ok_or("a parameter without a gradient")?;
            for value in gradient.flatten_all()?.to_vec1::<f32>()? {
                bits = bits.rotate_left(5).wrapping_add(u64::from(value.to_bits()));
            }
        }
        let loss = loss.to_scalar::<f32>()?;
        println!("{seconds:.2} s, {}, loss {loss}, gradients {bits:016x}", peak_memory());
    }
    Ok(())
}

/// The most memory that the process has had, where the system tells it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.map_or("an unknown peak".into(), |kb| format!("peak of {:.0} MB", kb * 1024.0 / 1e6))
}
