//! Cells that PyTorch does not have, compared with the results of ONNX Runtime that
//! `validation/generate_onnx_fixtures.py` writes.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, safetensors};
use ragged_models::{Lstm, LstmState, Mode, Parameters, RecurrentConfig};
use ragged_sequence::{Padding, pack_padded_sequence, pad_packed_sequence};

const CPU: &Device = &Device::Cpu;

/// The largest difference of two tensors of the same shape.
fn distance(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn an_lstm_with_peepholes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx");
    let all = safetensors::load(folder.join("peephole-lstm.safetensors"), CPU).unwrap();
    let (parameters, others): (HashMap<String, Tensor>, HashMap<String, Tensor>) =
        all.into_iter().partition(|(name, _)| name.contains("_l0"));
    let layer = Parameters::new(1);
    let config =
        RecurrentConfig { bidirectional: true, peepholes: true, ..RecurrentConfig::new(3, 5) };
    let lstm = Lstm::new(&config, layer.builder(DType::F32, CPU)).unwrap();
    layer.load_state_dict(&parameters).unwrap();

    let lengths = others["lengths"].to_vec1::<i64>().unwrap();
    let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
    let packed = pack_padded_sequence(&others["input"], &lengths, false).unwrap();
    let state = LstmState { h: others["h_0"].clone(), c: others["c_0"].clone() };
    let mut rng = ragged_sequence::random::Generator::seed(0);
    for mode in [Mode::Inference, Mode::Train(&mut rng)] {
        let (output, state) = lstm.forward_packed(&packed, Some(&state), mode).unwrap();
        let (output, _) = pad_packed_sequence(&output, &Padding::default()).unwrap();
        assert!(distance(&output, &others["output"]) < 1e-6);
        assert!(distance(&state.h, &others["h_n"]) < 1e-6);
        assert!(distance(&state.c, &others["c_n"]) < 1e-6);
    }
}
