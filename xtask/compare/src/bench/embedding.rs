//! The rows of an embedding for the steps of a batch of the configuration `mid`, and their gradients.

use candle_core::{DType, Device, Tensor};
use ragged_models::{Embedding, EmbeddingSize, Parameters};

use crate::bench::ours::Ours;
use crate::bench::problem::{Mode, NAMED, Pass, Problem, Shape};
use crate::bench::timing::{Turn, median};
use crate::failure::Failure;

/// V and E; E is the number of features of `mid`.
const SIZE: EmbeddingSize = EmbeddingSize { num_embeddings: 10_000, embedding_dim: 64 };
/// N, half of the 64 x 50 steps of `mid`.
const STEPS: u32 = 1600;

type Result<T> = std::result::Result<T, ragged_train::Error>;

/// A table and the tokens of a batch.
pub(super) struct Lookup {
    embedding: Embedding,
    ids: Tensor,
}

impl Lookup {
    pub(super) fn new() -> Result<Self> {
        let parameters = Parameters::new(1);
        let embedding = Embedding::new(SIZE, parameters.builder(DType::F32, &Device::Cpu))?;
        let ids: Vec<u32> = (0..STEPS).map(|k| k * 7919 % SIZE.num_embeddings as u32).collect();
        Ok(Self { embedding, ids: Tensor::new(ids, &Device::Cpu)? })
    }

    pub(super) fn step(&self) -> Result<()> {
        self.embedding.forward(&self.ids)?.sum_all()?.backward()?;
        Ok(())
    }
}

/// The training step of `mid`, beside which the time of a lookup is measured.
pub(super) struct TrainingStep(Problem);

impl TrainingStep {
    pub(super) fn new() -> std::result::Result<Self, Failure> {
        let (name, sizes) = NAMED[2];
        Ok(Self(Problem::new(&Shape::parse(name, sizes)?)?))
    }

    pub(super) fn times(&self, iterations: usize) -> Turn {
        Ours::new(&self.0)?.time(Mode::Packed, Pass::Train, iterations)
    }
}

/// Prints what a lookup adds to a training step of `mid`.
pub(super) fn print_share(lookup_ms: f64, mut steps_ms: Vec<f64>) {
    let step = median(&mut steps_ms);
    let share = 100.0 * lookup_ms / step;
    println!("the embedding takes {share:.1} % of a packed training step of mid ({step:.2} ms)");
}
