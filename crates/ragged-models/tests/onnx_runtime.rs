//! Cells that PyTorch does not have, compared with the results of ONNX Runtime that
//! `validation/generate_onnx_fixtures.py` writes.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, safetensors};
use ragged_models::{Cell, GruCell, LstmCell, Mode, Parameters, Recurrent, RecurrentConfig, State};
use ragged_sequence::random::Generator;
use ragged_sequence::{Padding, pack_padded_sequence, pad_packed_sequence};

const CPU: &Device = &Device::Cpu;

/// The largest difference of two tensors of the same shape.
fn distance(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_scalar().unwrap()
}

/// The parameters of a case, and its inputs and outputs.
type Case = (HashMap<String, Tensor>, HashMap<String, Tensor>);

fn read(name: &str) -> Case {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx");
    let all = safetensors::load(folder.join(name), CPU).unwrap();
    all.into_iter().partition(|(name, _)| name.contains("_l0"))
}

/// Compares a layer with a case, given and returning the parts of its state.
fn check<C: Cell>(config: &RecurrentConfig, (parameters, others): &Case, parts: &[[&str; 2]]) {
    let layer = Parameters::new(1);
    let config = RecurrentConfig { bidirectional: true, ..config.clone() };
    let recurrent = Recurrent::<C>::new(&config, layer.builder(DType::F32, CPU)).unwrap();
    layer.load_state_dict(parameters).unwrap();
    let lengths = others["lengths"].to_vec1::<i64>().unwrap();
    let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
    let packed = pack_padded_sequence(&others["input"], &lengths, false).unwrap();
    let state = parts.iter().map(|[initial, _]| others[*initial].clone()).collect();
    let state = C::State::from_parts(state);
    let mut rng = Generator::seed(0);
    for mode in [Mode::Inference, Mode::Train(&mut rng)] {
        let (output, state) = recurrent.forward_packed(&packed, Some(&state), mode).unwrap();
        let (output, _) = pad_packed_sequence(&output, &Padding::default()).unwrap();
        assert!(distance(&output, &others["output"]) < 1e-6);
        for (got, [_, last]) in state.parts().into_iter().zip(parts) {
            assert!(distance(got, &others[*last]) < 1e-6, "{last}");
        }
    }
}

#[test]
fn an_lstm_with_peepholes() {
    let config = RecurrentConfig { peepholes: true, ..RecurrentConfig::new(3, 5) };
    let parts = [["h_0", "h_n"], ["c_0", "c_n"]];
    check::<LstmCell>(&config, &read("peephole-lstm.safetensors"), &parts);
}

#[test]
fn a_gru_with_the_reset_before_the_product() {
    let config = RecurrentConfig { reset_after: false, ..RecurrentConfig::new(3, 5) };
    check::<GruCell>(&config, &read("reset-before-gru.safetensors"), &[["h_0", "h_n"]]);
}
