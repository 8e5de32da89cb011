//! Changes of examples: fitted to the training data, random, or by cutting long series.
//!
//! A [`Pipeline`] is a list of transforms. Each is fitted to the training examples as the transforms
//! before it leave them. It sees only real steps, never padding. Statistics and transforms are computed in
//! 64 bits. A pipeline is saved as JSON in a checkpoint,
//! so that evaluation and prediction apply it with the same bits.
//!
//! [`Augmented`] changes training examples at random in every epoch. [`Chunks`] and [`Forecast`] cut
//! long series into examples, and [`split_in_time`] divides each series into past and future.
//!
//! ```
//! use ragged_datasets::transforms::{Pipeline, TransformConfig, Transformed};
//! use ragged_datasets::{Dataset, VariableLengthSums, VariableLengthSumsConfig};
//!
//! let train = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
//! let clip = TransformConfig::Clip { low: -3.0, high: 3.0 };
//! let pipeline = Pipeline::fit(&[TransformConfig::Standardize, clip], &train)?;
//!
//! let saved = serde_json::to_string(&pipeline)?;
//! let again: Pipeline = serde_json::from_str(&saved)?;
//! let scaled = Transformed::new(train, again)?;
//! assert!(scaled.get(0, 5)?.sequence.values().iter().all(|v| v.abs() <= 3.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod augment;
mod chunks;
mod fitted;
mod forecast;
mod missing;
mod pipeline;
mod scaling;
mod statistics;
mod truncate;

pub use augment::{AugmentConfig, Augmented};
pub use chunks::Chunks;
pub use fitted::{Transform, TransformConfig};
pub use forecast::{Forecast, ForecastConfig, split_in_time};
pub use pipeline::{Pipeline, Transformed};
pub use scaling::{MinMax, Standardize};
pub use truncate::Keep;
