//! Batch invariance: the results and the input gradient of a sequence do not depend, in any bit, on the
//! other sequences of the batch, their order, the padding, the values in the padding, or the number of
//! threads.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::Module;
use proptest::prelude::*;
use ragged_models::{
    Cell, GruCell, Linear, LstmCell, Mode, Model, ModelConfig, ModelKind, Parameters, Recurrent,
    RecurrentConfig, RnnCell, State,
};
use ragged_sequence::random::Generator;
use ragged_sequence::{
    Padding, pack_padded_sequence, pack_sequence, pad_sequence, unpack_sequence,
};
use rand::Rng;

const CPU: &Device = &Device::Cpu;

fn random(seed: usize, dims: &[usize], dtype: DType) -> Tensor {
    let mut rng = Generator::seed(seed as u64);
    let values: Vec<f64> =
        (0..dims.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, dims, CPU).unwrap().to_dtype(dtype).unwrap()
}

/// The bits of a tensor, as f64: the conversion keeps different values different.
fn bits(tensor: &Tensor) -> Vec<u64> {
    let flat = tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
    flat.to_vec1::<f64>().unwrap().into_iter().map(f64::to_bits).collect()
}

/// Output, final states and input gradient of one sequence.
type Results = Vec<Vec<u64>>;

/// A layer, and the lengths of the sequences from which batches are made.
struct Case<C: Cell> {
    layer: Recurrent<C>,
    lengths: Vec<usize>,
    dtype: DType,
}

impl<C: Cell> Case<C> {
    fn new(config: &RecurrentConfig, lengths: &[usize], dtype: DType) -> Self {
        let layer = Recurrent::new(config, Parameters::new(3).builder(dtype, CPU)).unwrap();
        Self { layer, lengths: lengths.to_vec(), dtype }
    }

    /// Runs a batch of these sequences, padded with `value` and by `extra` steps. The loss is a weighted
    /// sum in which every sequence has its own weights.
    fn batch(&self, ids: &[usize], value: f64, extra: usize) -> Vec<Results> {
        let lengths: Vec<usize> = ids.iter().map(|&id| self.lengths[id]).collect();
        let features = self.layer.config().input_size;
        let sequence = |&id: &usize| random(id, &[self.lengths[id], features], self.dtype);
        let sequences: Vec<Tensor> = ids.iter().map(sequence).collect();
        let total_length = lengths.iter().max().map(|longest| longest + extra);
        let padding = Padding { value, total_length, ..Default::default() };
        let x = Var::from_tensor(&pad_sequence(&sequences, &padding).unwrap()).unwrap();
        let packed = pack_padded_sequence(&x, &lengths, false).unwrap();
        let mut rng = Generator::seed(0);
        let (output, last) =
            self.layer.forward_packed(&packed, None, Mode::Train(&mut rng)).unwrap();
        let outputs = unpack_sequence(&output).unwrap();

        let mut results: Vec<Results> = vec![vec![]; ids.len()];
        let mut loss = Tensor::zeros((), self.dtype, CPU).unwrap();
        for (b, &id) in ids.iter().enumerate() {
            let states = last.parts().into_iter().map(|part| part.narrow(1, b, 1).unwrap());
            for (k, result) in [outputs[b].clone()].into_iter().chain(states).enumerate() {
                let weights = random(1000 + 10 * id + k, result.dims(), self.dtype);
                loss = (loss + (&result * weights).unwrap().sum_all().unwrap()).unwrap();
                results[b].push(bits(&result));
            }
        }
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&x).unwrap();
        for (b, &length) in lengths.iter().enumerate() {
            let sequence = gradient.get(b).unwrap();
            results[b].push(bits(&sequence.narrow(0, 0, length).unwrap()));
            let padding = sequence.narrow(0, length, sequence.dims()[0] - length).unwrap();
            assert!(bits(&padding).iter().all(|&bits| bits == 0), "a gradient in the padding");
        }
        results
    }

    /// Compares each sequence in a batch of its own with the same sequence in other batches.
    fn check(&self) {
        let ids: Vec<usize> = (0..self.lengths.len()).collect();
        let alone: Vec<Results> =
            ids.iter().map(|&id| self.batch(&[id], 0.0, 0).remove(0)).collect();
        let check = |ids: &[usize], value: f64, extra: usize, what: &str| {
            for (&id, results) in ids.iter().zip(self.batch(ids, value, extra)) {
                assert!(results == alone[id], "sequence {id} of {:?}: {what}", self.lengths);
            }
        };
        let reversed: Vec<usize> = ids.iter().rev().copied().collect();
        let some: Vec<usize> = ids.iter().step_by(2).copied().collect();
        check(&ids, 0.0, 0, "with the others");
        check(&reversed, 0.0, 3, "in another order and with more padding");
        check(&some, f64::NAN, 2, "with some of the others and NaN in the padding");
        for threads in [1, 2, 3] {
            ragged_kernels::set_num_threads(threads);
            check(&ids, f64::INFINITY, 1, &format!("on {threads} threads"));
        }
    }
}

