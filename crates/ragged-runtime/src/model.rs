//! A trained model.

use std::path::Path;

use ragged_kernels::PreparedLinear;
use ragged_sequence::PackedLayout;
use ragged_transforms::{Outputs, Pipeline, PipelineState, Values};

use crate::checkpoint::{Checkpoint, Info};
use crate::config::Readout;
use crate::error::{Error, Result};
use crate::layers::{LayerOutputs, Layers, States};
use crate::readout::{Pooled, add_rows};
use crate::session::{Session, gather, scatter};
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
    tokens: Option<TokenRows>,
    pub(crate) layers: Layers,
    pub(crate) readout: Readout,
    pub(crate) head: PreparedLinear<f32>,
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
        let (outputs, inputs) = (model.num_outputs, model.layer.output_features());
        let weight = checkpoint.parameter("linear.weight", &[outputs, inputs])?;
        let bias = checkpoint.parameter("linear.bias", &[outputs])?;
        Ok(Self {
            transforms: transforms.clone(),
            tokens: tokens.transpose()?,
            layers,
            readout: model.readout,
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

    /// Whether the model reads tokens, for [`predict_tokens`](Self::predict_tokens), and not features.
    pub fn reads_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Returns I, the number of features of a step; 0 for a model of tokens.
    pub fn features(&self) -> usize {
        self.transforms.features()
    }

    /// Returns O, the number of outputs: one or more for each value, or one logit for each class.
    pub fn outputs(&self) -> usize {
        self.head.output_size()
    }

    /// Whether the model has outputs for each step, and not for each sequence.
    pub fn is_per_step(&self) -> bool {
        self.readout == Readout::Steps
    }

    /// Makes a prediction for each sequence `[T, I]`: `[O]` values in the units of the training data or logits,
    /// or `[T, O]` if it is
    /// [per step](Self::is_per_step). Sequences may have any lengths, also zero; missing values are NaN.
    ///
    /// Sequences are one batch. The prediction of each does not depend on the others.
    ///
    /// # Errors
    ///
    /// [`Error::Transforms`] for values that do not form whole steps, [`Error::Input`] for the first value that is not
    /// finite after the transforms, [`Error::Prediction`] for the first prediction that is not finite.
    pub fn predict<T: Copy + Into<f64>>(&self, sequences: &[&[T]]) -> Result<Vec<Vec<f32>>> {
        if self.reads_tokens() {
            return Err(Error::InputKind { expected: "tokens", got: "features" });
        }
        let mut rows = vec![];
        for (index, sequence) in sequences.iter().enumerate() {
            rows.push(self.inputs(index, sequence, |values| self.transforms.apply(values))?);
        }
        self.predict_rows(&rows)
    }

    /// Makes a prediction for each sequence of tokens, as [`predict`](Self::predict) does for features. `ragged predict`
    /// reads a text as the tokens that [`Tokenizer`](ragged_transforms::Tokenizer) makes of it. A token that was not in
    /// the training data is read as an unknown one.
    ///
    /// A run that has a `tokenizer.json` of Hugging Face takes the tokens of this file only. This crate does not divide
    /// texts by it; see [`predict_ids`](Self::predict_ids).
    ///
    /// # Errors
    ///
    /// [`Error::InputKind`] for a model of features, [`Error::Token`] for a text that is no token of the run's
    /// `tokenizer.json`, [`Error::Prediction`] for the first prediction that is not finite.
    ///
    /// ```no_run
    /// use ragged_runtime::Model;
    ///
    /// let model = Model::open("runs/polarity".as_ref())?;
    /// let outputs = model.predict_tokens(&[&["a", "pleasant", "film", "."]])?;
    /// println!("{:?}", model.targets().label(&outputs[0]));
    /// # Ok::<(), ragged_runtime::Error>(())
    /// ```
    pub fn predict_tokens(&self, sequences: &[&[&str]]) -> Result<Vec<Vec<f32>>> {
        let Some(tokens) = &self.tokens else {
            return Err(Error::InputKind { expected: "features", got: "tokens" });
        };
        self.predict_rows(&tokens.rows(sequences)?)
    }

    /// Makes a prediction for each sequence of indices in the vocabulary of the run, as
    /// [`predict_tokens`](Self::predict_tokens). For a run that has a `tokenizer.json`, they are the ids that the crate
    /// `tokenizers` computes with it, without special tokens unless `data.read.special_tokens` was set.
    ///
    /// # Errors
    ///
    /// [`Error::InputKind`] for a model of features and for one that reads the characters of tokens, [`Error::Token`]
    /// for an id that the vocabulary does not have, [`Error::Prediction`] for the first prediction that is not finite.
    ///
    /// ```no_run
    /// use ragged_runtime::Model;
    ///
    /// let model = Model::open("runs/reviews/1".as_ref())?;
    /// // let ids = tokenizers::Tokenizer::from_file("runs/reviews/1/tokenizer.json")?.encode("nice", false)?;
    /// let outputs = model.predict_ids(&[&[1037, 8242, 2143]])?;
    /// println!("{:?}", model.targets().label(&outputs[0]));
    /// # Ok::<(), ragged_runtime::Error>(())
    /// ```
    pub fn predict_ids(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let Some(tokens) = &self.tokens else {
            return Err(Error::InputKind { expected: "features", got: "ids" });
        };
        self.predict_rows(&tokens.rows_of_ids(sequences)?)
    }

    /// Makes a prediction for each sequence, given by the input of the layers.
    fn predict_rows(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let states = self.layers.initial_states(rows.len());
        let mut pooled = vec![Pooled::new(self.layers.config.output_features()); rows.len()];
        let (_, predictions) = self.run(rows, &states, &mut pooled)?;
        Ok(predictions)
    }

    /// Makes predictions for the next steps of each session, which may differ in number.
    ///
    /// A prediction is that for all steps of the session so far, or for the new steps if it is
    /// [per step](Self::is_per_step). Steps beyond a truncation of the input have no prediction of their own.
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict), for all sessions if one sequence is bad; [`Error::Sequences`] unless there is one
    /// sequence for each session. All sessions are unchanged then.
    pub fn chunk<T: Copy + Into<f64>>(
        &self,
        sessions: &mut [&mut Session],
        sequences: &[&[T]],
    ) -> Result<Vec<Vec<f32>>> {
        self.check_sessions(sessions, sequences.len())?;
        if sessions.is_empty() {
            return Ok(vec![]);
        }
        let (mut rows, mut transforms): (Vec<Vec<f32>>, Vec<PipelineState>) = (vec![], vec![]);
        for (index, (session, sequence)) in sessions.iter().zip(sequences).enumerate() {
            let mut state = session.transforms.clone();
            let transform = |mut values: Values| {
                self.transforms.apply_next(&mut values, &mut state).map(|()| values)
            };
            rows.push(self.inputs(index, sequence, transform).map_err(|error| match error {
                Error::Input { sequence, step, feature, got } => {
                    let step = step + session.next_step() - 1;
                    Error::Input { sequence, step, feature, got }
                }
                other => other,
            })?);
            transforms.push(state);
        }
        let states = gather(sessions);
        let mut pooled: Vec<Pooled> = sessions.iter().map(|s| s.pooled.clone()).collect();
        let (states, predictions) = self.run(&rows, &states, &mut pooled)?;
        scatter(&states, sessions);
        for ((session, pooled), transforms) in sessions.iter_mut().zip(pooled).zip(transforms) {
            (session.pooled, session.transforms) = (pooled, transforms);
        }
        Ok(predictions)
    }

    /// Runs the model over the inputs of the layers.
    fn run(
        &self,
        sequences: &[Vec<f32>],
        states: &States,
        pooled: &mut [Pooled],
    ) -> Result<(States, Vec<Vec<f32>>)> {
        let (features, input) =
            (self.layers.config.output_features(), self.layers.config.input_size);
        let lengths: Vec<usize> = sequences.iter().map(|rows| rows.len() / input).collect();
        let layout = PackedLayout::from_lengths(&lengths);
        let mut x = Vec::with_capacity(layout.rows() * input);
        for (sequence, step) in layout.positions() {
            x.extend_from_slice(&sequences[sequence][step * input..(step + 1) * input]);
        }
        let LayerOutputs { rows, states } = self.layers.run(&layout, x, states)?;
        add_rows(self.readout, &layout, &rows, pooled);
        let mut predictions = vec![vec![]; sequences.len()];
        if self.is_per_step() {
            let outputs = self.apply_head(&rows)?;
            for ((sequence, _), row) in layout.positions().zip(outputs.chunks_exact(self.outputs()))
            {
                predictions[sequence].extend_from_slice(row);
            }
        } else {
            let hidden = self.layers.final_hidden(&states);
            let mut read = vec![0.0; hidden.len()];
            let rows = read.chunks_exact_mut(features).zip(hidden.chunks_exact(features));
            for ((to, hidden), pooled) in rows.zip(pooled.iter()) {
                pooled.read(self.readout, hidden, to);
            }
            let outputs = self.apply_head(&read)?;
            predictions = outputs.chunks_exact(self.outputs()).map(<[f32]>::to_vec).collect();
        }
        for (index, prediction) in predictions.iter().enumerate() {
            check_prediction(index, prediction)?;
        }
        Ok((states, predictions))
    }

    fn apply_head(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let mut outputs = vec![0.0; rows.len() / self.head.input_size() * self.outputs()];
        self.head.forward(rows, &mut outputs)?;
        self.predictions.apply(&mut outputs);
        Ok(outputs)
    }

    /// Checks that the model reads features, that there is one sequence for each session, and that the sessions are of
    /// this model.
    pub(crate) fn check_sessions(&self, sessions: &[&mut Session], got: usize) -> Result<()> {
        if self.reads_tokens() {
            return Err(Error::InputKind { expected: "tokens", got: "features" });
        }
        if got != sessions.len() {
            return Err(Error::Sequences { expected: sessions.len(), got });
        }
        match sessions.iter().position(|session| session.fingerprint != self.fingerprint) {
            None => Ok(()),
            Some(index) => Err(Error::Session {
                expected: "a session of this model",
                got: format!("one of another model as session {}", index + 1),
            }),
        }
    }

    /// Returns the inputs of the layers for a sequence.
    fn inputs<T: Copy + Into<f64>>(
        &self,
        index: usize,
        sequence: &[T],
        transform: impl FnOnce(Values) -> ragged_transforms::Result<Values>,
    ) -> Result<Vec<f32>> {
        let mut values = Values::default();
        values.refill(sequence, self.features(), self.exact)?;
        let (values, mut inputs) = (transform(values)?, vec![]);
        push_inputs(index, &values, &mut inputs)?;
        Ok(inputs)
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

/// Rounds values to inputs of the layers, and appends them to `inputs` if all are finite.
pub(crate) fn push_inputs(index: usize, values: &Values, inputs: &mut Vec<f32>) -> Result<()> {
    let (start, features) = (inputs.len(), values.features());
    inputs.extend(values.as_slice().iter().map(|&value| value as f32));
    let Some(at) = inputs[start..].iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    let got = inputs[start + at];
    inputs.truncate(start);
    let (step, feature) = (at / features + 1, at % features + 1);
    Err(Error::Input { sequence: index + 1, step, feature, got })
}

pub(crate) fn check_prediction(index: usize, prediction: &[f32]) -> Result<()> {
    match prediction.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(&got) => Err(Error::Prediction { sequence: index + 1, got }),
    }
}
