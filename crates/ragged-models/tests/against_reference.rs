//! The packed kernels against the plain reference: every option, any lengths, values and gradients.

mod reference;

use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;
use ragged_models::{Lstm, LstmState, Mode, Parameters, RecurrentConfig};
use ragged_sequence::{pack_sequence, unpack_sequence};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(0)
}

fn random(rng: &mut impl Rng, dims: &[usize]) -> Tensor {
    let count = dims.iter().product();
    let values: Vec<f64> = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

fn var(rng: &mut impl Rng, dims: &[usize]) -> Var {
    Var::from_tensor(&random(rng, dims)).unwrap()
}

/// The largest difference of two tensors of one shape.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    if a.elem_count() == 0 {
        return 0.0;
    }
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_scalar().unwrap()
}

fn configs() -> impl Strategy<Value = RecurrentConfig> {
    (1..4usize, 1..6usize, 1..3usize, any::<bool>(), any::<bool>()).prop_map(
        |(input_size, hidden_size, num_layers, bias, bidirectional)| RecurrentConfig {
            num_layers,
            bias,
            bidirectional,
            ..RecurrentConfig::new(input_size, hidden_size)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn packed_values_and_gradients_are_the_references(
        config in configs(),
        lengths in prop::collection::vec(0..6usize, 1..6),
    ) {
        let mut rng = rng();
        let parameters = Parameters::new(1);
        let vb = parameters.builder(DType::F64, &Device::Cpu);
        let lstm = Lstm::new(&config, vb).unwrap();
        let count = config.num_layers * config.directions();
        let (batch, h) = (lengths.len(), config.hidden_size);
        let sequences: Vec<Var> =
            lengths.iter().map(|&length| var(&mut rng, &[length, config.input_size])).collect();
        let (h_0, c_0) = (var(&mut rng, &[count, batch, h]), var(&mut rng, &[count, batch, h]));

        let tensors: Vec<Tensor> = sequences.iter().map(|v| v.as_tensor().clone()).collect();
        let packed = pack_sequence(&tensors, false).unwrap();
        let state = LstmState { h: h_0.as_tensor().clone(), c: c_0.as_tensor().clone() };
        let mode = &mut rng.clone();
        let (output, last) = lstm.forward_packed(&packed, Some(&state), Mode::Train(mode)).unwrap();
        let outputs = unpack_sequence(&output).unwrap();
        let (eval, _) = lstm.forward_packed(&packed, Some(&state), Mode::Eval).unwrap();
        prop_assert_eq!(distance(eval.data(), output.data()), 0.0);

        let weights: Vec<_> = parameters.named().into_iter().collect();
        let named = weights.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
        let weigh = |t: &Tensor, w: &Tensor| (t * w).unwrap().sum_all().unwrap();
        let (mut ours, mut theirs) = (vec![], vec![]);
        for (b, sequence) in sequences.iter().enumerate() {
            let at = |t: &Tensor| t.narrow(1, b, 1).unwrap().squeeze(1).unwrap();
            let want = reference::lstm(&config, &named, sequence, &at(&h_0), &at(&c_0)).unwrap();
            let got = (outputs[b].clone(), at(&last.h), at(&last.c));
            for (got, want) in [(got.0, want.0), (got.1, want.1), (got.2, want.2)] {
                prop_assert!(distance(&got, &want) < 1e-12);
                let weight = random(&mut rng, got.dims());
                ours.push(weigh(&got, &weight));
                theirs.push(weigh(&want, &weight));
            }
        }
        let total = |parts: &[Tensor]| Tensor::stack(parts, 0).unwrap().sum_all().unwrap();
        let (ours, theirs) = (total(&ours).backward().unwrap(), total(&theirs).backward().unwrap());
        let leaves = sequences.iter().chain([&h_0, &c_0]).chain(weights.iter().map(|(_, v)| v));
        for leaf in leaves {
            let zeros = leaf.zeros_like().unwrap();
            let (got, want) = (ours.get(leaf).unwrap_or(&zeros), theirs.get(leaf).unwrap_or(&zeros));
            prop_assert!(distance(got, want) < 1e-11, "{:?}", leaf.dims());
        }
    }
}

/// A sequence of length zero (pytorch#11514): its state passes through, its gradient is zero.
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
        let (output, next) = lstm.step(&x, state.as_ref(), Mode::Eval).unwrap();
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

/// One node a layer: an unrolled graph of this length overflows the stack in candle's backward.
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
        let mut rng = ChaCha8Rng::seed_from_u64(seed.unwrap_or(0));
        let mode = if seed.is_some() { Mode::Train(&mut rng) } else { Mode::Eval };
        lstm.forward(&input, None, mode).unwrap().0
    };
    assert_eq!(distance(&run(&dropped, Some(1)), &run(&dropped, Some(1))), 0.0);
    assert!(distance(&run(&dropped, Some(1)), &run(&dropped, Some(2))) > 1e-3);
    assert_eq!(distance(&run(&dropped, None), &run(&plain, Some(1))), 0.0);
    // One layer has no next layer to drop for.
    assert_eq!(distance(&run(&single, Some(1)), &run(&single, None)), 0.0);
    // With everything dropped the second layer sees zeros, whatever the first one saw.
    let all = run(&everything, Some(1));
    let (first, second) = (all.get(0).unwrap(), all.get(1).unwrap());
    assert_eq!(distance(&first, &second), 0.0);
}
