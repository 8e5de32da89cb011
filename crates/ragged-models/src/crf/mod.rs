//! Conditional random fields: scores of whole paths of tags.

pub(crate) mod config;
pub(crate) mod constraints;
pub(crate) mod layer;
