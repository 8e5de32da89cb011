//! Sequences that arrive in pieces, while rows are added and removed, compared with whole sequences, bit
//! for bit.

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use ragged_models::{
    LayerKind, Lstm, LstmState, Mode, Model, ModelConfig, ModelKind, Parameters, Readout,
    RecurrentConfig,
};
use ragged_sequence::random::Generator;
use ragged_sequence::{PackedSequence, pack_sequence, unpack_sequence};
use rand::Rng;

const CPU: &Device = &Device::Cpu;
const READOUTS: [Readout; 7] = [
    Readout::Final,
    Readout::Last,
    Readout::First,
    Readout::Mean,
    Readout::Max,
    Readout::Sum,
    Readout::Steps,
];

fn config() -> RecurrentConfig {
    let (trainable_state, zoneout_hidden, zoneout_cell) = (true, 0.1, 0.3);
    let base = RecurrentConfig::new(3, 5);
    let base = RecurrentConfig { zoneout_hidden, zoneout_cell, peepholes: true, ..base };
    RecurrentConfig { num_layers: 2, trainable_state, ..base }
}

/// Parameters whose initial states are not zero.
fn parameters(build: impl FnOnce(&Parameters)) {
    let parameters = Parameters::new(4);
    build(&parameters);
}

fn set_initial_states(parameters: &Parameters) {
    for (name, var) in parameters.named() {
        if name.ends_with("h_0") || name.ends_with("c_0") {
            let values = random(9, var.dims());
            var.set(&values).unwrap();
        }
    }
}

fn random(seed: u64, dims: &[usize]) -> Tensor {
    let mut rng = Generator::seed(seed);
    let values: Vec<f32> =
        (0..dims.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, dims, CPU).unwrap()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let flat = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    flat.into_iter().map(f32::to_bits).collect()
}

/// Cuts sequences into chunks: in chunk k, sequence b has `cuts[k][b]` steps.
fn chunks(sequences: &[Tensor], cuts: &[Vec<usize>]) -> Vec<PackedSequence> {
    let mut begin = vec![0; sequences.len()];
    let mut chunk = |cut: &Vec<usize>| {
        let pieces =
            sequences.iter().zip(cut).zip(&mut begin).map(|((sequence, &steps), begin)| {
                *begin += steps;
                sequence.narrow(0, *begin - steps, steps).unwrap()
            });
        pack_sequence(&pieces.collect::<Vec<_>>(), false).unwrap()
    };
    cuts.iter().map(&mut chunk).collect()
}

fn cuts() -> impl Strategy<Value = Vec<Vec<usize>>> {
    (1..5usize)
        .prop_flat_map(|rows| prop::collection::vec(prop::collection::vec(0..4usize, rows), 1..5))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn chunks_of_any_size_give_the_results_of_whole_sequences(cuts in cuts()) {
        let rows = cuts[0].len();
        let length = |b: usize| cuts.iter().map(|cut| cut[b]).sum::<usize>();
        let sequences: Vec<_> = (0..rows).map(|b| random(b as u64, &[length(b), 3])).collect();
        let whole = pack_sequence(&sequences, false).unwrap();
        parameters(|p| {
            let layer = Lstm::new(&config(), p.builder(DType::F32, CPU)).unwrap();
            set_initial_states(p);
            let (want, last) = layer.forward_packed(&whole, None, Mode::Inference).unwrap();
            let mut stream = layer.stream(rows).unwrap();
            let mut got = vec![vec![]; rows];
            for chunk in chunks(&sequences, &cuts) {
                let output = stream.chunk(&chunk).unwrap();
                for (b, piece) in unpack_sequence(&output).unwrap().iter().enumerate() {
                    got[b].extend(bits(piece));
                }
            }
            for (want, got) in unpack_sequence(&want).unwrap().iter().zip(got) {
                assert_eq!(bits(want), got);
            }
            assert_eq!(bits(&last.h), bits(&stream.state().unwrap().h));
            assert_eq!(bits(&last.c), bits(&stream.state().unwrap().c));
        });
        for readout in READOUTS {
            let config = ModelConfig { readout, ..ModelConfig::new(ModelKind::Variable, config(), 2) };
            parameters(|p| {
                let model = Model::new(&config, p.builder(DType::F32, CPU)).unwrap();
                set_initial_states(p);
                let want = model.forward(&whole, Mode::Inference).unwrap();
                let mut stream = model.stream(rows).unwrap();
                let mut steps = vec![vec![]; rows];
                let mut last = vec![];
                for chunk in chunks(&sequences, &cuts) {
                    let prediction = stream.chunk(&chunk).unwrap();
                    last = bits(&prediction);
                    if readout == Readout::Steps {
                        let pieces = chunk.map(|_| Ok(prediction)).unwrap();
                        for (b, piece) in unpack_sequence(&pieces).unwrap().iter().enumerate() {
                            steps[b].extend(bits(piece));
                        }
                    }
                }
                if readout == Readout::Steps {
                    let want = whole.map(|_| Ok(want)).unwrap();
                    for (want, got) in unpack_sequence(&want).unwrap().iter().zip(steps) {
                        assert_eq!(bits(want), got);
                    }
                } else {
                    assert_eq!(bits(&want), last, "{readout:?}");
                }
            });
        }
    }
}

