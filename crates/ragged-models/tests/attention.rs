//! The attention readout against its definition, its gradients, and the laws of packed batches.

use candle_core::{DType, Device, Tensor};
use ragged_models::{
    AttentionConfig, Error, Lstm, Mode, Model, ModelConfig, ModelKind, Parameters, Readout,
    RecurrentConfig,
};
use ragged_sequence::{PackedSequence, pack_padded_sequence};

const SIZES: AttentionConfig = AttentionConfig { size: 3, heads: 2 };

fn config() -> ModelConfig {
    ModelConfig {
        readout: Readout::Attention,
        attention: Some(SIZES),
        ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(2, 4), 3)
    }
}

fn input(lengths: &[usize]) -> PackedSequence {
    let values: Vec<f64> =
        (0..lengths.len() * 10).map(|k| ((k * 7) % 13) as f64 / 5.0 - 1.0).collect();
    let padded = Tensor::from_vec(values, (lengths.len(), 5, 2), &Device::Cpu).unwrap();
    pack_padded_sequence(&padded, lengths, false).unwrap()
}

/// Computes the predictions for one sequence by the formulas.
fn by_definition(parameters: &Parameters, outputs: &[Vec<f64>]) -> Vec<f64> {
    let matrix = |name: &str| parameters.state_dict()[name].to_vec2::<f64>().unwrap();
    let vector = |name: &str| parameters.state_dict()[name].to_vec1::<f64>().unwrap();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let hidden_bias = vector("attention.hidden.bias");
    let mut read = vec![];
    for score in matrix("attention.score.weight") {
        let scores = outputs.iter().map(|h| {
            let hidden = matrix("attention.hidden.weight");
            let hidden = hidden.iter().zip(&hidden_bias).map(|(w, b)| (dot(w, h) + b).tanh());
            dot(&score, &hidden.collect::<Vec<_>>()).exp()
        });
        let scores: Vec<f64> = scores.collect();
        let sum: f64 = scores.iter().sum();
        let mean = |k: usize| outputs.iter().zip(&scores).map(|(h, s)| h[k] * s / sum).sum::<f64>();
        read.extend((0..4).map(mean));
    }
    matrix("linear.weight")
        .iter()
        .zip(vector("linear.bias"))
        .map(|(w, b)| dot(w, &read) + b)
        .collect()
}

#[test]
fn predictions_are_those_of_the_definition_and_do_not_depend_on_the_batch() {
    let parameters = Parameters::new(3);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let model = Model::new(&config(), vb.clone()).unwrap();
    let lstm = Lstm::new(&config().layer, vb.pp("lstm")).unwrap();
    let packed = input(&[3, 0, 5, 1]);
    let all = model.forward(&packed, Mode::Inference).unwrap().to_vec2::<f64>().unwrap();
    let prepared = model.prepare().unwrap().forward(&packed).unwrap();
    assert_eq!(prepared.to_vec2::<f64>().unwrap(), all);
    let sequences = ragged_sequence::unpack_sequence(&packed).unwrap();
    for (k, sequence) in sequences.iter().enumerate() {
        let alone = ragged_sequence::pack_sequence(std::slice::from_ref(sequence), false).unwrap();
        let got = model.forward(&alone, Mode::Inference).unwrap().to_vec2::<f64>().unwrap();
        assert_eq!(got[0], all[k]);
        let (output, _) = lstm.forward_packed(&alone, None, Mode::Inference).unwrap();
        let want = by_definition(&parameters, &output.data().to_vec2().unwrap());
        for (got, want) in all[k].iter().zip(want) {
            assert!((got - want).abs() < 1e-14, "sequence {k}: {got}, expected {want}");
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let parameters = Parameters::new(5);
    let model = Model::new(&config(), parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let packed = input(&[3, 5, 1]);
    let loss = || model.forward(&packed, Mode::Eval).unwrap().sqr().unwrap().sum_all().unwrap();
    let gradients = loss().backward().unwrap();
    for (name, var) in parameters.named() {
        let gradient =
            gradients.get(&var).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let before = var.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        for (k, got) in gradient.into_iter().enumerate() {
            let moved = |by: f64| {
                let mut values = before.clone();
                values[k] += by;
                var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap()).unwrap();
                loss().to_scalar::<f64>().unwrap()
            };
            let want = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((got - want).abs() < 1e-8, "{name}[{k}]: {got}, expected {want}");
        }
        var.set(&Tensor::from_vec(before, var.dims(), &Device::Cpu).unwrap()).unwrap();
    }
}

#[test]
fn what_attention_needs_and_cannot_do_is_named() {
    let vb = || Parameters::new(1).builder(DType::F64, &Device::Cpu);
    let error = |config: &ModelConfig| Model::new(config, vb()).unwrap_err().to_string();
    let message = "attention is none: expected its sizes, as it is the readout";
    assert_eq!(error(&ModelConfig { attention: None, ..config() }), message);
    let message = "attention is given: expected none, as it is not the readout";
    assert_eq!(error(&ModelConfig { readout: Readout::Mean, ..config() }), message);
    let no_heads = AttentionConfig { heads: 0, ..SIZES };
    let message = "attention heads is 0: expected at least 1";
    assert_eq!(error(&ModelConfig { attention: Some(no_heads), ..config() }), message);

    let model = Model::new(&config(), vb()).unwrap();
    let message = "readout is attention: expected another one, to run step by step";
    assert_eq!(model.stream(1).unwrap_err().to_string(), message);
    assert!(matches!(model.training_stream(1), Err(Error::Config { name: "readout", .. })));
}
