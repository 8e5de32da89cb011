//! Layer normalisation (Ba, Kiros and Hinton 2016) inside recurrent cells.
//!
//! The two products of a step are normalised before they are added, over the gates of each of a row's *groups*, and so
//! is the cell state of an LSTM before its tanh:
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