/// Rows are reset, removed and added; each gives the results of a stream with this row only.
#[test]
fn rows_do_not_depend_on_other_rows() {
    parameters(|p| {
        let layer = Lstm::new(&config(), p.builder(DType::F32, CPU)).unwrap();
        set_initial_states(p);
        let step = |seed: u64| random(seed, &[1, 3]);
        let at = |seeds: &[u64]| {
            Tensor::cat(&seeds.iter().map(|&seed| step(seed)).collect::<Vec<_>>(), 0).unwrap()
        };
        let mut stream = layer.stream(3).unwrap();
        stream.step(&at(&[1, 11, 21])).unwrap();
        stream.reset(&[2, 0]).unwrap();
        stream.step(&at(&[2, 12, 22])).unwrap();
        stream.remove(&[0]).unwrap();
        stream.add(2).unwrap();
        assert_eq!(stream.rows(), 4);
        let last = stream.step(&at(&[13, 23, 33, 43])).unwrap();
        for (row, seeds) in [&[11, 12, 13][..], &[22, 23], &[33], &[43]].into_iter().enumerate() {
            let mut alone = layer.stream(1).unwrap();
            let outputs: Vec<_> = seeds.iter().map(|&s| alone.step(&step(s)).unwrap()).collect();
            assert_eq!(bits(outputs.last().unwrap()), bits(&last.get(row).unwrap()), "row {row}");
            let LstmState { h, c } = stream.state().unwrap();
            let row = |t: &Tensor| bits(&t.narrow(1, row, 1).unwrap());
            let alone = alone.state().unwrap();
            assert_eq!((row(&h), row(&c)), (bits(&alone.h), bits(&alone.c)));
        }
    });
}

/// Single steps, each layer in its own kernel call, between chunks: cells, projections and both element types.
#[test]
fn single_steps_give_the_results_of_whole_sequences() {
    let proj = RecurrentConfig { proj_size: Some(3), ..config() };
    let plain = RecurrentConfig { zoneout_cell: 0.0, peepholes: false, ..config() };
    let before = RecurrentConfig { reset_after: false, ..plain.clone() };
    let cells = [
        (LayerKind::Lstm, config()),
        (LayerKind::Lstm, proj),
        (LayerKind::Gru, plain.clone()),
        (LayerKind::Gru, before.clone()),
        (LayerKind::Gru, before),
        (LayerKind::Rnn, plain.clone()),
        (LayerKind::Lstm, RecurrentConfig { layer_norm: true, ..plain.clone() }),
        (LayerKind::Gru, RecurrentConfig { layer_norm: true, ..plain.clone() }),
        (LayerKind::Lstm, RecurrentConfig { zoneout_hidden: 0.0, ..plain }),
    ];
    for ((cell, layer), dtype) in cells.iter().zip([DType::F32, DType::F64].into_iter().cycle()) {
        for readout in READOUTS {
            let lecture = ModelConfig::new(ModelKind::Variable, layer.clone(), 2);
            let config = ModelConfig { readout, cell: *cell, ..lecture };
            parameters(|p| {
                let model = Model::new(&config, p.builder(dtype, CPU)).unwrap();
                let whole = random(3, &[2, 6, 3]).to_dtype(dtype).unwrap();
                let wide = |t: &Tensor| {
                    let t = t.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
                    t.to_vec1::<f64>().unwrap().into_iter().map(f64::to_bits).collect::<Vec<_>>()
                };
                let want = model.forward_padded(&whole, Mode::Inference).unwrap();
                let mut stream = model.stream(2).unwrap();
                for step in 0..6 {
                    let input = whole.narrow(1, step, 1).unwrap();
                    let got = match step {
                        3 => {
                            let rows = [0, 1].map(|row| input.get(row).unwrap());
                            stream.chunk(&pack_sequence(&rows, false).unwrap()).unwrap()
                        }
                        _ => stream.step(&input.squeeze(1).unwrap()).unwrap(),
                    };
                    if readout == Readout::Steps {
                        let want = want.narrow(1, step, 1).unwrap();
                        assert_eq!(wide(&got), wide(&want), "{cell:?}, {dtype:?}, step {step}");
                    } else if step == 5 {
                        assert_eq!(wide(&got), wide(&want), "{cell:?}, {dtype:?}, {readout:?}");
                    }
                }
            });
        }
    }
}

