//! ragged: pack, LSTM, linear layer, loss, backward pass.

use candle_core::{Device, Tensor};
use candle_nn::loss::mse;
use ragged_models::{Mode as Recording, Model, ModelKind};
use ragged_sequence::pack_padded_sequence;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::bench::problem::{Mode, Pass, Problem};
use crate::bench::timing::{Turn, time};
use crate::failure::Failure;

type Result<T> = std::result::Result<T, ragged_train::Error>;

/// Both models with the parameters of the problem.
pub(super) struct Ours<'a> {
    problem: &'a Problem,
    packed: Model,
    padded: Model,
}

impl<'a> Ours<'a> {
    pub(super) fn new(problem: &'a Problem) -> std::result::Result<Self, Failure> {
        let packed = problem.model(ModelKind::Variable)?;
        Ok(Self { problem, packed, padded: problem.model(ModelKind::Fixed)? })
    }

    fn predict(&self, mode: Mode, recording: Recording) -> Result<Tensor> {
        let Problem { x, lengths, .. } = self.problem;
        let prediction = match mode {
            Mode::Packed => {
                let packed = pack_padded_sequence(x, lengths, false);
                self.packed.forward(&packed.map_err(ragged_models::Error::from)?, recording)?
            }
            Mode::Padded => self.padded.forward_padded(x, recording)?,
        };
        Ok(prediction)
    }

    fn train(&self, mode: Mode) -> Result<Tensor> {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let prediction = self.predict(mode, Recording::Train(&mut rng))?;
        Ok(mse(&prediction, &self.problem.target)?)
    }

    pub(super) fn loss(&self, mode: Mode) -> Result<f64> {
        Ok(f64::from(self.train(mode)?.to_scalar::<f32>()?))
    }

    pub(super) fn time(&self, mode: Mode, pass: Pass, n: usize) -> Turn {
        match pass {
            Pass::Train => time(n, || Ok(self.train(mode)?.backward().map(drop)?)),
            Pass::Infer => time(n, || self.predict(mode, Recording::Eval).map(drop)),
        }
    }
}

/// Sets the number of threads of this process.
pub(super) fn set_threads(count: usize) -> std::result::Result<(), Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    pool.map_err(|error| Failure::Failed(format!("threads: {error}")))
}

/// Measures the product of two 2048 x 2048 matrices in GFLOP/s, the best of twenty. Each thread
/// computes a part of the rows, since candle itself may use fewer threads.
pub(super) fn peak(threads: usize) -> std::result::Result<f64, Failure> {
    let n = 2048usize;
    let rows = n.div_ceil(threads);
    let multiply = || -> Result<f64> {
        let ones = |rows| Tensor::ones((rows, n), candle_core::DType::F32, &Device::Cpu);
        let (a, b) = (ones(rows)?, ones(n)?);
        let once = || {
            std::thread::scope(|scope| {
                let product = || a.matmul(&b).map(drop);
                let workers: Vec<_> = (0..threads).map(|_| scope.spawn(product)).collect();
                let done = workers.into_iter().map(|worker| worker.join());
                done.flatten().collect::<candle_core::Result<()>>()
            })
        };
        let times = time(20, || Ok(once()?)).unwrap_or_default();
        Ok(times.into_iter().fold(f64::INFINITY, f64::min))
    };
    let flops = 2.0 * (n * n * rows * threads) as f64;
    Ok(flops / multiply()? / 1e6)
}
