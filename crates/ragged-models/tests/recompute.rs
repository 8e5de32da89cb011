//! Activations that are computed once more change no bit of a layer's or a model's results and gradients.

use candle_core::{DType, Device, Tensor, Var};
use ragged_models::random::Generator;
use ragged_models::{
    Gru, LayerKind, Lstm, Merge, Mode, Model, ModelConfig, ModelKind, Parameters, Readout,
    Recompute, RecurrentConfig,
};
use ragged_sequence::{PackedSequence, pack_sequence};

const LENGTHS: [usize; 5] = [13, 4, 29, 29, 7];

/// Sequences of these lengths with three features, which are variables.
fn sequences(lengths: &[usize], dtype: DType) -> (Var, PackedSequence) {
    let rows: usize = lengths.iter().sum();
    let values: Vec<f64> = (0..rows * 3).map(|k| (k as f64 * 0.71).sin()).collect();
    let values = Tensor::from_vec(values, (rows, 3), &Device::Cpu).unwrap();
    let values = Var::from_tensor(&values.to_dtype(dtype).unwrap()).unwrap();
    let mut start = 0;
    let sequences: Vec<Tensor> = lengths
        .iter()
        .map(|&length| {
            start += length;
            values.narrow(0, start - length, length).unwrap()
        })
        .collect();
    let packed = pack_sequence(&sequences, false).unwrap();
    (values, packed)
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    let values = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    values.to_vec1::<f64>().unwrap().into_iter().map(f64::to_bits).collect()
}

/// The prediction of one pass in training, and the gradients of the parameters and of the input.
fn train(
    config: &ModelConfig,
    lengths: &[usize],
    dtype: DType,
    recompute: Option<Recompute>,
) -> Vec<(String, Vec<u64>)> {
    let parameters = Parameters::new(3);
    let model = Model::new(config, parameters.builder(dtype, &Device::Cpu)).unwrap();
    let model = model.with_recompute(recompute);
    let (values, packed) = sequences(lengths, dtype);
    let prediction = model.forward(&packed, Mode::Train(&mut Generator::seed(7))).unwrap();
    let inferred = model.forward(&packed, Mode::Inference).unwrap();
    let prepared = model.prepare().unwrap().forward(&packed).unwrap();
    let gradients = prediction.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let mut results = vec![
        ("prediction".to_string(), bits(&prediction)),
        ("inference".to_string(), bits(&inferred)),
        ("prepared".to_string(), bits(&prepared)),
        ("input".to_string(), gradients.get(&values).map_or(vec![], bits)),
    ];
    for (name, parameter) in parameters.named() {
        // A batch without steps has no gradient of some parameters.
        results.push((name, gradients.get(&parameter).map_or(vec![], bits)));
    }
    let with_steps = lengths.iter().any(|&length| length > 0);
    assert!(!with_steps || results.iter().all(|(_, bits)| !bits.is_empty()));
    results
}

#[track_caller]
fn check(config: &ModelConfig, lengths: &[usize], dtype: DType) {
    let kept = train(config, lengths, dtype, None);
    for steps in [1, 4, 10, 100] {
        let found = train(config, lengths, dtype, Recompute::every(steps));
        for ((name, found), (_, kept)) in found.iter().zip(&kept) {
            assert!(found == kept, "{name} with {steps} steps: {config:?}");
        }
    }
}

#[test]
fn every_readout_of_every_layer_has_the_same_bits() {
    let readouts = [Readout::Final, Readout::Last, Readout::Mean, Readout::Steps];
    for cell in [LayerKind::Lstm, LayerKind::Gru, LayerKind::Rnn] {
        for readout in readouts {
            let layer = RecurrentConfig {
                num_layers: 2,
                bidirectional: readout != Readout::Steps,
                merge: if readout == Readout::Mean { Merge::Sum } else { Merge::Concat },
                dropout: 0.3,
                trainable_state: true,
                ..RecurrentConfig::new(3, 6)
            };
            let config =
                ModelConfig { cell, readout, ..ModelConfig::new(ModelKind::Variable, layer, 2) };
            check(&config, &LENGTHS, DType::F32);
        }
    }
}

/// Random masks and mixtures are those of the forward pass.
#[test]
fn dropout_inside_the_layer_is_replayed() {
    let plain = RecurrentConfig { recurrent_dropout: 0.4, ..RecurrentConfig::new(3, 6) };
    let zoneout = RecurrentConfig { zoneout_hidden: 0.3, ..plain.clone() };
    let layers = [
        (LayerKind::Lstm, RecurrentConfig { zoneout_cell: 0.5, ..zoneout.clone() }),
        (LayerKind::Lstm, RecurrentConfig { peepholes: true, proj_size: Some(4), ..plain.clone() }),
        (LayerKind::Lstm, RecurrentConfig { layer_norm: true, ..plain.clone() }),
        (LayerKind::Gru, RecurrentConfig { reset_after: false, ..zoneout }),
        (LayerKind::Gru, RecurrentConfig { layer_norm: true, ..plain }),
    ];
    for (cell, layer) in layers {
        for readout in [Readout::Final, Readout::Steps] {
            let layer = layer.clone();
            let config =
                ModelConfig { cell, readout, ..ModelConfig::new(ModelKind::Variable, layer, 1) };
            check(&config, &LENGTHS, DType::F64);
        }
    }
}

/// A sequence of length zero has its last output, which is zero, and its final state, which is the initial one.
#[test]
fn sequences_without_steps_and_batches_without_steps() {
    for readout in [Readout::Final, Readout::Last, Readout::Sum] {
        let config = ModelConfig {
            readout,
            ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1)
        };
        check(&config, &[5, 0, 11], DType::F32);
        check(&config, &[0, 0], DType::F32);
    }
}

/// A layer alone, with states given and cell states taken.
#[test]
fn layers_go_on_from_a_state() {
    let (values, packed) = sequences(&LENGTHS, DType::F32);
    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    let lstm = Lstm::new(&RecurrentConfig::new(3, 5), vb).unwrap();
    let results = |lstm: &Lstm| {
        let (_, state) = lstm.forward_packed(&packed, None, Mode::Eval).unwrap();
        let (output, state, cells) =
            lstm.forward_packed_with_cells(&packed, Some(&state), Mode::Eval).unwrap();
        let parts = [output.data(), cells[0].data()].map(|t| t.sqr().unwrap().sum_all().unwrap());
        let loss = (&parts[0] + &parts[1]).unwrap();
        let loss = (loss + state.c.sum_all().unwrap()).unwrap();
        let gradients = loss.backward().unwrap();
        [bits(&loss), bits(gradients.get(&values).unwrap()), bits(&state.h)]
    };
    let kept = results(&lstm);
    assert_eq!(results(&lstm.clone().with_recompute(Recompute::every(3))), kept);
}

/// A stream takes chunks in segments as well.
#[test]
fn streams_have_the_same_bits() {
    let (_, packed) = sequences(&LENGTHS, DType::F32);
    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    let gru = Gru::new(&RecurrentConfig::new(3, 5), vb).unwrap();
    let (output, _) = gru.forward_packed(&packed, None, Mode::Inference).unwrap();
    let mut stream = gru.with_recompute(Recompute::every(3)).stream(LENGTHS.len()).unwrap();
    assert_eq!(bits(stream.chunk(&packed).unwrap().data()), bits(output.data()));
}
