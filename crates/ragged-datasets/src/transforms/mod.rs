//! Changes of the input that are fitted to the training data and saved with a run.
//!
//! A [`Pipeline`] is a list of transforms, each fitted to what those before it make of the training
//! examples. It sees real steps alone, whatever padding comes later. As JSON it goes into a
//! checkpoint, and evaluation and prediction apply it again, bit by bit.
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

mod fitted;
mod missing;
mod pipeline;
mod scaling;
mod statistics;
mod truncate;

pub use fitted::{Transform, TransformConfig};
pub use pipeline::{Pipeline, Transformed};
pub use scaling::{MinMax, Standardize};
pub use truncate::Keep;
pub(crate) use truncate::cut;
