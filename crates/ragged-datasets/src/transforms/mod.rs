//! Changes of examples: fitted to the training data, random, or by cutting long series.
//!
//! A [`Pipeline`] is a list of transforms. [`fit`] fits each to the training examples as the transforms
//! before it leave them. It sees only real steps, never padding. Statistics and transforms are computed in
//! 64 bits. A pipeline is saved as JSON in a checkpoint,
//! so that evaluation and prediction apply it with the same bits.
//!
//! [`Augmented`] changes training examples at random in every epoch. [`Chunks`] cuts
//! long series into examples.
//!
//! ```
//! use ragged_datasets::transforms::{Pipeline, TransformConfig, Transformed, fit};
//! use ragged_datasets::{Dataset, VariableLengthSums, VariableLengthSumsConfig};
//!
//! let train = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
//! let clip = TransformConfig::Clip { low: -3.0, high: 3.0 };
//! let pipeline = fit(&[TransformConfig::Standardize, clip], &train)?;
//!
//! let saved = serde_json::to_string(&pipeline)?;
//! let again: Pipeline = serde_json::from_str(&saved)?;
//! let scaled = Transformed::new(train, again)?;
//! assert!(scaled.get(0, 5)?.sequence.values().iter().all(|v| v.abs() <= 3.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod augment;
mod chunks;
mod fit;
mod statistics;
mod transformed;

pub use augment::{AugmentConfig, Augmented};
pub use chunks::Chunks;
pub use fit::{TransformConfig, fit};
pub use ragged_transforms::{Keep, MinMax, Pipeline, Standardize, Transform};
pub use transformed::Transformed;