fn configs() -> impl Strategy<Value = RecurrentConfig> {
    (1..10usize, 1..40usize, 1..3usize, any::<bool>()).prop_map(
        |(input_size, hidden_size, num_layers, bidirectional)| RecurrentConfig {
            num_layers,
            bidirectional,
            ..RecurrentConfig::new(input_size, hidden_size)
        },
    )
}

fn dtypes() -> impl Strategy<Value = DType> {
    prop_oneof![Just(DType::F32), Just(DType::F64)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn layers_are_batch_invariant(
        config in configs(),
        lengths in prop::collection::vec(0..12usize, 1..20),
        dtype in dtypes(),
    ) {
        Case::<LstmCell>::new(&config, &lengths, dtype).check();
        Case::<GruCell>::new(&config, &lengths, dtype).check();
        Case::<RnnCell>::new(&config, &lengths, dtype).check();
        let before = RecurrentConfig { reset_after: false, ..config.clone() };
        Case::<GruCell>::new(&before, &lengths, dtype).check();
        let normalized = RecurrentConfig { layer_norm: true, ..config.clone() };
        Case::<LstmCell>::new(&normalized, &lengths, dtype).check();
        Case::<GruCell>::new(&normalized, &lengths, dtype).check();
        let proj_size = Some(config.hidden_size / 2).filter(|&size| size > 0);
        let projected = RecurrentConfig { proj_size, ..config };
        Case::<LstmCell>::new(&projected, &lengths, dtype).check();
        let seeing = RecurrentConfig { peepholes: true, ..projected };
        Case::<LstmCell>::new(&seeing, &lengths, dtype).check();
    }
}

/// A batch that is large enough for several threads and tiles.
#[test]
fn large_batches_are_batch_invariant() {
    let lengths: Vec<usize> = (0..70).map(|k| (k * 37) % 41).collect();
    let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(9, 70) };
    Case::<LstmCell>::new(&config, &lengths, DType::F32).check();
    Case::<GruCell>::new(&config, &lengths, DType::F32).check();
    Case::<RnnCell>::new(&config, &lengths, DType::F32).check();
}

/// Heads with few and with many weights: few and many outputs, more inputs than fit in one block of the
/// product.
#[test]
fn heads_are_batch_invariant() {
    for (inputs, outputs) in [(15, 1), (300, 100), (1025, 20), (40, 1025), (600, 65)] {
        let vb = Parameters::new(3).builder(DType::F32, CPU);
        let linear = Linear::new(inputs, outputs, vb).unwrap();
        let x = Var::from_tensor(&random(1, &[70, inputs], DType::F32)).unwrap();
        let run = |start: usize, len: usize| {
            let y = linear.forward(&x.narrow(0, start, len).unwrap()).unwrap();
            let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            let dx = gradients.get(&x).unwrap().narrow(0, start, len).unwrap();
            (bits(&y), bits(&dx))
        };
        let (all_y, all_dx) = run(0, 70);
        for (start, len) in [(0, 1), (69, 1), (3, 2), (5, 13), (2, 65)] {
            let (y, dx) = run(start, len);
            let what = format!("{inputs} inputs, {outputs} outputs, {len} rows");
            assert!(y == all_y[start * outputs..(start + len) * outputs], "{what}: values");
            assert!(dx == all_dx[start * inputs..(start + len) * inputs], "{what}: gradients");
        }
    }
}

/// A whole model whose head has more than 16,384 weights.
#[test]
fn models_with_large_heads_are_batch_invariant() {
    let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 70), 300);
    let model = Model::new(&config, Parameters::new(3).builder(DType::F32, CPU)).unwrap();
    let sequences: Vec<Tensor> = (0..40).map(|b| random(b, &[b % 7, 3], DType::F32)).collect();
    let predict = |sequences: &[Tensor]| {
        let packed = pack_sequence(sequences, false).unwrap();
        bits(&model.forward(&packed, Mode::Inference).unwrap())
    };
    let all = predict(&sequences);
    for (b, sequence) in sequences.iter().enumerate() {
        assert!(predict(std::slice::from_ref(sequence)) == all[b * 300..][..300], "sequence {b}");
    }
}
