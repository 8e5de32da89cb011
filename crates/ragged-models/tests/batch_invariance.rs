//! The batch-invariance law: what a sequence gives, and the gradient that it gets, does not depend
//! on its mates, their order, the padding, what stands in the padding, or the number of threads. Not
//! in a single bit.

use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;
use ragged_models::{
    Cell, GruCell, LstmCell, Mode, Parameters, Recurrent, RecurrentConfig, RnnCell, State,
};
use ragged_sequence::random::Generator;
use ragged_sequence::{Padding, pack_padded_sequence, pad_sequence, unpack_sequence};
use rand::Rng;

const CPU: &Device = &Device::Cpu;

fn random(seed: usize, dims: &[usize], dtype: DType) -> Tensor {
    let mut rng = Generator::seed(seed as u64);
    let values: Vec<f64> =
        (0..dims.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, dims, CPU).unwrap().to_dtype(dtype).unwrap()
}

/// Every bit of a tensor: no two numbers of a dtype have the same ones as f64.
fn bits(tensor: &Tensor) -> Vec<u64> {
    let flat = tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
    flat.to_vec1::<f64>().unwrap().into_iter().map(f64::to_bits).collect()
}

/// Output, final states and input gradient of one sequence.
type Seen = Vec<Vec<u64>>;

/// A layer and the sequences that it may be given, by number.
struct World<C: Cell> {
    layer: Recurrent<C>,
    lengths: Vec<usize>,
    dtype: DType,
}

impl<C: Cell> World<C> {
    fn new(config: &RecurrentConfig, lengths: &[usize], dtype: DType) -> Self {
        let layer = Recurrent::new(config, Parameters::new(3).builder(dtype, CPU)).unwrap();
        Self { layer, lengths: lengths.to_vec(), dtype }
    }

    /// A batch of these sequences, padded by `value` and `extra` steps, differentiating a sum in
    /// which every sequence has weights of its own.
    fn batch(&self, ids: &[usize], value: f64, extra: usize) -> Vec<Seen> {
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

        let mut seen: Vec<Seen> = vec![vec![]; ids.len()];
        let mut loss = Tensor::zeros((), self.dtype, CPU).unwrap();
        for (b, &id) in ids.iter().enumerate() {
            let states = last.parts().into_iter().map(|part| part.narrow(1, b, 1).unwrap());
            for (k, result) in [outputs[b].clone()].into_iter().chain(states).enumerate() {
                let weights = random(1000 + 10 * id + k, result.dims(), self.dtype);
                loss = (loss + (&result * weights).unwrap().sum_all().unwrap()).unwrap();
                seen[b].push(bits(&result));
            }
        }
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&x).unwrap();
        for (b, &length) in lengths.iter().enumerate() {
            let of_sequence = gradient.get(b).unwrap();
            seen[b].push(bits(&of_sequence.narrow(0, 0, length).unwrap()));
            let rest = of_sequence.narrow(0, length, of_sequence.dims()[0] - length).unwrap();
            assert!(bits(&rest).iter().all(|&bits| bits == 0), "a gradient in the padding");
        }
        seen
    }

    /// The law: each sequence alone, and in company of every kind.
    fn check(&self) {
        let ids: Vec<usize> = (0..self.lengths.len()).collect();
        let alone: Vec<Seen> = ids.iter().map(|&id| self.batch(&[id], 0.0, 0).remove(0)).collect();
        let check = |ids: &[usize], value: f64, extra: usize, what: &str| {
            for (&id, seen) in ids.iter().zip(self.batch(ids, value, extra)) {
                assert!(seen == alone[id], "sequence {id} of {:?}: {what}", self.lengths);
            }
        };
        let reversed: Vec<usize> = ids.iter().rev().copied().collect();
        let some: Vec<usize> = ids.iter().step_by(2).copied().collect();
        check(&ids, 0.0, 0, "with the others");
        check(&reversed, 0.0, 3, "in another order, with more padding");
        check(&some, f64::NAN, 2, "with some others, and no numbers in the padding");
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
    fn of_every_kind(
        config in configs(),
        lengths in prop::collection::vec(0..12usize, 1..20),
        dtype in dtypes(),
    ) {
        World::<LstmCell>::new(&config, &lengths, dtype).check();
        World::<GruCell>::new(&config, &lengths, dtype).check();
        World::<RnnCell>::new(&config, &lengths, dtype).check();
        let projected = RecurrentConfig { proj_size: config.hidden_size / 2, ..config };
        World::<LstmCell>::new(&projected, &lengths, dtype).check();
    }
}

/// Large enough for several threads and tiles.
#[test]
fn of_a_large_batch() {
    let lengths: Vec<usize> = (0..70).map(|k| (k * 37) % 41).collect();
    let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(9, 70) };
    World::<LstmCell>::new(&config, &lengths, DType::F32).check();
    World::<GruCell>::new(&config, &lengths, DType::F32).check();
    World::<RnnCell>::new(&config, &lengths, DType::F32).check();
}
