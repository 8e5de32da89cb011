//! Models of sequences with static values, against candle's own operations and finite differences.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::Module;
use ragged_models::{
    EmbeddingSize, LayerKind, Linear, Lstm, LstmState, Mode, Model, ModelConfig, ModelKind,
    Parameters, Readout, RecurrentConfig, StaticConfig, StaticJoin,
};
use ragged_sequence::{PackedSequence, pack_sequence};

const CPU: Device = Device::Cpu;
const LENGTHS: [usize; 3] = [2, 4, 1];

fn config(join: StaticJoin, readout: Readout) -> ModelConfig {
    let tables = vec![EmbeddingSize { num_embeddings: 4, embedding_dim: 2 }];
    ModelConfig {
        statics: Some(StaticConfig { num_values: 1, tables, join }),
        readout,
        ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(2, 3), 2)
    }
}

fn sequence(index: usize) -> Tensor {
    let length = LENGTHS[index];
    let values = (0..2 * length).map(|k| ((7 * k + 3 * index) % 5) as f64 * 0.3 - 0.6);
    Tensor::from_vec(values.collect(), (length, 2), &CPU).unwrap()
}

fn packed(indices: &[usize]) -> PackedSequence {
    pack_sequence(&indices.iter().map(|&k| sequence(k)).collect::<Vec<_>>(), false).unwrap()
}

fn statics(indices: &[usize]) -> (Tensor, Tensor) {
    let numbers = indices.iter().map(|&k| k as f64 - 0.5).collect();
    let ids = indices.iter().map(|&k| [3u32, 1, 3][k]).collect();
    let rows = (indices.len(), 1);
    (Tensor::from_vec(numbers, rows, &CPU).unwrap(), Tensor::from_vec(ids, rows, &CPU).unwrap())
}

fn forward(model: &Model, indices: &[usize], mode: Mode) -> Tensor {
    let (numbers, ids) = statics(indices);
    let statics = model.embed_statics(&numbers, &ids).unwrap();
    model.forward_static(&packed(indices), &statics, mode).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The predictions are those of an LSTM that gets the states, and of a linear layer that gets the joined rows.
#[test]
fn predictions_are_those_of_the_parts() {
    for join in [StaticJoin::Head, StaticJoin::State] {
        let parameters = Parameters::new(5);
        let vb = parameters.builder(DType::F64, &CPU);
        let model = Model::new(&config(join, Readout::Final), vb.clone()).unwrap();
        let got = forward(&model, &[0, 1, 2], Mode::Inference);
        for index in 0..3 {
            let (numbers, ids) = statics(&[index]);
            let table = vb.pp("static.embedding.0").get((4, 2), "weight").unwrap();
            let row = table.index_select(&ids.flatten_all().unwrap(), 0).unwrap();
            let features = Tensor::cat(&[&numbers, &row], 1).unwrap();
            let lstm = Lstm::new(&RecurrentConfig::new(2, 3), vb.pp("lstm")).unwrap();
            let x = sequence(index).unsqueeze(0).unwrap();
            let part = |name: &str| {
                let linear = Linear::new(3, 3, vb.pp("static.state").pp(name)).unwrap();
                linear.forward(&features).unwrap().unsqueeze(0).unwrap()
            };
            let state =
                (join == StaticJoin::State).then(|| LstmState { h: part("0"), c: part("1") });
            let (_, state) = lstm.forward(&x, state.as_ref(), Mode::Inference).unwrap();
            let h = state.h.squeeze(0).unwrap();
            let (read, width) = match join {
                StaticJoin::Head => (Tensor::cat(&[&h, &features], 1).unwrap(), 6),
                StaticJoin::State => (h, 3),
            };
            let head = Linear::new(width, 2, vb.pp("linear")).unwrap();
            let want = values(&head.forward(&read).unwrap());
            let got = values(&got.narrow(0, index, 1).unwrap());
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() < 1e-12, "{join:?}, {index}: {got}, expected {want}");
            }
        }
    }
}

