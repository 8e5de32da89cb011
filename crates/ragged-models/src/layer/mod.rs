//! Recurrent layers: cells stacked into layers and directions.

pub(crate) mod dropout;
pub(crate) mod kind;
pub(crate) mod outputs;
pub(crate) mod recurrent;
pub(crate) mod step_states;
pub(crate) mod stream;
