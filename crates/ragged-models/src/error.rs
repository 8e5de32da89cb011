//! The errors of this crate.

use std::path::{Path, PathBuf};

use candle_core::{DType, DeviceLocation};

use crate::weights::mismatches::Mismatches;

/// A model that cannot be built, run, saved or loaded.
///
/// ```
/// use candle_core::{DType, Device};
/// use ragged_models::{Error, Lstm, Parameters, RecurrentConfig};
///
/// let vb = Parameters::new(0).builder(DType::F32, &Device::Cpu);
/// let error = Lstm::new(&RecurrentConfig::new(0, 4), vb).unwrap_err();
/// assert!(matches!(error, Error::Config { name: "input_size", .. }));
/// assert_eq!(error.to_string(), "input_size is 0: expected at least 1");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input of a layer, cell or model with a wrong rank or number of features.
    #[error("input: expected a tensor {expected} with I = {input_size}, got shape {got:?}")]
    Input {
        /// The shapes that are accepted, in letters.
        expected: &'static str,
        /// I, the number of input features.
        input_size: usize,
        /// The shape of the input.
        got: Vec<usize>,
    },
    /// An index of a token beyond the rows of an embedding.
    #[error("token id {got} at position {position}: expected an id below {count}")]
    TokenId {
        /// The position of the id.
        position: usize,
        /// The id.
        got: u32,
        /// V, the number of rows.
        count: usize,
    },
    /// A batch of tokens with other parts than the model reads: the number of features that are numbers, the number of
    /// columns of ids, and whether the steps consist of sequences.
    #[error(
        "tokens: expected {} numbers, {} columns of ids and {} inner sequences, got {}, {} and {}",
        expected.0, expected.1, if expected.2 { "some" } else { "no" },
        got.0, got.1, if got.2 { "some" } else { "none" }
    )]
    Tokens {
        /// The parts that the model reads.
        expected: (usize, usize, bool),
        /// The parts of the batch.
        got: (usize, usize, bool),
    },
    /// Static values of other columns than the model takes.
    #[error("static values: expected {} numbers and {} categories, got {} and {}", expected.0, expected.1, got.0, got.1)]
    Statics {
        /// The numbers and categories that the model takes.
        expected: (usize, usize),
        /// Those of the batch.
        got: (usize, usize),
    },
    /// Static values for another number of sequences, for a model without static values, or missing ones.
    #[error("static values: expected {}, got {}", rows(*expected), rows(*got))]
    StaticRows {
        /// The number of sequences, if the model takes static values.
        expected: Option<usize>,
        /// The number of rows, if there are any.
        got: Option<usize>,
    },
    /// A batch of tokens for a model without embeddings.
    #[error("input: expected features, as the model has no embedding, got tokens")]
    NoEmbedding,
    /// A padded input whose readout needs at least one time step.
    #[error("input: expected a tensor [B, T, I] with T of at least 1, got shape {got:?}")]
    NoSteps {
        /// The shape of the input.
        got: Vec<usize>,
    },
    /// A tensor with a wrong shape.
    #[error("{name}: expected shape {expected:?}, got shape {got:?}")]
    Shape {
        /// The argument.
        name: &'static str,
        /// Its shape as it should be.
        expected: Vec<usize>,
        /// Its shape.
        got: Vec<usize>,
    },
    /// A tensor whose dtype is not the parameters' dtype.
    #[error("{name}: expected dtype {}, got dtype {}", expected.as_str(), got.as_str())]
    DType {
        /// The argument.
        name: &'static str,
        /// The dtype of the parameters.
        expected: DType,
        /// The dtype of the argument.
        got: DType,
    },
    /// A tensor that is not on the parameters' device.
    #[error("{name}: expected device {expected:?}, got device {got:?}")]
    Device {
        /// The argument.
        name: &'static str,
        /// The device of the parameters.
        expected: DeviceLocation,
        /// The device of the argument.
        got: DeviceLocation,
    },
    /// A chunk with a number of sequences that is not the stream's number of rows.
    #[error("input: expected {expected} sequences, got {got}")]
    Sequences {
        /// The rows of the stream.
        expected: usize,
        /// The sequences of the chunk.
        got: usize,
    },
    /// A row index beyond the rows of a stream.
    #[error("rows: expected rows below {rows}, got {got}")]
    Row {
        /// The number of rows.
        rows: usize,
        /// The index.
        got: usize,
    },
    /// A tag of a path that does not exist, or that may not follow the tag before it or begin a sequence.
    #[error(
        "tags[{sequence}][{step}]: expected a tag below {tags} that may {}, got {got}",
        before.map_or("begin a sequence".into(), |tag| format!("follow {tag}"))
    )]
    Tag {
        /// The sequence, in the caller's order.
        sequence: usize,
        /// The step of the sequence.
        step: usize,
        /// C, the number of tags.
        tags: usize,
        /// The tag before it, unless it is the first.
        before: Option<u32>,
        /// The tag.
        got: u32,
    },
    /// The state of another model's stream.
    #[error("state: expected shapes {expected:?}, got shapes {got:?}")]
    State {
        /// The shapes of this model's state.
        expected: Vec<Vec<usize>>,
        /// The shapes of the tensors that were given.
        got: Vec<Vec<usize>>,
    },
    /// A configuration value that is not allowed.
    #[error("{name} is {got}: expected {expected}")]
    Config {
        /// The key.
        name: &'static str,
        /// The allowed values.
        expected: String,
        /// The value, which may be of any type, as text.
        got: String,
    },
    /// A state dict that does not fit the parameters: all mismatches at once.
    #[error("state dict does not fit: {0}")]
    StateDict(Mismatches),
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A `config.json` that is not a model configuration.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The reason, with line and column.
        source: serde_json::Error,
    },
    /// A file that is not a `.safetensors` file, or tensors that cannot be written as one.
    #[error("{}: not a safetensors file: {source}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: safetensors::SafeTensorError,
    },
    /// A file in which no state dict was found.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was expected, and what the file holds.
        reason: String,
    },
    /// A file that was read, but whose content is the cause of another error.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error.
        source: Box<Error>,
    },
    /// An error of the kernels.
    #[error(transparent)]
    Kernels(#[from] ragged_kernels::Error),
    /// An error of padding or packing.
    #[error(transparent)]
    Sequence(#[from] ragged_sequence::Error),
    /// An error of candle.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// Adds the file whose content caused this error.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        Self::File { path: path.to_path_buf(), source: Box::new(self) }
    }

    /// Returns a function that turns an input or output error of a file into one of this crate.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_path_buf(), source }
    }
}

impl From<Error> for candle_core::Error {
    /// Lets `?` convert errors in functions that return candle's.
    fn from(error: Error) -> Self {
        match error {
            Error::Candle(error) => error,
            other => candle_core::Error::wrap(other),
        }
    }
}

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

fn rows(count: Option<usize>) -> String {
    count.map_or("none".into(), |count| format!("{count} rows"))
}
