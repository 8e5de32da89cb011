//! A trained model.

use std::path::Path;

use ragged_kernels::PreparedLinear;
use ragged_transforms::{Outputs, Pipeline};

use crate::attention::Attention;
use crate::checkpoint::{Checkpoint, Info};
use crate::config::{Readout, StaticJoin};
use crate::crf::Crf;
use crate::error::{Error, Result};
use crate::layers::Layers;
use crate::sequence::Statics;
use crate::statics::{StaticPart, check_count};
use crate::targets::Targets;
use crate::tokens::TokenRows;

/// The model of a run: its transforms, recurrent layers, readout and head.
///
/// It can be shared by threads. Its results are, bit for bit, those of `ragged predict` on the same machine.
///
/// ```no_run
/// use ragged_runtime::Model;
///
/// let model = Model::open("runs/gestures".as_ref())?;
/// // Two sequences of two and one steps, three features.
/// let sequences = [&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6][..], &[0.7, 0.8, 0.9]];
/// for outputs in model.predict(&sequences)? {
///     println!("{:?}", model.targets().label(&outputs));
/// }
/// # Ok::<(), ragged_runtime::Error>(())
/// ```
#[derive(Debug)]
pub struct Model {
    pub(crate) transforms: Pipeline,
    /// For a model of tokens.
    pub(crate) tokens: Option<TokenRows>,
    pub(crate) statics: Option<StaticPart>,
    pub(crate) layers: Layers,
    pub(crate) readout: Readout,
    /// The parameters of the readout, if it has any.
    pub(crate) attention: Option<Attention>,
    pub(crate) head: PreparedLinear<f32>,
    pub(crate) crf: Option<Crf>,
    /// How predictions follow from the outputs of the head.
    pub(crate) predictions: Outputs,
    pub(crate) targets: Targets,
    feature_names: Option<Vec<String>>,
    /// Whether values keep 64 bits until a transform scales them.
    pub(crate) exact: bool,
    /// The checksum of the checkpoint.
    pub(crate) fingerprint: [u8; 32],
}

