//! Sequences that arrive in pieces, while rows are added and removed, compared with whole sequences, bit
//! for bit.

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use ragged_models::{
    Lstm, LstmState, Mode, Model, ModelConfig, ModelKind, Parameters, Readout, RecurrentConfig,
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
    RecurrentConfig { num_layers: 2, trainable_state: true, ..RecurrentConfig::new(3, 5) }
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
            assert_eq!(bits(&last.h), bits(&stream.state().h));
            assert_eq!(bits(&last.c), bits(&stream.state().c));
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
            let LstmState { h, c } = stream.state();
            let row = |t: &Tensor| bits(&t.narrow(1, row, 1).unwrap());
            assert_eq!((row(h), row(c)), (bits(&alone.state().h), bits(&alone.state().c)));
        }
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
    let message = "h_0: expected shape [2, 3, 5], got shape [2, 2, 5]";
    check(stream.step(&random(0, &[3, 3])), message);
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
