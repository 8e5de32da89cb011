//! The packed kernels compared with the plain reference: values and gradients, for every option and any
//! lengths.

mod reference;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::RNN;
use proptest::prelude::*;
use ragged_models::{
    Cell, GruCell, LayerKind, Lstm, LstmCell, LstmState, Merge, Mode, Nonlinearity, Parameters,
    Recurrent, RecurrentConfig, RnnCell, State,
};
use ragged_sequence::random::Generator;
use ragged_sequence::{pack_sequence, unpack_sequence};
use rand::Rng;
use reference::Reference;

fn rng() -> Generator {
    Generator::seed(0)
}

fn random(rng: &mut impl Rng, dims: &[usize]) -> Tensor {
    let count = dims.iter().product();
    let values: Vec<f64> = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

fn var(rng: &mut impl Rng, dims: &[usize]) -> Var {
    Var::from_tensor(&random(rng, dims)).unwrap()
}

/// The largest difference of two tensors of the same shape.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    if a.elem_count() == 0 {
        return 0.0;
    }
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_scalar().unwrap()
}

/// Zoneout and recurrent dropout; not both, since the reference has the masks of one and the expectation of the other.
fn regularisation() -> impl Strategy<Value = [f64; 3]> {
    prop_oneof![Just([0.0; 3]), Just([0.0, 0.0, 0.4]), Just([0.1, 0.3, 0.0]), Just([0.2, 0.0, 0.0])]
}

fn configs() -> impl Strategy<Value = RecurrentConfig> {
    let sizes = (1..4usize, 2..6usize, 1..3usize, 0..3usize);
    let merges = prop_oneof![Just(Merge::Concat), Just(Merge::Sum), Just(Merge::Mean)];
    (sizes, any::<[bool; 4]>(), merges, regularisation()).prop_map(
        |(sizes, [bias, bidirectional, relu, peepholes], merge, regularisation)| {
            let [zoneout_hidden, zoneout_cell, recurrent_dropout] = regularisation;
            let (input_size, hidden_size, num_layers, proj_size) = sizes;
            RecurrentConfig {
                num_layers,
                bias,
                bidirectional,
                proj_size: (proj_size > 0).then_some(proj_size.min(hidden_size - 1)),
                nonlinearity: if relu { Nonlinearity::Relu } else { Nonlinearity::Tanh },
                merge,
                recurrent_dropout,
                zoneout_hidden,
                zoneout_cell,
                peepholes,
                ..RecurrentConfig::new(input_size, hidden_size)
            }
        },
    )
}

/// The masks that a layer draws from a generator, `[L * D, B, ..]`.
fn masks(config: &RecurrentConfig, batch: usize, rng: &mut Generator) -> Option<Tensor> {
    let p = config.recurrent_dropout;
    let dims = [config.num_layers * config.num_directions(), batch, config.output_size()];
    let draw = |_| if rng.random::<f64>() < p { 0.0 } else { 1.0 / (1.0 - p) };
    let values = (0..dims.iter().product()).map(draw).collect::<Vec<f64>>();
    (p > 0.0).then(|| Tensor::from_vec(values, &dims, &Device::Cpu).unwrap())
}