impl Model {
    /// Reads the model of a run from its folder, or from a checkpoint. Of a folder, it takes the best epoch, or the
    /// last where there were no validation data.
    ///
    /// # Errors
    ///
    /// [`Error::NoCheckpoint`] for a folder without one, and [`Error::Io`] and [`Error::InFile`] for a file that
    /// cannot be read or used.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Self::open_file(path, &read_regular(path)?);
        }
        let (best, last) = (path.join("best.safetensors"), path.join("last.safetensors"));
        if best.exists() {
            let bytes = read_regular(&best)?;
            let in_file = |source| in_file(&best, source);
            let checkpoint = Checkpoint::read(&bytes).map_err(in_file)?;
            if checkpoint.is_validated() || !last.exists() {
                return Self::new(&checkpoint).map_err(in_file);
            }
        }
        if !last.exists() {
            return Err(Error::NoCheckpoint { path: path.to_path_buf() });
        }
        Self::open_file(&last, &read_regular(&last)?)
    }

    fn open_file(path: &Path, bytes: &[u8]) -> Result<Self> {
        Self::from_bytes(bytes).map_err(|source| in_file(path, source))
    }

    /// Reads the model from the bytes of a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Checkpoint`] for other or damaged bytes, [`Error::NoEpoch`] for a run that has not completed an epoch,
    /// [`Error::Parameter`] for a parameter that does not fit, [`Error::Kernels`] for layers that the kernels do not
    /// have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::new(&Checkpoint::read(bytes)?)
    }

    fn new(checkpoint: &Checkpoint) -> Result<Self> {
        let Info { model, schema, transforms, outputs: predictions, .. } = &checkpoint.info;
        let got = transforms.output_features();
        let tokens = model.tokens.as_ref();
        let expected = tokens.map_or(model.layer.input_size, |tokens| tokens.num_values);
        if got != expected {
            let expected = format!("transforms with an output of {expected} features");
            return Err(Error::Checkpoint { expected, got: got.to_string() });
        }
        let tokens =
            tokens.map(|tokens| TokenRows::new(tokens, &checkpoint.info.tokens, checkpoint));
        let layers = Layers::new(model.cell, &model.layer, model.cell.name(), checkpoint)?;
        let encoder = checkpoint.info.tokens.statics();
        let statics = model
            .statics
            .as_ref()
            .map(|config| StaticPart::new(config, encoder, &layers.initial, checkpoint));
        let features = model.layer.output_features();
        let attention = model.attention.map(|sizes| Attention::new(sizes, features, checkpoint));
        let crf = model.crf.as_ref().map(|crf| Crf::new(crf, model.num_outputs, checkpoint));
        let (outputs, inputs) = (model.num_outputs, model.head_features());
        let weight = checkpoint.parameter("linear.weight", &[outputs, inputs])?;
        let bias = checkpoint.parameter("linear.bias", &[outputs])?;
        Ok(Self {
            transforms: transforms.clone(),
            tokens: tokens.transpose()?,
            statics: statics.transpose()?,
            layers,
            readout: model.readout,
            attention: attention.transpose()?,
            crf: crf.transpose()?,
            head: PreparedLinear::new(inputs, &weight, &bias)?,
            predictions: predictions.clone(),
            targets: schema.targets.clone(),
            feature_names: schema.features.clone(),
            exact: schema.exact,
            fingerprint: checkpoint.sha256,
        })
    }

    /// Returns what the model predicts.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Returns the names of the features of a step, in their order, if the training data had names.
    pub fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }

    /// Whether the model reads tokens, for [`predict_tokens`](Self::predict_tokens); it may read features, too.
    pub fn reads_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Returns I, the number of features of a step; 0 for a model of tokens.
    pub fn features(&self) -> usize {
        self.transforms.features()
    }

    /// Returns the names of the static columns of numbers, in the order of [`Statics::numbers`].
    pub fn static_numbers(&self) -> impl Iterator<Item = &str> {
        let columns = self.statics.iter().flat_map(|part| part.encoder.numbers());
        columns.map(|number| number.column.as_str())
    }

    /// Returns the names of the static columns of categories, in the order of [`Statics::categories`].
    pub fn static_categories(&self) -> impl Iterator<Item = &str> {
        let columns = self.statics.iter().flat_map(|part| part.encoder.categories());
        columns.map(|category| category.column.as_str())
    }

    /// Returns the features of the static values of sequences, or nothing if the model has none.
    pub(crate) fn embed_statics(&self, statics: Vec<Statics<'_>>) -> Result<Vec<Vec<f32>>> {
        let mut each = statics.into_iter().enumerate();
        match &self.statics {
            Some(part) => each.map(|(index, statics)| part.embed(index, statics)).collect(),
            None => each
                .try_for_each(|(index, statics)| check_count(index, (0, 0), statics))
                .map(|()| vec![]),
        }
    }

    /// Returns the number of features of static values that the head receives, if they join it.
    pub(crate) fn head_statics(&self) -> Option<usize> {
        let part = self.statics.as_ref().filter(|part| part.join == StaticJoin::Head);
        part.map(StaticPart::features)
    }

    /// Returns O, the number of outputs: one or more for each value, or one logit for each class.
    pub fn outputs(&self) -> usize {
        self.head.output_size()
    }

    /// Whether the model has outputs for each step, and not for each sequence.
    pub fn is_per_step(&self) -> bool {
        self.readout == Readout::Steps
    }
}

/// Reads a file; a pipe or a device, which might never end, is an error.
fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let io = |source| Error::Io { path: path.to_path_buf(), source };
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(io(std::io::Error::other("expected a regular file")));
    }
    std::fs::read(path).map_err(io)
}

fn in_file(path: &Path, source: Error) -> Error {
    Error::InFile { path: path.to_path_buf(), source: Box::new(source) }
}
