//! Layer normalisation (Ba, Kiros and Hinton 2016) inside recurrent cells.
//!
//! A step has two products, that of the input and that of the hidden state. Each is normalised before they are added.
//! The gates of a row form one or two groups ([`groups`]), and each group has a mean and a variance of its own. An LSTM
//! also normalises its cell state, before the tanh.
//!
//! ```text
//! LN(a; w) = w (a - mean a) / sqrt(var a + eps)      over all elements of a group
//! ```
//!
//! The weights are centred first ([`centered_weights`]), so that all products have the mean zero. The statistics of a
//! row ([`statistics`]) are sums over its units, which are taken for several rows at once ([`row_sums`]). Both products
//! are normalised in the time loop (`recurrence/normalized.rs`), where the rows of a step are in the caches.

pub(crate) mod centered_weights;
pub(crate) mod gradients;
pub(crate) mod groups;
pub(crate) mod row_sums;
pub(crate) mod statistics;
pub(crate) mod weights;
