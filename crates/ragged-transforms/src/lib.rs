//! Transforms of sequences that were fitted to training data.
//!
//! The principal type is [`Pipeline`], a list of [`Transform`]s. It changes the features of a sequence in the order
//! in which the transforms were fitted. A pipeline is applied to a whole sequence ([`Pipeline::apply`]), or step by
//! step as the values arrive ([`Pipeline::apply_next`] with a [`PipelineState`]); both give the same bits.
//!
//! Values are computed in 64 bits. Scaled values and differences are rounded to 32 bits, which is what a model
//! reads. Missing values are NaN.
//!
//! ```
//! use ragged_transforms::{MinMax, Pipeline, Transform, Values};
//!
//! let scale = MinMax { min: vec![0.0], max: vec![4.0], low: 0.0, high: 1.0 };
//! let pipeline = Pipeline::new(1, vec![Transform::Difference, Transform::MinMax(scale)])?;
//! let whole = pipeline.apply(Values::rounded(&[1.0, 2.0, 4.0], 1)?)?;
//! assert_eq!(whole.as_slice(), [0.0, 0.25, 0.5]);
//!
//! let mut state = pipeline.state()?;
//! for (value, want) in [1.0, 2.0, 4.0].into_iter().zip(whole.as_slice()) {
//!     let mut next = Values::rounded(&[value], 1)?;
//!     pipeline.apply_next(&mut next, &mut state)?;
//!     assert_eq!(next.as_slice(), [*want]);
//! }
//! # Ok::<(), ragged_transforms::Error>(())
//! ```
//!
//! # In reading order
//!
//! 1. [`Values`]: the values of a sequence.
//! 2. [`Transform`] with [`Standardize`], [`MinMax`] and [`Keep`]: one transform.
//! 3. [`Pipeline`] and [`PipelineState`].
//! 4. [`Tokenizer`], [`Vocabulary`] and [`TokenEncoder`]: texts as indices.
//! 5. [`Outputs`] with [`OutputKind`]: from the outputs of a model to predictions.

#![forbid(unsafe_code)]

mod error;
mod missing;
mod outputs;
mod pipeline;
mod scaling;
mod tokens;
mod transform;
mod values;

pub use error::{Error, Result};
pub use outputs::{HeadOutputs, OutputKind, Outputs, SMALLEST_VARIANCE, sigmoid, softplus};
pub use pipeline::{Pipeline, PipelineState};
pub use scaling::{MinMax, Standardize};
pub use tokens::{
    StaticEncoder, StaticNumber, TokenEncoder, TokenVocabulary, Tokenizer, Vocabulary,
    VocabularyConfig,
};
pub use transform::{Keep, Transform};
pub use values::Values;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
