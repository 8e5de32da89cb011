//! The errors of this crate.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use ragged_datasets::TargetKind;

pub use crate::checkpoint_error::CheckpointError;
use crate::checkpoint_error::kind;
use crate::config::error::ConfigError;
use crate::distributed::error::RankError;
use crate::run::data_fingerprint::DataFingerprint;
use crate::run::difference::Difference;
use crate::run::memory_estimate::{MemoryEstimate, size};

/// A configuration, a batch or a file that training or prediction cannot use.
///
/// ```
/// use ragged_train::{Error, ExperimentConfig};
///
/// let error = ExperimentConfig::parse("[train]\nepochs = 0\n", &[]).unwrap_err();
/// assert!(matches!(&error, Error::Config(config) if config.key == "train.epochs"));
/// assert_eq!(error.to_string(), "line 2, column 10: train.epochs is 0: expected 1 to 1000000");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key or value that a configuration cannot have.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A loss or a gradient norm that is NaN or infinite. No parameter was updated with it.
    #[error(
        "{what} is {value} in epoch {epoch}, batch {batch}: stopped before the update{}",
        saved.as_ref().map_or(String::new(), |path| format!(", batch saved in {}", path.display()))
    )]
    NonFinite {
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// NaN or an infinity.
        value: f64,
        /// The epoch, counted from 1.
        epoch: usize,
        /// The batch within the epoch, counted from 1.
        batch: usize,
        /// The file to which the batch was written, if an observer wrote it.
        saved: Option<PathBuf>,
    },
    /// An error between processes that train together.
    #[error(transparent)]
    Ranks(#[from] RankError),
    /// A batch in a layout that the model does not take.
    #[error("input of the {model} model: expected a {expected} batch, got {got}")]
    BatchLayout {
        /// `fixed-length` or `variable-length`.
        model: &'static str,
        /// `padded` or `packed`.
        expected: &'static str,
        /// `padded` or `packed`.
        got: &'static str,
    },
    /// A padded batch of sequences of several lengths, given to the fixed-length model.
    #[error(
        "input of the fixed-length model: expected sequences of one length, {expected}, got one of \
         {got}"
    )]
    UnequalLengths {
        /// The number of time steps of the batch.
        expected: usize,
        /// The length of the first sequence that is shorter.
        got: usize,
    },
    /// A [`PreparedModel`](ragged_models::PreparedModel) in a training step.
    #[error("a prepared model records no gradients: train the model from which it was prepared")]
    PreparedModel,
    /// A model without [`BatchModel::training_stream`](crate::BatchModel::training_stream), trained with
    /// `bptt_steps`.
    #[error("the model cannot process series chunk by chunk, which train.bptt_steps needs")]
    StreamUnsupported,
    /// A tensor of the wrong shape.
    #[error("{name}: expected shape {expected:?}, got {got:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The shape that it should have.
        expected: Vec<usize>,
        /// The shape that it has.
        got: Vec<usize>,
    },
    /// A target class that the predictions do not have.
    #[error("target class {class}: expected a class below {classes}")]
    Class {
        /// The class.
        class: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A target of a head that is no class.
    #[error("head {head}: target {value}: expected the index of a class below {classes}, or NaN")]
    HeadClass {
        /// The name of the head.
        head: String,
        /// The target.
        value: f64,
        /// The number of classes.
        classes: usize,
    },
    /// A loss or a weight that a head cannot have.
    #[error("head {head} has {got}: expected {expected}")]
    HeadLoss {
        /// The name of the head.
        head: String,
        /// The loss or the weight.
        got: String,
        /// What its target needs.
        expected: &'static str,
    },
    /// Another number of losses or scales than of targets.
    #[error("{got} heads: expected one for each of {expected} targets")]
    Heads {
        /// The number of targets.
        expected: usize,
        /// The number of losses or scales.
        got: usize,
    },
    /// Targets of CTC that are not lists of labels with their lengths.
    #[error(
        "targets of ctc: expected lists of labels with lengths, for {rows} packed time steps, got shape {got:?}"
    )]
    LabelTargets {
        /// The number of rows of the predictions.
        rows: usize,
        /// The shape of the targets.
        got: Vec<usize>,
    },
    /// Targets of a CRF of which it is not known which step of which sequence they belong to.
    #[error(
        "targets of a CRF: expected one class per packed time step of {rows}, got shape {got:?}"
    )]
    PathTargets {
        /// The number of rows of the predictions.
        rows: usize,
        /// The shape of the targets.
        got: Vec<usize>,
    },
    /// A tensor with the wrong number of dimensions.
    #[error("{name}: expected {expected} dimensions, got shape {got:?}")]
    Rank {
        /// The tensor.
        name: &'static str,
        /// The number of dimensions that it should have.
        expected: usize,
        /// The shape that it has.
        got: Vec<usize>,
    },
    /// A tensor that a saved state lacks.
    #[error("{name}: expected shape {shape:?}, got no such tensor")]
    MissingTensor {
        /// The tensor.
        name: String,
        /// The shape that it should have.
        shape: Vec<usize>,
    },
    /// Data with another number of features than the training data.
    #[error("expected {expected} features per step, as in the training data, got {got}")]
    Features {
        /// The number of features of the training data.
        expected: usize,
        /// The number of features of these data.
        got: usize,
    },
    /// Data with targets of another kind than those of the training data.
    #[error("targets: expected {}, as in the training data, got {}", kind(expected), kind(got))]
    Targets {
        /// The targets of the training data.
        expected: TargetKind,
        /// The targets of these data.
        got: TargetKind,
    },
    /// Data that are not those of the training any more.
    #[error(
        "the {part} have changed since the training: expected {expected}, got {got}; restore them"
    )]
    DataChanged {
        /// The training data or the test data.
        part: &'static str,
        /// The content that was trained on.
        expected: DataFingerprint,
        /// The content of the file now.
        got: DataFingerprint,
    },
    /// A model that does not fit into memory.
    #[error("the training needs about {estimate}; {} are available", size(*available))]
    Memory {
        /// What is needed.
        estimate: MemoryEstimate,
        /// The bytes that there are.
        available: u64,
    },
    /// A run of which every checkpoint is damaged.
    #[error(
        "{}: no checkpoint can be read: {}", path.display(),
        damaged.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    NoCheckpoint {
        /// The directory of the run.
        path: PathBuf,
        /// The error of each checkpoint.
        damaged: Vec<Error>,
    },
    /// A run whose configuration, data or arithmetic are not those of its checkpoint any more.
    #[error(
        "{}: the run has changed since this checkpoint: {}",
        path.display(), differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    RunChanged {
        /// The checkpoint.
        path: PathBuf,
        /// Everything that changes results.
        differences: Vec<Difference>,
    },
    /// A value that the model would read, and that is missing or infinite.
    #[error(
        "{}sequence {sequence}, step {step}: feature {feature} is {}; {}",
        part.map_or(String::new(), |part| format!("{part}, ")),
        if value.is_nan() { "missing".into() } else { value.to_string() },
        if value.is_nan() {
            "data.transforms of the training can fill it, with mean-fill or forward-fill"
        } else {
            "expected a finite number"
        }
    )]
    Input {
        /// The training, validation or test data of a run; `None` for other data.
        part: Option<&'static str>,
        /// The name of the sequence, or its number within this part, counted from 1.
        sequence: String,
        /// The time step, counted from 1.
        step: usize,
        /// The name of the feature after the transforms, or its number, counted from 1.
        feature: String,
        /// NaN, which stands for a missing value, or an infinity.
        value: f32,
    },
    /// A prediction that is NaN or infinite.
    #[error(
        "sequence {sequence}: the prediction is not finite: its values or the parameters of the model are too large"
    )]
    NonFinitePrediction {
        /// The sequence, counted from 1.
        sequence: usize,
    },
    /// A model whose prediction needs the whole sequence, asked to go step by step.
    #[error("expected a model that predicts step by step, got one with {got}")]
    Session {
        /// What needs the whole sequence.
        got: &'static str,
    },
    /// A step beyond those that the model reads.
    #[error("expected at most {steps} steps, to which the transforms cut a sequence, got one more")]
    SessionEnd {
        /// The steps so far.
        steps: usize,
    },
    /// A loss on the test data that is NaN or infinite.
    #[error(
        "the loss on the test data is {loss}{}: values of the data or parameters of the model are too large",
        if sequences.is_empty() { String::new() } else { format!(" in sequence {}", sequences.join(", ")) }
    )]
    NonFiniteTest {
        /// NaN or an infinity.
        loss: f64,
        /// The names of the first sequences whose own loss is not finite, or their numbers from 1.
        sequences: Vec<String>,
    },
    /// A file or directory that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A path that was given and cannot be used: nothing is there, or something else than expected, or the name has
    /// the wrong ending.
    #[error("{}: {reason}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it and what was expected.
        reason: &'static str,
    },
    /// A file or directory that is readable, but not what it should be.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it and what was expected.
        reason: String,
    },
    /// A data set of the UEA/UCR archive that has not been downloaded.
    #[error(
        "{}: no such file: download the data set {name}, or set data.dir to its directory",
        path.display()
    )]
    MissingDataset {
        /// The first file of the data set that is missing.
        path: PathBuf,
        /// The name of the data set.
        name: String,
    },
    /// A line of JSON that cannot be understood.
    #[error("{}: line {line}: {source}", path.display())]
    JsonLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The error of the JSON parser.
        source: serde_json::Error,
    },
    /// A file that is no checkpoint, or a damaged one.
    #[error("{}: {source}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// Another error of this crate, caused by the contents of a file.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with its contents.
        source: Box<Error>,
    },
    /// A part of a model that ONNX has no operator for.
    #[error("{key} is {got}: {reason}; expected {expected}")]
    OnnxUnsupported {
        /// The key of the configuration.
        key: &'static str,
        /// Its value.
        got: String,
        /// What ONNX lacks.
        reason: &'static str,
        /// What can be exported.
        expected: &'static str,
    },
    /// A model that is too large for one file in the ONNX format.
    #[error("the model takes {bytes} bytes: expected at most {most}, the limit of one ONNX file")]
    OnnxSize {
        /// The size of the model.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A plot that cannot be drawn.
    #[error("{}: cannot draw the plot: {source}", path.display())]
    Plot {
        /// The file for which the plot was meant.
        path: PathBuf,
        /// The error of the plotting library.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Text that cannot be written as CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A value that cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Tensors that cannot be written as safetensors.
    #[error(transparent)]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// An error of the model.
    #[error(transparent)]
    Model(#[from] ragged_models::Error),
    /// An error of the data.
    #[error(transparent)]
    Data(#[from] ragged_datasets::Error),
    /// An error of packing or padding.
    #[error(transparent)]
    Sequence(#[from] ragged_sequence::Error),
    /// An error of the tensor library.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// A path that was given and cannot be used.
    pub(crate) fn path(path: &Path, reason: &'static str) -> Self {
        Self::Path { path: path.to_path_buf(), reason }
    }

    /// An error of the operating system about a file or directory.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_path_buf(), source }
    }

    /// A tensor of a saved state that is missing or has another shape than expected.
    pub(crate) fn misfit(name: String, expected: &[usize], got: Option<&Tensor>) -> Self {
        let expected = expected.to_vec();
        match got {
            Some(tensor) => Self::Shape { name, expected, got: tensor.dims().to_vec() },
            None => Self::MissingTensor { name, shape: expected },
        }
    }

    /// A file that is readable, but not what it should be.
    pub(crate) fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self::File { path: path.to_path_buf(), reason: reason.into() }
    }

    /// Adds the file to an error that its contents caused.
    pub(crate) fn in_file<E: Into<Self>>(path: &Path) -> impl Fn(E) -> Self {
        move |error| Self::InFile { path: path.to_path_buf(), source: Box::new(error.into()) }
    }
}

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;
