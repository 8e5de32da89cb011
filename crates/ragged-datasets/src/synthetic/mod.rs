//! Generated tasks whose answers are known: those by which the literature measures recurrent nets.
//!
//! | task | target | reference | trivial baseline |
//! |---|---|---|---|
//! | [`Sum`](SyntheticTask::Sum) | the sum of all numbers | the lecture's two experiments | MSE features x mean length |
//! | [`Adding`](SyntheticTask::Adding) | the sum of two marked numbers | Hochreiter and Schmidhuber 1997; Le et al. 2015 | MSE 1/6 (always 1) |
//! | [`CopyMemory`](SyntheticTask::CopyMemory) | symbols seen long ago, a class a step | Hochreiter and Schmidhuber 1997; Arjovsky et al. 2016 | cross-entropy K ln S / length a step |
//! | [`TemporalOrder`](SyntheticTask::TemporalOrder) | the order of two signals | Hochreiter and Schmidhuber 1997, task 6a | accuracy 1/4 |
//! | [`Parity`](SyntheticTask::Parity) | whether the ones are even or odd in number | Hochreiter and Schmidhuber 1997; Graves 2016 | accuracy 1/2 |
//! | [`Dyck`](SyntheticTask::Dyck) | whether brackets match | Chomsky and Schuetzenberger 1963; Suzgun et al. 2019 | accuracy 1/2 |
//! | [`NoisySine`](SyntheticTask::NoisySine) | the wave without noise, some steps ahead | a textbook's | MSE 1/2 (always 0) |
//!
//! The distribution of [`Lengths`] is an option of all. Example i depends on the seed and i alone (and
//! on the epoch where examples are redrawn), so neither the order of access nor threads matter.
//!
//! ```
//! use ragged_datasets::synthetic::{Lengths, Synthetic, SyntheticConfig, SyntheticTask};
//! use ragged_datasets::Dataset;
//!
//! let lengths = Lengths::Uniform { min: 50, max: 200 };
//! let config = SyntheticConfig { lengths, ..SyntheticConfig::new(SyntheticTask::Adding) };
//! let adding = Synthetic::new(config)?;
//! let example = adding.get(0, 7)?;
//! let marked = example.sequence.steps().filter(|step| step[1] == 1.0).map(|step| step[0]);
//! assert_eq!(example.target, ragged_datasets::Target::Values(vec![marked.sum()]));
//! # Ok::<(), ragged_datasets::Error>(())
//! ```

mod adding;
mod copy_memory;
mod dyck;
mod lengths;
mod noisy_sine;
mod parity;
mod task;
mod temporal_order;

use ragged_sequence::random::{Generator, Purpose};
use serde::{Deserialize, Serialize};

use crate::dataset::check_index;
use crate::error::check_size;
use crate::{Dataset, Example, Result, TargetKind};
pub use lengths::Lengths;
pub use task::{Baseline, SyntheticTask};

/// Which examples are generated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticConfig {
    /// What is to be learnt.
    pub task: SyntheticTask,
    /// Examples. Default 1000.
    #[serde(default = "num_samples")]
    pub num_samples: usize,
    /// How long the sequences are. Default uniform in 1 to 50; a task that needs more steps makes
    /// a shorter length its least.
    #[serde(default)]
    pub lengths: Lengths,
    /// Where the examples come from. Default 0.
    #[serde(default)]
    pub seed: u64,
    /// Whether every epoch draws its examples anew. Default false.
    #[serde(default)]
    pub redraw: bool,
}

fn num_samples() -> usize {
    1000
}

impl SyntheticConfig {
    /// A task with the defaults of all else.
    pub fn new(task: SyntheticTask) -> Self {
        let lengths = Lengths::default();
        Self { task, num_samples: num_samples(), lengths, seed: 0, redraw: false }
    }
}

/// A generated data set.
#[derive(Debug, Clone)]
pub struct Synthetic {
    config: SyntheticConfig,
    target_kind: TargetKind,
}

impl Synthetic {
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a size of zero, one beyond memory, or parameters
    /// that cannot be.
    pub fn new(config: SyntheticConfig) -> Result<Self> {
        // The order of an epoch must fit in memory: at most 2 GiB.
        check_size("num_samples", config.num_samples, 1 << 28)?;
        config.task.check()?;
        // So must one sequence: at most 1 GiB.
        config.lengths.check((1 << 28) / config.task.features())?;
        let target_kind = config.task.target_kind();
        Ok(Self { config, target_kind })
    }

    /// What is generated.
    pub fn config(&self) -> &SyntheticConfig {
        &self.config
    }

    /// The example's generator, and its length, which is the first that is drawn.
    fn start(&self, epoch: usize, index: usize) -> Result<(Generator, usize)> {
        check_index(index, self.len())?;
        let SyntheticConfig { task, lengths, seed, redraw, .. } = &self.config;
        let mut rng = Generator::new(*seed, Purpose::Content, redraw.then_some(epoch), index);
        let length = task.length(lengths.draw(&mut rng));
        Ok((rng, length))
    }
}

impl Dataset for Synthetic {
    fn len(&self) -> usize {
        self.config.num_samples
    }

    fn features(&self) -> usize {
        self.config.task.features()
    }

    fn target_kind(&self) -> &TargetKind {
        &self.target_kind
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        let (mut rng, length) = self.start(epoch, index)?;
        self.config.task.draw(&mut rng, length)
    }

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        Ok(self.start(epoch, index)?.1)
    }
}
