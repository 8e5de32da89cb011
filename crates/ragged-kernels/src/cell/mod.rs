//! The recurrent cells: the arithmetic of one time step.
//!
//! Every cell has four *slots*: sums that one tile of the matrix product yields for a block of units at
//! once.
//!
//! | cell | a block holds | slots | W_ih x is added to | W_hh h is added to |
//! |---|---|---|---|---|
//! | LSTM, with or without peepholes | one vector of units | the gates i, f, g, o | all | all |
//! | GRU | one vector of units | r, z, and the two terms of n | r, z, n's term of x | r, z, n's term of h |
//! | GRU with the reset before the product | one vector of units | r, z, n | r, z, n | r, z; W_hn (r h) to n |
//! | RNN | four vectors of units | one per vector | all | all |
//!
//! With layer normalisation (`layer_norm`), the LSTM and the GRU have the same slots, and each product is normalised
//! before it is added.
//!
//! The products, the order of the steps, the threads and the gradients of the weights are the same for
//! all cells. [`step::CellStep`] is what differs.

pub(crate) mod gru;
pub(crate) mod kind;
pub(crate) mod layer_norm_gru;
pub(crate) mod layer_norm_lstm;
pub(crate) mod lstm;
pub(crate) mod peephole_lstm;
pub(crate) mod reset_before_gru;
pub(crate) mod rnn;
pub(crate) mod step;
