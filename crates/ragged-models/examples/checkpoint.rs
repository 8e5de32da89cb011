//! Loads a layer from a PyTorch checkpoint and saves it to a file that PyTorch can load.
//!
//! ```text
//! cargo run -p ragged-models --example checkpoint -- FROM TO CELL CONFIG [KEY [PREFIX]]
//! cargo run -p ragged-models --example checkpoint -- model.pth lstm.safetensors lstm \
//!     '{"input_size": 7, "hidden_size": 15}' model_state_dict encoder.
//! ```
//!
//! If FROM is `-`, the parameters have their initial values. In Python:
//! `torch.nn.LSTM(7, 15).load_state_dict(safetensors.torch.load_file("lstm.safetensors"))`.
#![allow(clippy::print_stdout)]

use std::path::Path;

use candle_core::{DType, Device};
use ragged_models::{Gru, LayerKind, LoadOptions, Lstm, Parameters, RecurrentConfig, Rnn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, cell, config, place @ ..] = arguments.as_slice() else {
        return Err("expected FROM TO CELL CONFIG [KEY [PREFIX]]".into());
    };
    let cell: LayerKind = serde_json::from_value(cell.as_str().into())?;
    let config: RecurrentConfig = serde_json::from_str(config)?;
    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    match cell {
        LayerKind::Lstm => drop(Lstm::new(&config, vb)?),
        LayerKind::Gru => drop(Gru::new(&config, vb)?),
        LayerKind::Rnn => drop(Rnn::new(&config, vb)?),
    }
    if from != "-" {
        let key = place.first().cloned();
        let prefix = place.get(1).cloned().unwrap_or_default();
        parameters.load_with(Path::new(from), &LoadOptions { key, prefix, strict: true })?;
    }
    parameters.save(Path::new(to))?;
    println!("{} parameters in {to}", parameters.count());
    Ok(())
}