/// A stream and a prepared model go on with the parameters that they were made with.
#[test]
fn training_does_not_reach_a_stream() {
    let config = ModelConfig::new(ModelKind::Variable, config(), 2);
    parameters(|p| {
        let model = Model::new(&config, p.builder(DType::F32, CPU)).unwrap();
        let (first, second) = (random(1, &[1, 3]), random(2, &[1, 3]));
        let whole = Tensor::stack(&[&first, &second], 1).unwrap();
        let want = bits(&model.forward_padded(&whole, Mode::Inference).unwrap());
        let prepared = model.prepare().unwrap();
        let mut stream = model.stream(1).unwrap();
        stream.step(&first).unwrap();
        for (_, var) in p.named() {
            var.set(&var.affine(0.5, 0.1).unwrap()).unwrap();
        }
        assert_eq!(bits(&stream.step(&second).unwrap()), want);
        assert_eq!(bits(&prepared.forward_padded(&whole).unwrap()), want);
        assert_ne!(bits(&model.forward_padded(&whole, Mode::Inference).unwrap()), want);
    });
}

/// The copy of a stream has states of its own.
#[test]
fn a_copied_stream_goes_its_own_way() {
    parameters(|p| {
        let layer = Lstm::new(&config(), p.builder(DType::F32, CPU)).unwrap();
        let mut stream = layer.stream(1).unwrap();
        let mut copy = stream.clone();
        copy.step(&random(1, &[1, 3])).unwrap();
        let input = random(2, &[1, 3]);
        let want = layer.stream(1).unwrap().step(&input).unwrap();
        assert_eq!(bits(&stream.step(&input).unwrap()), bits(&want));
        assert_ne!(bits(&copy.step(&input).unwrap()), bits(&want));
    });
}

#[test]
fn a_model_keeps_nothing_of_removed_rows() {
    for readout in READOUTS {
        let config = ModelConfig { readout, ..ModelConfig::new(ModelKind::Variable, config(), 2) };
        parameters(|p| {
            let model = Model::new(&config, p.builder(DType::F32, CPU)).unwrap();
            let (first, second) = (random(1, &[3, 3]), random(2, &[3, 3]));
            let mut stream = model.stream(3).unwrap();
            stream.step(&first).unwrap();
            stream.reset(&[1]).unwrap();
            stream.remove(&[0]).unwrap();
            stream.add(1).unwrap();
            let got = stream.step(&second).unwrap();
            let mut fresh = model.stream(3).unwrap();
            let want = fresh.step(&second).unwrap();
            for row in [0, 2] {
                let (got, want) = (got.get(row).unwrap(), want.get(row).unwrap());
                assert_eq!(bits(&got), bits(&want), "{readout:?}, row {row}");
            }
        });
    }
}

#[test]
fn streams_report_what_does_not_fit() {
    #[track_caller]
    fn check<T>(result: ragged_models::Result<T>, message: &str) {
        let Err(error) = result else { panic!("expected the error: {message}") };
        assert_eq!(error.to_string(), message);
    }
    let both = RecurrentConfig { bidirectional: true, ..config() };
    let message = "bidirectional is true: expected false, to run step by step";
    let vb = || Parameters::new(0).builder(DType::F32, CPU);
    check(Lstm::new(&both, vb()).unwrap().stream(1), message);
    let model = ModelConfig::new(ModelKind::Variable, both, 1);
    check(Model::new(&model, vb()).unwrap().stream(1), message);

    let layer = Lstm::new(&config(), vb()).unwrap();
    let mut stream = layer.stream(2).unwrap();
    let message = "input: expected 2 sequences, got 3";
    check(stream.step(&random(0, &[3, 3])), message);
    let three = pack_sequence(&[random(0, &[1, 3]), random(0, &[1, 3]), random(0, &[1, 3])], false);
    check(stream.chunk(&three.unwrap()), message);
    let wide = random(0, &[2, 4]);
    check(stream.step(&wide), "input: expected a tensor [B, I] with I = 3, got shape [2, 4]");
    check(stream.reset(&[2]), "rows: expected rows below 2, got 2");
    check(stream.remove(&[0, 7]), "rows: expected rows below 2, got 7");
    let model = Model::new(&ModelConfig::new(ModelKind::Variable, config(), 1), vb()).unwrap();
    let mut stream = model.stream(2).unwrap();
    check(stream.step(&random(0, &[3, 3])), "input: expected 2 sequences, got 3");
    check(
        stream.step(&random(0, &[2, 1, 3])),
        "input: expected a tensor [B, I] with I = 3, got shape [2, 1, 3]",
    );
}
