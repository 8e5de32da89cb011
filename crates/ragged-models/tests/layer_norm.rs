//! LSTMs and GRUs with layer normalisation, compared with loops in PyTorch, whose results
//! `validation/generate_layer_norm_fixtures.py` writes.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var, safetensors};
use ragged_models::{Cell, GruCell, LstmCell, Mode, Parameters, Recurrent, RecurrentConfig, State};
use ragged_sequence::{Padding, pack_padded_sequence, pad_packed_sequence};

const CPU: &Device = &Device::Cpu;

#[track_caller]
fn close(got: &Tensor, want: &Tensor, name: &str) {
    assert_eq!(got.dims(), want.dims(), "{name}");
    let difference = (got - want).unwrap().abs().unwrap().flatten_all().unwrap();
    let difference: f64 = difference.max(0).unwrap().to_scalar().unwrap();
    assert!(difference < 1e-12, "{name}: {difference}");
}

/// Compares results and gradients of two layers in two directions.
fn check<C: Cell>(file: &str, states: &[[&str; 2]]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layer_norm");
    let tensors = safetensors::load(folder.join(file), CPU).unwrap();
    let is_parameter = |name: &str| name.contains("_l") && !name.starts_with("grad.");
    let named = tensors.iter().filter(|(name, _)| is_parameter(name));
    let named: HashMap<_, _> = named.map(|(name, t)| (name.clone(), t.clone())).collect();
    let (bidirectional, layer_norm) = (true, true);
    let config =
        RecurrentConfig { num_layers: 2, bidirectional, layer_norm, ..RecurrentConfig::new(3, 5) };
    let parameters = Parameters::new(1);
    let layer = Recurrent::<C>::new(&config, parameters.builder(DType::F64, CPU)).unwrap();
    parameters.load_state_dict(&named).unwrap();

    let lengths = tensors["lengths"].to_vec1::<i64>().unwrap();
    let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
    let input = Var::from_tensor(&tensors["input"]).unwrap();
    let packed = pack_padded_sequence(&input, &lengths, false).unwrap();
    let initial: Vec<Var> =
        states.iter().map(|[name, _]| Var::from_tensor(&tensors[*name]).unwrap()).collect();
    let parts = initial.iter().map(|var| var.as_tensor().clone()).collect();
    let state = C::State::from_parts(parts);
    let (output, state) = layer.forward_packed(&packed, Some(&state), Mode::Eval).unwrap();
    let (output, _) = pad_packed_sequence(&output, &Padding::default()).unwrap();
    let results = [("output", &output)].into_iter();
    let results = results.chain(states.iter().map(|[_, name]| *name).zip(state.parts()));
    let mut loss = Tensor::zeros((), DType::F64, CPU).unwrap();
    for (name, result) in results {
        close(result, &tensors[name], name);
        let weighted = (result * &tensors[&format!("cotangent.{name}")]).unwrap();
        loss = (loss + weighted.sum_all().unwrap()).unwrap();
    }
    let gradients = loss.backward().unwrap();
    let leaves = states.iter().map(|[name, _]| name.to_string()).zip(initial);
    let leaves = leaves.chain([("input".to_string(), input)]).chain(parameters.named());
    for (name, leaf) in leaves {
        let gradient = gradients.get(&leaf).unwrap_or_else(|| panic!("no gradient of {name}"));
        close(gradient, &tensors[&format!("grad.{name}")], &name);
    }
}

#[test]
fn an_lstm_agrees_with_a_loop_in_pytorch() {
    check::<LstmCell>("lstm.safetensors", &[["h_0", "h_n"], ["c_0", "c_n"]]);
}

#[test]
fn a_gru_agrees_with_a_loop_in_pytorch() {
    check::<GruCell>("gru.safetensors", &[["h_0", "h_n"]]);
}

#[test]
fn parameters_start_without_effect() {
    let config = RecurrentConfig { layer_norm: true, ..RecurrentConfig::new(3, 5) };
    let parameters = Parameters::new(1);
    Recurrent::<LstmCell>::new(&config, parameters.builder(DType::F32, CPU)).unwrap();
    for (name, value) in [
        ("ln_ih_weight_l0", 1.0),
        ("ln_hh_weight_l0", 1.0),
        ("ln_c_weight_l0", 1.0),
        ("ln_c_bias_l0", 0.0),
        ("bias_ih_l0", 0.0),
        ("bias_hh_l0", 0.0),
    ] {
        let named = parameters.named();
        let (_, parameter) = named.iter().find(|(other, _)| other == name).unwrap();
        assert!(parameter.to_vec1::<f32>().unwrap().iter().all(|&v| v == value), "{name}");
    }
}

#[test]
fn options_that_do_not_combine_are_refused_by_name() {
    let base = RecurrentConfig { layer_norm: true, ..RecurrentConfig::new(3, 5) };
    let error = |config: &RecurrentConfig| config.validate().unwrap_err().to_string();
    let projected = RecurrentConfig { proj_size: Some(2), ..base.clone() };
    assert_eq!(error(&projected), "proj_size is 2: expected none, as layer_norm is set");
    let seeing = RecurrentConfig { peepholes: true, ..base.clone() };
    assert_eq!(error(&seeing), "peepholes is true: expected false, as layer_norm is set");
    let before = RecurrentConfig { reset_after: false, ..base.clone() };
    assert_eq!(error(&before), "reset_after is false: expected true, as layer_norm is set");
    let vb = Parameters::new(1);
    let rnn = ragged_models::Rnn::new(&base, vb.builder(DType::F32, CPU)).unwrap_err().to_string();
    assert_eq!(rnn, "layer_norm is true: expected false, as only an LSTM and a GRU have it");
}
