//! Errors for wrong configurations, inputs and files; saved models predict the same bits.

use candle_core::{DType, Device, Tensor};
use ragged_models::*;
use ragged_sequence::{Padding, pack_padded_sequence, pack_sequence, pad_packed_sequence};

const CPU: &Device = &Device::Cpu;

#[track_caller]
fn check<T>(result: Result<T>, message: &str) {
    let Err(error) = result else { panic!("expected the error: {message}") };
    assert_eq!(error.to_string(), message);
}

fn zeros(dims: &[usize]) -> Tensor {
    Tensor::zeros(dims, DType::F32, CPU).unwrap()
}

fn lstm(config: &RecurrentConfig) -> Result<Lstm> {
    Lstm::new(config, Parameters::new(0).builder(DType::F32, CPU))
}

#[test]
fn impossible_configurations() {
    let good = RecurrentConfig::new(3, 4);
    let bad = |change: fn(&mut RecurrentConfig)| {
        let mut config = good.clone();
        change(&mut config);
        lstm(&config)
    };
    check(bad(|c| c.input_size = 0), "input_size is 0: expected at least 1");
    check(bad(|c| c.hidden_size = 0), "hidden_size is 0: expected at least 1");
    check(bad(|c| c.num_layers = 0), "num_layers is 0: expected at least 1");
    check(bad(|c| c.dropout = 1.5), "dropout is 1.5: expected 0 to 1");
    check(bad(|c| c.dropout = f64::NAN), "dropout is NaN: expected 0 to 1");
    assert!(bad(|c| c.hidden_size = usize::MAX).is_err());
    check(bad(|c| c.recurrent_dropout = -0.1), "recurrent_dropout is -0.1: expected 0 to 1");
    check(bad(|c| c.zoneout_hidden = 1.1), "zoneout_hidden is 1.1: expected 0 to 1");
    check(bad(|c| c.zoneout_cell = f64::NAN), "zoneout_cell is NaN: expected 0 to 1");
    check(bad(|c| c.proj_size = Some(0)), "proj_size is 0: expected at least 1, or none");
    check(bad(|c| c.proj_size = Some(4)), "proj_size is 4: expected below hidden_size, 4");
    let relu = "nonlinearity is relu: expected tanh, as only an RNN has the choice";
    check(bad(|c| c.nonlinearity = Nonlinearity::Relu), relu);
    let message = "bias is false: expected true, as forget_bias is set";
    check(bad(|c| (c.bias, c.forget_bias) = (false, Some(1.0))), message);
    check(bad(|c| c.forget_bias = Some(f64::NAN)), "forget_bias is NaN: expected a finite number");

    let vb = || Parameters::new(0).builder(DType::F32, CPU);
    let projected = RecurrentConfig { proj_size: Some(2), ..good.clone() };
    let message = "proj_size is 2: expected none, as only an LSTM has a projection";
    check(Gru::new(&projected, vb()), message);
    check(Rnn::new(&projected, vb()), message);
    let open = RecurrentConfig { forget_bias: Some(1.0), ..good.clone() };
    let message = "forget_bias is 1: expected none, as only an LSTM has a forget gate";
    check(Gru::new(&open, vb()), message);
    let zoned = RecurrentConfig { zoneout_cell: 0.5, ..good.clone() };
    let message = "zoneout_cell is 0.5: expected 0, as only an LSTM has cell states";
    check(Gru::new(&zoned, vb()), message);
    let before = RecurrentConfig { reset_after: false, ..good.clone() };
    let message = "reset_after is false: expected true, as only a GRU has a reset gate";
    check(lstm(&before), message);
    check(Rnn::new(&before, vb()), message);
    let seeing = RecurrentConfig { peepholes: true, ..good.clone() };
    let message = "peepholes is true: expected false, as only an LSTM has cell states";
    check(Rnn::new(&seeing, vb()), message);
    let message = "zoneout_cell is 0.5: expected 0, as a cell runs step by step";
    check(LstmCell::new(&zoned, vb()), message);
    check(
        Gru::new(&RecurrentConfig { nonlinearity: Nonlinearity::Relu, ..good.clone() }, vb()),
        relu,
    );

    let deep = RecurrentConfig { num_layers: 2, ..good.clone() };
    let message = "num_layers is 2: expected 1, as a cell is one layer";
    check(LstmCell::new(&deep, vb()), message);
    let both = RecurrentConfig { bidirectional: true, ..good.clone() };
    let message = "bidirectional is true: expected false, as a cell has one direction";
    check(GruCell::new(&both, vb()), message);
    let model = ModelConfig::new(ModelKind::Fixed, good, 0);
    let vb = Parameters::new(0).builder(DType::F32, CPU);
    check(Model::new(&model, vb), "num_outputs is 0: expected at least 1");
}