/// Compares values and gradients of a packed batch with the reference's, sequence by sequence.
fn check<C: Cell>(kind: LayerKind, config: &RecurrentConfig, lengths: &[usize]) {
    let mut rng = rng();
    let parameters = Parameters::new(1);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let layer = Recurrent::<C>::new(config, vb).unwrap();
    let batch = lengths.len();
    let sequences: Vec<Var> =
        lengths.iter().map(|&length| var(&mut rng, &[length, config.input_size])).collect();
    let zeros = layer.initial_state(batch).unwrap();
    let states: Vec<Var> = zeros.parts().iter().map(|t| var(&mut rng, t.dims())).collect();

    let tensors: Vec<Tensor> = sequences.iter().map(|v| v.as_tensor().clone()).collect();
    let packed = pack_sequence(&tensors, false).unwrap();
    let state = C::State::from_parts(states.iter().map(|v| v.as_tensor().clone()).collect());
    let masks = masks(config, batch, &mut rng.clone());
    let mut drawn = rng.clone();
    let zoned = config.zoneout_hidden > 0.0;
    let mode = if zoned { Mode::Eval } else { Mode::Train(&mut drawn) };
    let (output, last) = layer.forward_packed(&packed, Some(&state), mode).unwrap();
    let outputs = unpack_sequence(&output).unwrap();
    if config.recurrent_dropout == 0.0 {
        for mode in [Mode::Eval, Mode::Inference] {
            let (plain, _) = layer.forward_packed(&packed, Some(&state), mode).unwrap();
            assert_eq!(distance(plain.data(), output.data()), 0.0);
        }
    }

    let weights: Vec<_> = parameters.named().into_iter().collect();
    let named = weights.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
    let reference = Reference { kind, config, parameters: &named };
    let weigh = |t: &Tensor, w: &Tensor| (t * w).unwrap().sum_all().unwrap();
    let (mut ours, mut theirs) = (vec![], vec![]);
    for (b, sequence) in sequences.iter().enumerate() {
        let at = |t: &Tensor| t.narrow(1, b, 1).unwrap().squeeze(1).unwrap();
        let start: Vec<Tensor> = states.iter().map(|state| at(state)).collect();
        let want = reference.run(sequence, &start, masks.as_ref().map(at).as_ref()).unwrap();
        let pairs = last.parts().into_iter().map(at).zip(want.states);
        for (got, want) in [(outputs[b].clone(), want.output)].into_iter().chain(pairs) {
            assert!(distance(&got, &want) < 1e-12, "{config:?} {lengths:?}");
            let weight = random(&mut rng, got.dims());
            ours.push(weigh(&got, &weight));
            theirs.push(weigh(&want, &weight));
        }
    }
    let total = |parts: &[Tensor]| Tensor::stack(parts, 0).unwrap().sum_all().unwrap();
    let (ours, theirs) = (total(&ours).backward().unwrap(), total(&theirs).backward().unwrap());
    let leaves = sequences.iter().chain(&states).chain(weights.iter().map(|(_, v)| v));
    for leaf in leaves {
        let zeros = leaf.zeros_like().unwrap();
        let (got, want) = (ours.get(leaf).unwrap_or(&zeros), theirs.get(leaf).unwrap_or(&zeros));
        assert!(distance(got, want) < 1e-11, "{:?} of {config:?} {lengths:?}", leaf.dims());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn packed_values_and_gradients_agree_with_the_reference(
        config in configs(),
        lengths in prop::collection::vec(0..6usize, 1..6),
    ) {
        let tanh = RecurrentConfig { nonlinearity: Nonlinearity::Tanh, ..config.clone() };
        let (proj_size, zoneout_cell, peepholes) = (None, 0.0, false);
        let whole = RecurrentConfig { proj_size, zoneout_cell, peepholes, ..config };
        check::<LstmCell>(LayerKind::Lstm, &tanh, &lengths);
        check::<RnnCell>(LayerKind::Rnn, &whole, &lengths);
        let gru = RecurrentConfig { nonlinearity: Nonlinearity::Tanh, ..whole };
        check::<GruCell>(LayerKind::Gru, &gru, &lengths);
        let before = RecurrentConfig { reset_after: false, ..gru };
        check::<GruCell>(LayerKind::Gru, &before, &lengths);
    }
}

/// The cell states of every step, of every layer and direction (pytorch#31423).
#[test]
fn cell_states_of_all_steps() {
    for proj_size in [None, Some(2)] {
        let config = RecurrentConfig {
            num_layers: 2,
            bidirectional: true,
            proj_size,
            ..RecurrentConfig::new(3, 4)
        };
        let parameters = Parameters::new(1);
        let lstm = Lstm::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
        let mut rng = rng();
        let sequences = [2, 0, 5].map(|length| var(&mut rng, &[length, 3]));
        let tensors = sequences.each_ref().map(|v| v.as_tensor().clone());
        let packed = pack_sequence(&tensors, false).unwrap();
        let mode = Mode::Train(&mut rng.clone());
        let (output, last, cells) = lstm.forward_packed_with_cells(&packed, None, mode).unwrap();
        let (plain, _) = lstm.forward_packed(&packed, None, Mode::Inference).unwrap();
        assert_eq!(distance(output.data(), plain.data()), 0.0);
        assert_eq!(cells.len(), 4);
        let weights: Vec<_> = parameters.named().into_iter().collect();
        let named = weights.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
        let reference = Reference { kind: LayerKind::Lstm, config: &config, parameters: &named };
        let zeros = lstm.initial_state(1).unwrap().map(|t| t.squeeze(1)).unwrap();
        let zeros = [zeros.h, zeros.c];
        let (mut ours, mut theirs) = (vec![last.c.sum_all().unwrap()], vec![]);
        for (b, sequence) in sequences.iter().enumerate() {
            let want = reference.run(sequence, &zeros, None).unwrap();
            theirs.push(want.states[1].sum_all().unwrap());
            for (got, want) in cells.iter().zip(want.cells) {
                let got = unpack_sequence(got).unwrap().swap_remove(b);
                assert!(distance(&got, &want) < 1e-12);
                ours.push(got.sqr().unwrap().sum_all().unwrap());
                theirs.push(want.sqr().unwrap().sum_all().unwrap());
            }
        }
        let total = |parts: &[Tensor]| Tensor::stack(parts, 0).unwrap().sum_all().unwrap();
        let (ours, theirs) = (total(&ours).backward().unwrap(), total(&theirs).backward().unwrap());
        for leaf in sequences.iter().chain(weights.iter().map(|(_, v)| v)) {
            let zeros = leaf.zeros_like().unwrap();
            let want = theirs.get(leaf).unwrap_or(&zeros);
            assert!(distance(ours.get(leaf).unwrap_or(&zeros), want) < 1e-11, "{:?}", leaf.dims());
        }
    }
}

/// A step of a single cell is a step of a layer.
#[test]
fn cells_step_like_layers() {
    fn check<C: Cell>(config: &RecurrentConfig) {
        let parameters = Parameters::new(1);
        let layer =
            Recurrent::<C>::new(config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
        let alone = Parameters::new(2);
        let cell = C::new(config, alone.builder(DType::F64, &Device::Cpu)).unwrap();
        let weights = parameters.state_dict().into_iter();
        let weights = weights.map(|(name, t)| (name.replace("_l0", ""), t)).collect();
        alone.load_state_dict(&weights).unwrap();
        let mut rng = rng();
        let input = random(&mut rng, &[3, 2, config.input_size]);
        let (_, want) = layer.forward(&input, None, Mode::Inference).unwrap();
        let x = |t: usize| input.narrow(1, t, 1).unwrap().squeeze(1).unwrap();
        let first = cell.forward(&x(0), None, Mode::Inference).unwrap();
        let second = cell.forward(&x(1), Some(&first), Mode::Train(&mut rng)).unwrap();
        for (got, want) in second.parts().into_iter().zip(want.parts()) {
            assert_eq!(distance(got, &want.squeeze(0).unwrap()), 0.0);
        }
        // One sequence without a batch dimension.
        let one = first.map(|t| t.get(1)).unwrap();
        let got = cell.forward(&x(1).get(1).unwrap(), Some(&one), Mode::Inference).unwrap();
        for (got, want) in got.parts().into_iter().zip(second.parts()) {
            assert_eq!(distance(got, &want.get(1).unwrap()), 0.0);
        }
        let grads = second.parts()[0].sum_all().unwrap().backward().unwrap();
        assert!(alone.named().iter().all(|(_, weight)| grads.get(weight).is_some()));
    }
    let config = RecurrentConfig::new(3, 4);
    check::<LstmCell>(&config);
    check::<LstmCell>(&RecurrentConfig { proj_size: Some(2), ..config.clone() });
    check::<GruCell>(&config);
    check::<RnnCell>(&config);
    check::<RnnCell>(&RecurrentConfig { nonlinearity: Nonlinearity::Relu, ..config });
}

/// Sequences of length zero (pytorch#11514): the final state is the initial state, and the weights
/// get gradients of zero.
#[test]
fn a_batch_of_empty_sequences_keeps_its_states() {
    let config =
        RecurrentConfig { num_layers: 2, bidirectional: true, ..RecurrentConfig::new(3, 4) };
    let parameters = Parameters::new(1);
    let lstm = Lstm::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let empty = Tensor::zeros((0, 3), DType::F64, &Device::Cpu).unwrap();
    let packed = pack_sequence(&[empty.clone(), empty], false).unwrap();
    let mut rng = rng();
    let (h_0, c_0) = (var(&mut rng, &[4, 2, 4]), random(&mut rng, &[4, 2, 4]));
    let state = LstmState { h: h_0.as_tensor().clone(), c: c_0 };
    let mode = &mut rng.clone();
    let (output, last) = lstm.forward_packed(&packed, Some(&state), Mode::Train(mode)).unwrap();
    assert_eq!(output.data().dims(), [0, 8]);
    assert_eq!((distance(&last.h, &state.h), distance(&last.c, &state.c)), (0.0, 0.0));
    let grads = (last.h.sum_all().unwrap() * 3.0).unwrap().backward().unwrap();
    let threes = (h_0.ones_like().unwrap() * 3.0).unwrap();
    assert_eq!(distance(grads.get(&h_0).unwrap(), &threes), 0.0);
    for (name, weight) in parameters.named() {
        let grad = grads.get(&weight).unwrap();
        assert_eq!(distance(grad, &grad.zeros_like().unwrap()), 0.0, "{name}");
    }
}

#[test]
fn steps_equal_the_whole_and_backward_runs_twice() {
    let config = RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(3, 4) };
    let parameters = Parameters::new(2);
    let lstm = Lstm::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let mut rng = rng();
    let input = random(&mut rng, &[2, 5, 3]);
    let (whole, last) = lstm.forward(&input, None, Mode::Train(&mut rng)).unwrap();
    let mut state = None;
    for t in 0..5 {
        let x = input.narrow(1, t, 1).unwrap().squeeze(1).unwrap();
        let (output, next) = lstm.step(&x, state.as_ref(), Mode::Inference).unwrap();
        let want = whole.narrow(1, t, 1).unwrap().squeeze(1).unwrap();
        assert_eq!(distance(&output, &want), 0.0);
        state = Some(next);
    }
    assert_eq!(distance(&state.unwrap().c, &last.c), 0.0);

    let loss = whole.sqr().unwrap().sum_all().unwrap();
    let (once, twice) = (loss.backward().unwrap(), loss.backward().unwrap());
    for (name, weight) in parameters.named() {
        let (once, twice) = (once.get(&weight).unwrap(), twice.get(&weight).unwrap());
        assert_eq!(distance(once, twice), 0.0, "{name}");
    }
}

/// A layer is a single node of the graph: an unrolled graph of this length overflows the stack in
/// candle's backward pass.
#[test]
fn a_hundred_thousand_steps_train() {
    let parameters = Parameters::new(3);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    let lstm = Lstm::new(&RecurrentConfig::new(1, 3), vb).unwrap();
    let input = Tensor::ones((100_000, 1), DType::F32, &Device::Cpu).unwrap();
    let (output, _) = lstm.forward(&input, None, Mode::Train(&mut rng())).unwrap();
    let grads = output.sqr().unwrap().mean_all().unwrap().backward().unwrap();
    for (name, weight) in parameters.named() {
        let norm = grads.get(&weight).unwrap().sqr().unwrap().sum_all().unwrap();
        let norm = norm.to_scalar::<f32>().unwrap();
        assert!(norm.is_finite() && norm > 0.0, "{name}: {norm}");
    }
}

#[test]
fn dropout_is_between_layers_seeded_and_off_in_evaluation() {
    let parameters = Parameters::new(4);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let plain = RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(3, 8) };
    let dropped = RecurrentConfig { dropout: 0.5, ..plain.clone() };
    let single = RecurrentConfig { num_layers: 1, ..dropped.clone() };
    let everything = RecurrentConfig { dropout: 1.0, ..plain.clone() };
    let input = random(&mut rng(), &[4, 5, 3]);
    let run = |config: &RecurrentConfig, seed: Option<u64>| {
        let lstm = Lstm::new(config, vb.clone()).unwrap();
        let mut rng = Generator::seed(seed.unwrap_or(0));
        let mode = if seed.is_some() { Mode::Train(&mut rng) } else { Mode::Inference };
        lstm.forward(&input, None, mode).unwrap().0
    };
    assert_eq!(distance(&run(&dropped, Some(1)), &run(&dropped, Some(1))), 0.0);
    assert!(distance(&run(&dropped, Some(1)), &run(&dropped, Some(2))) > 1e-3);
    assert_eq!(distance(&run(&dropped, None), &run(&plain, Some(1))), 0.0);
    // A single layer has no next layer, so nothing is dropped.
    assert_eq!(distance(&run(&single, Some(1)), &run(&single, None)), 0.0);
    // With everything dropped, the input of the second layer is zero for every sequence.
    let all = run(&everything, Some(1));
    let (first, second) = (all.get(0).unwrap(), all.get(1).unwrap());
    assert_eq!(distance(&first, &second), 0.0);
}

