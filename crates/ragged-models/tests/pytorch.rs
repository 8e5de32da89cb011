//! The layer against PyTorch's numbers: outputs, states and every gradient.
//!
//! The fixtures come from `validation/generate_fixtures.py`.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use ragged_models::{Lstm, LstmState, Mode, Parameters, RecurrentConfig};
use ragged_sequence::{Padding, lengths_from_tensor, pack_padded_sequence, pad_packed_sequence};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// The options and the tensors of one file.
fn read(path: &Path) -> (Value, HashMap<String, Tensor>) {
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let case = &metadata.metadata().as_ref().unwrap()["case"];
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    (serde_json::from_str(case).unwrap(), tensors)
}

/// The largest difference, relative to the largest value where that is above one.
fn error(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.dims(), want.dims());
    let flat = |t: &Tensor| {
        let t = t.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
        t.to_vec1::<f64>().unwrap()
    };
    let (got, want) = (flat(got), flat(want));
    let scale = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    got.iter().zip(&want).fold(0.0, |m: f64, (g, w)| m.max((g - w).abs() / scale))
}

fn check(path: &Path) {
    let (case, tensors) = read(path);
    let size = |key: &str| case[key].as_u64().unwrap() as usize;
    let config = RecurrentConfig {
        num_layers: size("num_layers"),
        bias: case["bias"].as_bool().unwrap(),
        bidirectional: case["bidirectional"].as_bool().unwrap(),
        ..RecurrentConfig::new(size("input_size"), size("hidden_size"))
    };
    let (dtype, tolerance) =
        if case["dtype"] == "f64" { (DType::F64, 1e-9) } else { (DType::F32, 1e-4) };

    let parameters = Parameters::new(0);
    let lstm = Lstm::new(&config, parameters.builder(dtype, &Device::Cpu)).unwrap();
    let weights = parameters.named().into_iter();
    let weights = weights.map(|(name, _)| (name.clone(), tensors[&name].clone())).collect();
    parameters.load_state_dict(&weights).unwrap();
    let mut leaves: HashMap<String, Var> = parameters.named().into_iter().collect();
    for name in ["input", "h_0", "c_0"] {
        if let Some(tensor) = tensors.get(name) {
            leaves.insert(name.into(), Var::from_tensor(tensor).unwrap());
        }
    }

    let input = leaves["input"].as_tensor();
    let state = leaves
        .get("h_0")
        .map(|h| LstmState { h: h.as_tensor().clone(), c: leaves["c_0"].as_tensor().clone() });
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let (output, last) = match tensors.get("lengths") {
        Some(lengths) => {
            let lengths = lengths_from_tensor(lengths).unwrap();
            let packed = pack_padded_sequence(input, &lengths, false).unwrap();
            let (output, last) =
                lstm.forward_packed(&packed, state.as_ref(), Mode::Train(&mut rng)).unwrap();
            (pad_packed_sequence(&output, &Padding::default()).unwrap().0, last)
        }
        None => lstm.forward(input, state.as_ref(), Mode::Train(&mut rng)).unwrap(),
    };
    let mut loss = Tensor::zeros((), dtype, &Device::Cpu).unwrap();
    for (name, got) in [("output", &output), ("h_n", &last.h), ("c_n", &last.c)] {
        let worst = error(got, &tensors[name]);
        assert!(worst <= tolerance, "{}: {name} is off by {worst:e}", path.display());
        let cotangent = &tensors[&format!("cotangent.{name}")];
        loss = (loss + (got * cotangent).unwrap().sum_all().unwrap()).unwrap();
    }
    let grads = loss.backward().unwrap();
    for (name, leaf) in &leaves {
        let worst = error(grads.get(leaf).unwrap(), &tensors[&format!("grad.{name}")]);
        assert!(worst <= tolerance, "{}: grad.{name} is off by {worst:e}", path.display());
    }
}

#[test]
fn every_fixture_gives_pytorchs_numbers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        check(&entry.unwrap().path());
        count += 1;
    }
    assert!(count >= 7, "only {count} fixtures");
}
