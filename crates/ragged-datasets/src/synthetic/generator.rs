//! A data set that generates the examples of a task.

use ragged_sequence::random::{Generator, Purpose};
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, check_index};
use crate::error::{Result, check_size};
use crate::example::Example;
use crate::synthetic::lengths::Lengths;
use crate::synthetic::task::SyntheticTask;
use crate::target_kind::TargetKind;

/// The configuration of [`Synthetic`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticConfig {
    /// The task.
    pub task: SyntheticTask,
    /// The number of examples. Default 1000.
    #[serde(default = "num_samples")]
    pub num_samples: usize,
    /// The lengths of the sequences. Default uniform from 1 to 50. A task with a minimum length
    /// lengthens shorter sequences to it.
    #[serde(default)]
    pub lengths: Lengths,
    /// The seed of the examples. Default 0.
    #[serde(default)]
    pub seed: u64,
    /// Whether every epoch generates new examples. Default false.
    #[serde(default)]
    pub redraw: bool,
}

fn num_samples() -> usize {
    1000
}

impl SyntheticConfig {
    /// Creates a configuration of a task, with the defaults of all other options.
    pub fn new(task: SyntheticTask) -> Self {
        let lengths = Lengths::default();
        Self { task, num_samples: num_samples(), lengths, seed: 0, redraw: false }
    }
}

/// A data set that generates the examples of a [`SyntheticTask`] on access.
///
/// ```
/// use ragged_datasets::synthetic::{Synthetic, SyntheticConfig, SyntheticTask};
/// use ragged_datasets::{Dataset, TargetKind};
///
/// let parity = Synthetic::new(SyntheticConfig::new(SyntheticTask::Parity { per_step: false }))?;
/// assert_eq!(parity.len(), 1000);
/// assert_eq!(parity.target_kind(), &TargetKind::Classes(vec!["even".into(), "odd".into()]));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Synthetic {
    config: SyntheticConfig,
    target_kind: TargetKind,
    feature_names: Option<Vec<String>>,
}

impl Synthetic {
    /// Creates a data set.
    ///
    /// # Errors
    ///
    /// [`Error::Size`](crate::Error::Size) or [`Error::Number`](crate::Error::Number) for an option
    /// outside its range; sizes are limited so that an example fits in memory.
    pub fn new(config: SyntheticConfig) -> Result<Self> {
        // The order of an epoch must fit in memory: at most 2 GiB.
        check_size("num_samples", config.num_samples, 1 << 28)?;
        config.task.check()?;
        // So must one sequence: at most 1 GiB.
        config.lengths.check((1 << 28) / config.task.features())?;
        let (target_kind, feature_names) = (config.task.target_kind(), config.task.feature_names());
        Ok(Self { config, target_kind, feature_names })
    }

    /// Returns the configuration.
    pub fn config(&self) -> &SyntheticConfig {
        &self.config
    }

    /// Returns the generator of an example, and the example's length, which is drawn first.
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

    fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }
}
