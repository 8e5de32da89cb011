//! Gradients in f64 compared with central differences, for both models and for every option that PyTorch
//! does not have.

use candle_core::{DType, Device, Tensor};
use ragged_models::{
    FixedLengthLstm, LayerKind, Lstm, Merge, Mode, Model, ModelConfig, ModelKind, Parameters,
    Readout, RecurrentConfig, VariableLengthLstm,
};
use ragged_sequence::pack_padded_sequence;
use ragged_sequence::random::Generator;
use rand::Rng;

/// Compares the gradient of `loss` with respect to every element of every parameter.
fn check(parameters: &Parameters, loss: impl Fn() -> Tensor) {
    let grads = loss().backward().unwrap();
    let value = || loss().to_scalar::<f64>().unwrap();
    for (name, var) in parameters.named() {
        let gradient = grads.get(&var).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let before = var.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let set = |values: Vec<f64>| {
            var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap()).unwrap();
        };
        for (k, &got) in gradient.iter().enumerate() {
            let step = 1e-6;
            let moved = |by: f64| {
                let mut values = before.clone();
                values[k] += by;
                set(values);
                value()
            };
            // Of fourth order: the curvature of a normalisation by a small deviation is large.
            let difference = |step: f64| moved(step) - moved(-step);
            let want = (8.0 * difference(step) - difference(2.0 * step)) / (12.0 * step);
            assert!((got - want).abs() < 1e-8, "{name}[{k}]: {got} against {want}");
        }
        set(before);
    }
}

fn config() -> RecurrentConfig {
    RecurrentConfig { num_layers: 2, bidirectional: true, ..RecurrentConfig::new(2, 3) }
}

fn input() -> Tensor {
    let mut rng = Generator::seed(5);
    let values: Vec<f64> = (0..4 * 5 * 2).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, (4, 5, 2), &Device::Cpu).unwrap()
}

#[test]
fn fixed_length_model() {
    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let model = FixedLengthLstm::new(&config(), 2, vb).unwrap();
    check(&parameters, || {
        let mode = &mut Generator::seed(0);
        let output = model.forward(&input(), Mode::Train(mode)).unwrap();
        output.sqr().unwrap().sum_all().unwrap()
    });
}

#[test]
fn variable_length_model() {
    let parameters = Parameters::new(2);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let model = VariableLengthLstm::new(&config(), 2, vb).unwrap();
    let packed = pack_padded_sequence(&input(), &[3, 0, 5, 1], false).unwrap();
    check(&parameters, || {
        let mode = &mut Generator::seed(0);
        let output = model.forward(&packed, Mode::Train(mode)).unwrap();
        output.sqr().unwrap().sum_all().unwrap()
    });
}

/// Checks a model over packed sequences with these options and several readouts.
fn check_options(kind: LayerKind, layer: RecurrentConfig) {
    let packed = pack_padded_sequence(&input(), &[3, 0, 5, 1], false).unwrap();
    for readout in [Readout::Final, Readout::Mean, Readout::Max, Readout::Steps] {
        let parameters = Parameters::new(3);
        let config = ModelConfig {
            cell: kind,
            readout,
            ..ModelConfig::new(ModelKind::Variable, layer.clone(), 2)
        };
        let model = Model::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
        check(&parameters, || {
            // The same dropout masks at every call.
            let mode = &mut Generator::seed(0);
            let output = model.forward(&packed, Mode::Train(mode)).unwrap();
            output.sqr().unwrap().sum_all().unwrap()
        });
    }
}

#[test]
fn every_option_of_every_kind() {
    for kind in [LayerKind::Lstm, LayerKind::Gru, LayerKind::Rnn] {
        for merge in [Merge::Concat, Merge::Sum, Merge::Mean] {
            let (recurrent_dropout, trainable_state) = (0.4, true);
            let options = RecurrentConfig { merge, recurrent_dropout, trainable_state, ..config() };
            check_options(kind, options);
        }
    }
    check_options(LayerKind::Lstm, RecurrentConfig { proj_size: Some(2), ..config() });
    let dropped = RecurrentConfig { proj_size: Some(2), recurrent_dropout: 0.4, ..config() };
    check_options(LayerKind::Lstm, RecurrentConfig { trainable_state: true, ..dropped.clone() });
    let zoned = RecurrentConfig { zoneout_hidden: 0.3, trainable_state: true, ..config() };
    for kind in [LayerKind::Lstm, LayerKind::Gru, LayerKind::Rnn] {
        check_options(kind, zoned.clone());
    }
    for kind in [LayerKind::Lstm, LayerKind::Gru] {
        check_options(kind, RecurrentConfig { layer_norm: true, ..config() });
        check_options(kind, RecurrentConfig { layer_norm: true, ..zoned.clone() });
    }
    let before = RecurrentConfig { reset_after: false, ..zoned };
    check_options(LayerKind::Gru, before.clone());
    let (zoneout_hidden, recurrent_dropout) = (0.0, 0.4);
    let before = RecurrentConfig { zoneout_hidden, recurrent_dropout, ..before };
    check_options(LayerKind::Gru, before);
    let (zoneout_hidden, zoneout_cell) = (0.3, 0.4);
    let zoned = RecurrentConfig { zoneout_hidden, zoneout_cell, ..dropped };
    check_options(LayerKind::Lstm, zoned.clone());
    check_options(LayerKind::Lstm, RecurrentConfig { peepholes: true, ..zoned });
    check_options(LayerKind::Lstm, RecurrentConfig { peepholes: true, ..config() });
}

#[test]
fn cell_states_of_all_steps() {
    let parameters = Parameters::new(4);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let options = RecurrentConfig { proj_size: Some(2), recurrent_dropout: 0.4, ..config() };
    let lstm = Lstm::new(&options, vb).unwrap();
    let packed = pack_padded_sequence(&input(), &[3, 0, 5, 1], false).unwrap();
    check(&parameters, || {
        let mode = &mut Generator::seed(0);
        let (output, state, cells) =
            lstm.forward_packed_with_cells(&packed, None, Mode::Train(mode)).unwrap();
        let parts = [output.data(), &state.c].into_iter().chain(cells.iter().map(|c| c.data()));
        let squares = parts.map(|part| part.sqr().unwrap().sum_all().unwrap());
        squares.reduce(|a, b| (a + b).unwrap()).unwrap()
    });
}