/// One mask per sequence: the same units are dropped at every step, and other units in other
/// sequences.
#[test]
fn recurrent_dropout_is_seeded_and_off_in_evaluation() {
    let plain = RecurrentConfig::new(3, 8);
    let dropped = RecurrentConfig { recurrent_dropout: 0.5, ..plain.clone() };
    let parameters = Parameters::new(4);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let input = random(&mut rng(), &[4, 5, 3]);
    let run = |config: &RecurrentConfig, seed: Option<u64>| {
        let lstm = Lstm::new(config, vb.clone()).unwrap();
        let mut rng = Generator::seed(seed.unwrap_or(0));
        let mode = if seed.is_some() { Mode::Train(&mut rng) } else { Mode::Inference };
        lstm.forward(&input, None, mode).unwrap().0
    };
    assert_eq!(distance(&run(&dropped, Some(1)), &run(&dropped, Some(1))), 0.0);
    assert!(distance(&run(&dropped, Some(1)), &run(&dropped, Some(2))) > 1e-3);
    assert_eq!(distance(&run(&dropped, None), &run(&plain, Some(1))), 0.0);
    // The first step has no hidden state to drop from.
    let first = |t: Tensor| t.narrow(1, 0, 1).unwrap();
    assert_eq!(distance(&first(run(&dropped, Some(1))), &first(run(&plain, None))), 0.0);
}

