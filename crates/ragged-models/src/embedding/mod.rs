//! Tokens as rows of features: the embedding, and the stage of a model before its recurrent layer.

pub(crate) mod config;
pub(crate) mod inner;
pub(crate) mod sparse_rows;
pub(crate) mod table;
pub(crate) mod token_rows;
