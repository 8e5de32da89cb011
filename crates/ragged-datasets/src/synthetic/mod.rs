//! Generated tasks with known answers: the benchmarks of recurrent networks in the literature.
//!
//! | task | target | reference | trivial baseline |
//! |---|---|---|---|
//! | [`Sum`](SyntheticTask::Sum) | the sum of all values | the lecture's two experiments | MSE: features x mean length |
//! | [`Adding`](SyntheticTask::Adding) | the sum of two marked values | Hochreiter and Schmidhuber 1997; Le et al. 2015 | MSE 1/6 (always 1) |
//! | [`CopyMemory`](SyntheticTask::CopyMemory) | the first symbols, repeated at the end; one class per step | Hochreiter and Schmidhuber 1997; Arjovsky et al. 2016 | cross-entropy K ln S / length per step |
//! | [`TemporalOrder`](SyntheticTask::TemporalOrder) | the order of two signals | Hochreiter and Schmidhuber 1997, task 6a | accuracy 1/4 |
//! | [`Parity`](SyntheticTask::Parity) | whether the number of ones is even or odd | Hochreiter and Schmidhuber 1997; Graves 2016 | accuracy 1/2 |
//! | [`Dyck`](SyntheticTask::Dyck) | whether brackets match | Chomsky and Schuetzenberger 1963; Suzgun et al. 2019 | accuracy 1/2 |
//! | [`NoisySine`](SyntheticTask::NoisySine) | the wave without noise, some steps ahead | common textbook example | MSE 1/2 (always 0) |
//! | [`Seasonal`](SyntheticTask::Seasonal) | none: for [forecasts](crate::forecast) | textbook decomposition into trend, seasons and noise | MSE about 64 + noise squared (the mean) |
//!
//! All tasks take a distribution of [`Lengths`]. Example i depends only on the seed and on i, and on
//! the epoch if examples are redrawn, so neither the order of access nor the number of threads
//! matters.
//!
//! [`FixedLengthSums`] and [`VariableLengthSums`] are the lecture's two data sets, with the lecture's
//! option names.
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
mod generator;
mod lengths;
mod noisy_sine;
mod one_hot;
mod parity;
mod seasonal;
pub(crate) mod sums;
mod task;
mod temporal_order;

pub use generator::{Synthetic, SyntheticConfig};
pub use lengths::Lengths;
pub use sums::{
    FixedLengthSums, FixedLengthSumsConfig, VariableLengthSums, VariableLengthSumsConfig,
};
pub use task::{Baseline, SyntheticTask};