#[test]
fn inputs_that_do_not_fit() {
    let layer = lstm(&RecurrentConfig::new(3, 4)).unwrap();
    let run = |input: &Tensor| layer.forward(input, None, Mode::Inference);
    let shape = "input: expected a tensor";
    check(run(&zeros(&[3])), &format!("{shape} [B, T, I] or [T, I] with I = 3, got shape [3]"));
    let message = format!("{shape} [B, T, I] or [T, I] with I = 3, got shape [2, 5, 2]");
    check(run(&zeros(&[2, 5, 2])), &message);
    let packed = pack_sequence(&[zeros(&[5, 2])], false).unwrap();
    let message = format!("{shape} [N, I] with I = 3, got shape [5, 2]");
    check(layer.forward_packed(&packed, None, Mode::Inference), &message);
    let message = "input: expected dtype f32, got dtype f64";
    check(run(&Tensor::zeros((2, 5, 3), DType::F64, CPU).unwrap()), message);

    let state = |dims: &[usize]| LstmState { h: zeros(&[1, 2, 4]), c: zeros(dims) };
    let input = zeros(&[2, 5, 3]);
    let message = "c_0: expected shape [1, 2, 4], got shape [1, 3, 4]";
    check(layer.forward(&input, Some(&state(&[1, 3, 4])), Mode::Inference), message);

    let f64s =
        LstmState { h: zeros(&[1, 2, 4]).to_dtype(DType::F64).unwrap(), c: zeros(&[1, 2, 4]) };
    let message = "h_0: expected dtype f32, got dtype f64";
    check(layer.forward(&input, Some(&f64s), Mode::Inference), message);

    let vb = || Parameters::new(0).builder(DType::F32, CPU);
    let gru = Gru::new(&RecurrentConfig::new(3, 4), vb()).unwrap();
    let message = "h_0: expected shape [1, 2, 4], got shape [2, 4]";
    check(gru.forward(&input, Some(&zeros(&[2, 4])), Mode::Inference), message);
    let projected =
        lstm(&RecurrentConfig { proj_size: Some(3), ..RecurrentConfig::new(3, 4) }).unwrap();
    let message = "h_0: expected shape [1, 2, 3], got shape [1, 2, 4]";
    check(projected.forward(&input, Some(&state(&[1, 2, 4])), Mode::Inference), message);

    let cell = GruCell::new(&RecurrentConfig::new(3, 4), vb()).unwrap();
    let run = |input: &Tensor, state: Option<&Tensor>| cell.forward(input, state, Mode::Inference);
    let message = "input: expected a tensor [B, I] or [I] with I = 3, got shape [2, 4]";
    check(run(&zeros(&[2, 4]), None), message);
    let message = "h_0: expected shape [2, 4], got shape [3, 4]";
    check(run(&zeros(&[2, 3]), Some(&zeros(&[3, 4]))), message);

    let both =
        lstm(&RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(3, 4) }).unwrap();
    let message = "bidirectional is true: expected false, to run step by step";
    check(both.step(&zeros(&[2, 3]), None, Mode::Inference), message);
}

#[test]
fn no_sequences_and_no_steps_are_legal() {
    let layer = lstm(&RecurrentConfig::new(3, 4)).unwrap();
    for (batch, steps) in [(0, 5), (2, 0), (0, 0)] {
        let (output, last) =
            layer.forward(&zeros(&[batch, steps, 3]), None, Mode::Inference).unwrap();
        assert_eq!(output.dims(), [batch, steps, 4]);
        assert_eq!(last.h.dims(), [1, batch, 4]);
    }
    let vb = Parameters::new(0).builder(DType::F32, CPU);
    let model = FixedLengthLstm::new(&RecurrentConfig::new(3, 4), 1, vb).unwrap();
    let message = "input: expected a tensor [B, T, I] with T of at least 1, got shape [2, 0, 3]";
    check(model.forward(&zeros(&[2, 0, 3]), Mode::Inference), message);
}

