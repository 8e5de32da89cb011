//! The errors of this crate.

use std::path::PathBuf;

/// A file, an input or a state that cannot be used. Nothing has changed then.
///
/// ```
/// use ragged_runtime::{Error, Model};
///
/// let error = Model::from_bytes(b"not a checkpoint").unwrap_err();
/// assert!(matches!(error, Error::Checkpoint { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// An error in a file.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// The error.
        source: Box<Error>,
    },
    /// Bytes that are no checkpoint of a run, or a damaged one.
    #[error("checkpoint: expected {expected}, got {got}")]
    Checkpoint {
        /// What a checkpoint has.
        expected: String,
        /// What was found.
        got: String,
    },
    /// A run that has not completed an epoch.
    #[error("run: expected at least one completed epoch, got none")]
    NoEpoch,
    /// A folder without a checkpoint.
    #[error("{}: expected a folder with best.safetensors or last.safetensors, got neither", path.display())]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
    },
    /// A parameter that is missing or does not fit the model.
    #[error("parameter {name}: expected {expected}, got {got}")]
    Parameter {
        /// Its name.
        name: String,
        /// The type and shape that the model needs.
        expected: String,
        /// What the file has.
        got: String,
    },
    /// Features for a model of tokens, or tokens for a model of features.
    #[error("input: expected {expected}, as in the training data, got {got}")]
    InputKind {
        /// What the model reads.
        expected: &'static str,
        /// What it was given.
        got: &'static str,
    },
    /// A token or an id that the vocabulary of the run does not have.
    #[error("sequence {sequence}, step {step} is {got}: expected {expected}")]
    Token {
        /// The sequence, counted from 1.
        sequence: usize,
        /// The step, counted from 1.
        step: usize,
        /// What the vocabulary has.
        expected: String,
        /// The token or the id.
        got: String,
    },
    /// Another number of static values than the training data had.
    #[error(
        "sequence {sequence} has {} static numbers and {} static categories: expected {} and {}",
        got.0, got.1, expected.0, expected.1
    )]
    Statics {
        /// The sequence, counted from 1.
        sequence: usize,
        /// The numbers and categories of the training data.
        expected: (usize, usize),
        /// Those of the sequence.
        got: (usize, usize),
    },
    /// A static number that is infinite.
    #[error("sequence {sequence}, static column {column} is {got}: expected a finite number")]
    StaticNumber {
        /// The sequence, counted from 1.
        sequence: usize,
        /// The name of the column.
        column: String,
        /// The value.
        got: f64,
    },
    /// Tokens of another number of steps than the features.
    #[error("sequence {sequence} has {got} tokens: expected {expected}, {columns} for each step")]
    TokenCount {
        /// The sequence, counted from 1.
        sequence: usize,
        /// The number of tokens in a step.
        columns: usize,
        /// The number of tokens for all steps.
        expected: usize,
        /// The number that was given.
        got: usize,
    },
    /// A model with a CRF, where one without is needed, or the other way round.
    #[error("model.crf: expected {expected}")]
    Crf {
        /// What is needed.
        expected: &'static str,
    },
    /// A model that cannot run step by step.
    #[error("{name}: expected {expected}, to run step by step")]
    Stepwise {
        /// The option.
        name: &'static str,
        /// The value that it must have.
        expected: &'static str,
    },
    /// A slice of another size.
    #[error("{name}: expected {expected} values ({shape}), got {got}")]
    Length {
        /// The slice.
        name: &'static str,
        /// Its shape, in letters.
        shape: &'static str,
        /// The number of its values.
        expected: usize,
        /// The number that was given.
        got: usize,
    },
    /// A number of sequences that is not that of the sessions.
    #[error("got {got} sequences: expected {expected}, one per session")]
    Sequences {
        /// The number of sessions.
        expected: usize,
        /// The number of sequences.
        got: usize,
    },
    /// A value that is not finite when the model reads it.
    #[error(
        "sequence {sequence}, step {step}, feature {feature} is {got}: expected a finite number"
    )]
    Input {
        /// The sequence, counted from 1.
        sequence: usize,
        /// The step, counted from 1.
        step: usize,
        /// The feature after the transforms, counted from 1.
        feature: usize,
        /// The value.
        got: f32,
    },
    /// A step beyond the largest length of a model that predicts every step.
    #[error("sequence {sequence}: expected no step beyond the truncation of the model's input")]
    Truncated {
        /// The sequence, counted from 1.
        sequence: usize,
    },
    /// A prediction that is not finite.
    #[error("sequence {sequence}: expected a finite prediction, got {got}")]
    Prediction {
        /// The sequence, counted from 1.
        sequence: usize,
        /// The first value that is not finite.
        got: f32,
    },
    /// The bytes of a session that cannot be read, or a session of another model.
    #[error("session: expected {expected}, got {got}")]
    Session {
        /// What the model has saved.
        expected: &'static str,
        /// What was found.
        got: String,
    },
    /// An error of the transforms.
    #[error(transparent)]
    Transforms(#[from] ragged_transforms::Error),
    /// An error of the kernels.
    #[error(transparent)]
    Kernels(#[from] ragged_kernels::Error),
}

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;