/// In training, a unit keeps its state or takes the new one; what is kept is drawn from the generator.
#[test]
fn zoneout_is_seeded_and_keeps_whole_states() {
    let plain = RecurrentConfig::new(3, 8);
    let parameters = Parameters::new(4);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let input = random(&mut rng(), &[4, 5, 3]);
    let run = |zoneout_hidden: f64, zoneout_cell: f64, seed: Option<u64>| {
        let config = RecurrentConfig { zoneout_hidden, zoneout_cell, ..plain.clone() };
        let lstm = Lstm::new(&config, vb.clone()).unwrap();
        let mut rng = Generator::seed(seed.unwrap_or(0));
        let mode = if seed.is_some() { Mode::Train(&mut rng) } else { Mode::Inference };
        lstm.forward(&input, None, mode).unwrap()
    };
    assert_eq!(distance(&run(0.5, 0.5, Some(1)).0, &run(0.5, 0.5, Some(1)).0), 0.0);
    assert!(distance(&run(0.5, 0.5, Some(1)).0, &run(0.5, 0.5, Some(2)).0) > 1e-3);
    // With everything kept, the states stay zero.
    let (output, state) = run(1.0, 1.0, Some(1));
    assert_eq!(distance(&output, &output.zeros_like().unwrap()), 0.0);
    assert_eq!(distance(&state.c, &state.c.zeros_like().unwrap()), 0.0);
    // At the first step, a unit has the state of the plain layer or none.
    let first = |t: Tensor| t.narrow(1, 0, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let (got, want): (Vec<f64>, Vec<f64>) =
        (first(run(0.5, 0.5, Some(1)).0), first(run(0.0, 0.0, None).0));
    let kept = got.iter().zip(&want).filter(|(got, want)| got != want).count();
    assert!(got.iter().zip(&want).all(|(got, want)| got == want || *got == 0.0));
    assert!((8..24).contains(&kept), "{kept} of 32");
}

/// Evaluation drops nothing and still records gradients; inference records none.
#[test]
fn evaluation_has_the_gradients_of_training_without_dropout() {
    let plain =
        RecurrentConfig { num_layers: 2, bidirectional: true, ..RecurrentConfig::new(3, 4) };
    let dropped = RecurrentConfig { dropout: 0.5, recurrent_dropout: 0.5, ..plain.clone() };
    let parameters = Parameters::new(4);
    let vb = parameters.builder(DType::F64, &Device::Cpu);
    let input = var(&mut rng(), &[2, 5, 3]);
    let gradients = |config: &RecurrentConfig, mode: Mode| {
        let lstm = Lstm::new(config, vb.clone()).unwrap();
        let (output, _) = lstm.forward(&input, None, mode).unwrap();
        let grads = output.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let vars = parameters.named().into_iter().map(|(_, var)| var).chain([input.clone()]);
        vars.map(|var| grads.get(&var).unwrap().clone()).collect::<Vec<_>>()
    };
    let mut rng = rng();
    let want = gradients(&plain, Mode::Train(&mut rng));
    for (got, want) in gradients(&dropped, Mode::Eval).iter().zip(&want) {
        assert_eq!(distance(got, want), 0.0);
    }
    let lstm = Lstm::new(&dropped, vb.clone()).unwrap();
    let (output, state) = lstm.forward(&input, None, Mode::Inference).unwrap();
    assert!(!output.track_op() && !state.h.track_op() && !state.c.track_op());
}

/// The traits of candle: a layer is a `Module`, a cell is an `RNN`.
#[test]
fn candles_traits_give_the_same_results() {
    let vb = |seed| Parameters::new(seed).builder(DType::F64, &Device::Cpu);
    let input = random(&mut rng(), &[2, 5, 3]);
    let config = RecurrentConfig::new(3, 4);
    let lstm = Lstm::new(&config, vb(1)).unwrap();
    let (want, _) = lstm.forward(&input, None, Mode::Inference).unwrap();
    assert_eq!(distance(&candle_nn::Module::forward(&lstm, &input).unwrap(), &want), 0.0);

    fn check<C: Cell + RNN<State = <C as Cell>::State>>(cell: &C, input: &Tensor) {
        let states = cell.seq(input).unwrap();
        let got = cell.states_to_tensor(&states).unwrap();
        let mut state = None;
        for t in 0..5 {
            let x = input.narrow(1, t, 1).unwrap().squeeze(1).unwrap();
            let next = Cell::forward(cell, &x, state.as_ref(), Mode::Inference).unwrap();
            let got = got.narrow(1, t, 1).unwrap().squeeze(1).unwrap();
            assert_eq!(distance(&got, next.parts()[0]), 0.0);
            state = Some(next);
        }
    }
    check(&LstmCell::new(&config, vb(2)).unwrap(), &input);
    check(&GruCell::new(&config, vb(3)).unwrap(), &input);
    check(&RnnCell::new(&config, vb(4)).unwrap(), &input);
}