/// Bit for bit, whatever the other sequences of the batch are, also in a prepared model.
#[test]
fn static_values_stay_with_their_sequence() {
    for join in [StaticJoin::Head, StaticJoin::State] {
        for cell in [LayerKind::Lstm, LayerKind::Gru, LayerKind::Rnn] {
            let config = ModelConfig { cell, ..config(join, Readout::Steps) };
            let model = Model::new(&config, Parameters::new(2).builder(DType::F32, &CPU)).unwrap();
            let prepared = model.prepare().unwrap();
            let run = |indices: &[usize]| -> Vec<Vec<f32>> {
                let (numbers, ids) = statics(indices);
                let steps = packed(indices).to_dtype(DType::F32).unwrap();
                let numbers = numbers.to_dtype(DType::F32).unwrap();
                let features = model.embed_statics(&numbers, &ids).unwrap();
                let rows = model.forward_static(&steps, &features, Mode::Inference).unwrap();
                let same = prepared.embed_statics(&numbers, &ids).unwrap();
                let same = prepared.forward_static(&steps, &same).unwrap();
                let rows = rows.to_vec2::<f32>().unwrap();
                assert_eq!(rows, same.to_vec2::<f32>().unwrap());
                let mut found = vec![vec![]; indices.len()];
                for ((b, _), row) in steps.layout().positions().zip(rows) {
                    found[b].extend(row);
                }
                found
            };
            let together = run(&[2, 0, 1]);
            for (place, index) in [2, 0, 1].into_iter().enumerate() {
                assert_eq!(run(&[index])[0], together[place], "{join:?}, {cell:?}");
            }
        }
    }
}

/// The gradients of all parameters agree with finite differences in 64 bits.
#[test]
fn gradients_agree_with_finite_differences() {
    for (join, readout) in [
        (StaticJoin::Head, Readout::Final),
        (StaticJoin::Head, Readout::Steps),
        (StaticJoin::State, Readout::Mean),
    ] {
        let parameters = Parameters::new(3);
        let vb = parameters.builder(DType::F64, &CPU);
        let model = Model::new(&config(join, readout), vb).unwrap();
        let loss = || forward(&model, &[0, 1, 2], Mode::Eval).sqr().unwrap().sum_all().unwrap();
        let gradients = loss().backward().unwrap();
        let mut checked = 0;
        for (name, var) in parameters.named() {
            let gradient = values(gradients.get(&var).unwrap_or_else(|| panic!("{name}")));
            if !name.starts_with("static") && !name.starts_with("linear") {
                continue;
            }
            let before = values(var.as_tensor());
            for (k, gradient) in gradient.iter().enumerate() {
                let at = |change: f64| {
                    let mut changed = before.clone();
                    changed[k] += change;
                    set(&var, changed);
                    loss().to_scalar::<f64>().unwrap()
                };
                let want = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((gradient - want).abs() < 1e-7, "{name}[{k}]: {gradient}, expected {want}");
                checked += 1;
            }
            set(&var, before);
        }
        assert!(checked > 16, "{checked}");
    }
}

fn set(var: &Var, values: Vec<f64>) {
    var.set(&Tensor::from_vec(values, var.dims(), &CPU).unwrap()).unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let vb = || Parameters::new(1).builder(DType::F64, &CPU);
    let model = Model::new(&config(StaticJoin::Head, Readout::Final), vb()).unwrap();
    let message = |result: ragged_models::Result<Tensor>| result.unwrap_err().to_string();
    let expected = "static values: expected 3 rows, got none";
    assert_eq!(message(model.forward(&packed(&[0, 1, 2]), Mode::Eval)), expected);
    let (numbers, ids) = statics(&[0, 1]);
    let rows = model.embed_statics(&numbers, &ids).unwrap();
    let expected = "static values: expected 3 rows, got 2 rows";
    assert_eq!(message(model.forward_static(&packed(&[0, 1, 2]), &rows, Mode::Eval)), expected);
    let expected = "static values: expected 1 numbers and 1 categories, got 2 and 1";
    let both = Tensor::cat(&[&numbers, &numbers], 1).unwrap();
    assert_eq!(message(model.embed_statics(&both, &ids)), expected);
    assert!(
        model.stream(1).unwrap_err().to_string().starts_with("statics is given: expected none")
    );
    assert!(model.training_stream(1).is_err());
    let mut trained = config(StaticJoin::State, Readout::Final);
    trained.layer.trainable_state = true;
    let expected =
        "trainable_state is true: expected false, as static values make the initial states";
    assert_eq!(Model::new(&trained, vb()).unwrap_err().to_string(), expected);
}