/// The lecture's models are those of their configurations, bit for bit.
#[test]
fn the_lectures_models_are_models_of_a_configuration() {
    let layer =
        RecurrentConfig { num_layers: 2, bidirectional: true, ..RecurrentConfig::new(3, 4) };
    let parameters = Parameters::new(9);
    let vb = parameters.builder(DType::F32, CPU);
    let input = Tensor::arange(0f32, 30.0, CPU).unwrap().reshape((2, 5, 3)).unwrap();
    let input = (input / 30.0).unwrap();
    let rows = |t: Tensor| t.to_vec2::<f32>().unwrap();

    let lecture = FixedLengthLstm::new(&layer, 2, vb.clone()).unwrap();
    let config = ModelConfig::new(ModelKind::Fixed, layer.clone(), 2);
    let model = Model::new(&config, vb.clone()).unwrap();
    let want = rows(lecture.forward(&input, Mode::Inference).unwrap());
    assert_eq!(rows(model.forward_padded(&input, Mode::Inference).unwrap()), want);

    let lecture = VariableLengthLstm::new(&layer, 2, vb.clone()).unwrap();
    let config = ModelConfig::new(ModelKind::Variable, layer.clone(), 2);
    let model = Model::new(&config, vb.clone()).unwrap();
    let packed = pack_padded_sequence(&input, &[2, 5], false).unwrap();
    let want = rows(lecture.forward(&packed, Mode::Inference).unwrap());
    assert_eq!(rows(model.forward(&packed, Mode::Inference).unwrap()), want);

    // One prediction per step, padded and packed.
    let config = ModelConfig { readout: Readout::Steps, ..config };
    let model = Model::new(&config, vb).unwrap();
    let padded = model.forward_padded(&input, Mode::Inference).unwrap();
    assert_eq!(padded.dims(), [2, 5, 2]);
    let whole = pack_padded_sequence(&input, &[5, 5], false).unwrap();
    let packed = whole.map(|_| Ok(model.forward(&whole, Mode::Inference).unwrap())).unwrap();
    let (packed, _) = pad_packed_sequence(&packed, &Padding::default()).unwrap();
    assert_eq!(padded.to_vec3::<f32>().unwrap(), packed.to_vec3::<f32>().unwrap());
}

#[test]
fn every_kind_saves_under_pytorchs_names() {
    for (cell, name) in
        [(LayerKind::Lstm, "lstm"), (LayerKind::Gru, "gru"), (LayerKind::Rnn, "rnn")]
    {
        let layer = RecurrentConfig { trainable_state: true, ..RecurrentConfig::new(2, 3) };
        let config = ModelConfig { cell, ..ModelConfig::new(ModelKind::Variable, layer, 1) };
        let parameters = Parameters::new(9);
        Model::new(&config, parameters.builder(DType::F32, CPU)).unwrap();
        let names: Vec<String> = parameters.named().into_iter().map(|(name, _)| name).collect();
        for part in ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "h_0"] {
            assert!(names.contains(&format!("{name}.{part}")), "{names:?}");
        }
        assert_eq!(names.contains(&format!("{name}.c_0")), cell == LayerKind::Lstm);
        let folder = tempfile::tempdir().unwrap();
        save_model(folder.path(), &config, &parameters).unwrap();
        let (back, _) = load_model(folder.path(), DType::F32, CPU).unwrap();
        assert_eq!(back.config(), &config);
    }
}

#[test]
fn a_saved_model_predicts_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let layer =
        RecurrentConfig { num_layers: 2, bidirectional: true, ..RecurrentConfig::new(2, 3) };
    let config = ModelConfig::new(ModelKind::Variable, layer, 4);
    let parameters = Parameters::new(9);
    let model = Model::new(&config, parameters.builder(DType::F32, CPU)).unwrap();
    save_model(folder.path(), &config, &parameters).unwrap();
    let (back, _) = load_model(folder.path(), DType::F32, CPU).unwrap();
    assert_eq!(back.config(), &config);
    let packed = pack_sequence(&[zeros(&[3, 2]), zeros(&[5, 2])], false).unwrap();
    let predict =
        |model: &Model| model.forward(&packed, Mode::Inference).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(predict(&model), predict(&back));
}

#[test]
fn damaged_model_directories() {
    let folder = tempfile::tempdir().unwrap();
    let load = || load_model(folder.path(), DType::F32, CPU).map(|_| ());
    let config = folder.path().join("config.json");
    let at = |message: &str| format!("{}: {message}", config.display());
    check(load(), &at("No such file or directory (os error 2)"));
    std::fs::write(&config, "{").unwrap();
    check(load(), &at("EOF while parsing an object at line 1 column 1"));

    let layer = RecurrentConfig { bias: false, ..RecurrentConfig::new(1, 1) };
    let small = ModelConfig::new(ModelKind::Fixed, layer, 1);
    let large = ModelConfig { num_outputs: 2, ..small.clone() };
    let parameters = Parameters::new(0);
    Model::new(&small, parameters.builder(DType::F32, CPU)).unwrap();
    save_model(folder.path(), &large, &parameters).unwrap();
    let weights = folder.path().join("model.safetensors");
    let message = "state dict does not fit: linear.bias has shape [1], expected [2]; \
                   linear.weight has shape [1, 1], expected [2, 1]";
    check(load(), &format!("{}: {message}", weights.display()));
    std::fs::write(&weights, b"not tensors").unwrap();
    let error = load().unwrap_err().to_string();
    assert!(error.contains("model.safetensors: not a safetensors file"), "{error}");
}
