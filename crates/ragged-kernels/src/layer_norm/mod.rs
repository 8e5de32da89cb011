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
//! The input's product is normalised in bulk over packed rows ([`input`]); that of the hidden state, which waits for
//! the step before, in the time loop (`recurrence/normalized.rs`). [`row`] has the arithmetic of one row, whose sums
//! have one order at each SIMD level.

pub(crate) mod gradients;
pub(crate) mod groups;
pub(crate) mod input;
pub(crate) mod row;
pub(crate) mod weights;
