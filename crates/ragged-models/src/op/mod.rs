//! Differentiable operations in candle's graph.

pub(crate) mod crf;
pub(crate) mod gather;
pub(crate) mod linear;
pub(crate) mod multi_op;
pub(crate) mod parameters;
pub(crate) mod pass;
pub(crate) mod prepared;
pub(crate) mod recurrent;
pub(crate) mod storage;
pub(crate) mod zoneout;
