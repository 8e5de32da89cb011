//! The trained model of a run: tests it on data and makes predictions.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use ragged_datasets::formats::{self, Format};
use ragged_datasets::tokens::TokenEncoder;
use ragged_datasets::transforms::{Pipeline, Transformed};
use ragged_datasets::{
    Collate, DataLoader, Dataset, Example, Forecast, ForecastConfig, InMemory, LoaderConfig,
    Sequence, Target, TargetKind,
};
use ragged_models::{Model, ModelConfig, ModelKind, ParameterShapes, Parameters, PreparedModel};

use crate::config::experiment_config::ExperimentConfig;
use crate::error::{Error, Result};
use crate::fit::non_finite::non_finite_sequences;
use crate::fit::step::evaluate;
use crate::objective::confusion_matrix::ConfusionMatrix;
use crate::objective::run_objective::RunObjective;
use crate::predict::batch::predict_batch;
use crate::predict::evaluation::{Confusion, Evaluation};
use crate::predict::predictions::{Prediction, Predictions};
use crate::run::checkpoint::{CheckpointInfo, load_checkpoint};
use crate::run::datasets::{self, AnyDataset};
use crate::run::forecast_data::input_format;
use crate::run::identity::RunIdentity;
use crate::run::input_check::check_inputs;
use crate::run::results::confusions;
use crate::run::run_dir::RunDir;
use crate::run::tagging::check_paths;
use crate::run::tokenizer::open_unchanged;
use crate::run::tokens::encode_tokens;

/// The model of a run with the parameters of its best epoch, or of its last epoch where there were no
/// validation data.
///
/// ```
/// use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};
///
/// let text = "[data.sums]\nnum_samples = 64\nseq_length = 5\n[train]\nepochs = 3\n";
/// let experiment = Experiment::new(ExperimentConfig::parse(text, &[])?)?;
/// let runs = tempfile::tempdir().unwrap();
/// let run = RunDir::next(runs.path(), "sums", &experiment.config().to_toml()?)?;
/// experiment.run(&run, &mut ())?;
///
/// let predictor = Predictor::open(run.path())?;
/// // The test data of the run: 1000 sequences.
/// assert_eq!(predictor.evaluate(None, None)?.examples, 1000);
/// // New sequences, from a file.
/// let input = runs.path().join("new.jsonl");
/// std::fs::write(&input, "{\"sequence\": [[1, 2, 3, 4, 5, 6, 7]], \"target\": 28}\n").unwrap();
/// assert_eq!(predictor.predict(&input)?.rows.len(), 1);
/// # Ok::<(), ragged_train::Error>(())
/// ```
pub struct Predictor {
    pub(super) config: ExperimentConfig,
    pub(super) info: CheckpointInfo,
    /// The vocabularies of the checkpoint.
    encoder: Arc<TokenEncoder>,
    model: PreparedModel,
    /// The parameters of the model, which share its memory.
    pub(super) parameters: Parameters,
    objective: RunObjective,
    /// The size of the beam with which lists of labels are decoded.
    beam: usize,
}

impl Predictor {
    /// Reads the configuration and the checkpoint of a run.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] for a directory that is not that of a run, [`Error::Io`] and
    /// [`Error::Checkpoint`] for a checkpoint that is missing or damaged, [`Error::InFile`] for one
    /// whose tensors do not fit its model, [`Error::RunChanged`] if the section of its forecasts or its tokenizer has
    /// changed.
    pub fn open(path: &Path) -> Result<Self> {
        let run = RunDir::open(path)?;
        let mut config = ExperimentConfig::parse(&run.read_config()?, &[])
            .map_err(Error::in_file(&run.config()))?;
        config.data.index = Some(run.indexes());
        let path = if config.validates() { run.best() } else { run.last() };
        let checkpoint = load_checkpoint(&path)?;
        check_reading(&config, &checkpoint.info.identity, &path)?;
        let tokenizer = checkpoint.info.identity.data.tokenizer.as_deref();
        open_unchanged(&mut config.data, &run, tokenizer)?;
        let fits = Error::in_file::<ragged_models::Error>(&path);
        let shapes = ParameterShapes::of(&checkpoint.info.model).map_err(&fits)?;
        shapes.check(checkpoint.weights()).map_err(&fits)?;
        let parameters = Parameters::new(0);
        let vb = parameters.builder(DType::F32, &Device::Cpu);
        let model = Model::new(&checkpoint.info.model, vb).map_err(&fits)?;
        parameters.load_state_dict(checkpoint.weights()).map_err(&fits)?;
        let model = model.prepare().map_err(&fits)?;
        drop(fits);
        let encoder = Arc::new(checkpoint.info.tokens.clone());
        let info = checkpoint.info;
        let objective = info.objective(model.crf()).map_err(Error::in_file(&path))?;
        Ok(Self { config, info, encoder, model, parameters, objective, beam: 1 })
    }

    /// Returns the predictor with a beam search for lists of labels, of this many hypotheses. Default 1: the labels of
    /// the best alignment, which the metrics of an evaluation have in any case. Other predictions do not depend on it.
    #[must_use]
    pub fn with_beam(self, beam: usize) -> Self {
        Self { beam, ..self }
    }

    /// Returns the kind of targets, with the names of classes.
    pub fn targets(&self) -> &TargetKind {
        &self.info.schema.targets
    }

    /// Returns the model, for streams and for inputs that are tensors. Its inputs are features to which the
    /// [`transforms`](Self::transforms) have been applied; its outputs become predictions by
    /// [`RunObjective::outputs`].
    pub fn model(&self) -> &PreparedModel {
        &self.model
    }

    /// Returns the transforms that were fitted to the training data.
    pub fn transforms(&self) -> &Pipeline {
        &self.info.transforms
    }

    /// Returns the vocabularies of tokens that were fitted to the training data.
    pub fn tokens(&self) -> &TokenEncoder {
        &self.encoder
    }

    /// Returns the loss that was minimised and how predictions follow from the outputs of the model.
    pub fn objective(&self) -> &RunObjective {
        &self.objective
    }

    /// Returns the options of the forecasts that the model makes. `None` if it predicts other targets.
    pub fn forecast(&self) -> Option<&ForecastConfig> {
        self.config.data.forecast.as_ref()
    }

    /// Returns the epoch from which the parameters are.
    pub fn epoch(&self) -> usize {
        self.info.epoch()
    }

    /// Tests the model: on the test data of the run, or on `dataset`, which is the name of a data set
    /// or the path of a file or directory, of which all examples are used. `data_dir` replaces the
    /// directory in the configuration.
    ///
    /// # Errors
    ///
    /// Errors of the data; [`Error::Features`] and [`Error::Targets`] for data with other features or
    /// targets than the training data.
    pub fn evaluate(&self, dataset: Option<&str>, data_dir: Option<&Path>) -> Result<Evaluation> {
        let mut section = self.config.data.clone();
        if let Some(dir) = data_dir {
            section.dir = dir.to_path_buf();
        }
        let (kind, seed) = (self.targets(), self.config.seed);
        let schema = &self.info.schema;
        let data = match dataset {
            None => datasets::test_data(&section, seed, schema, &self.info.identity.data)?,
            Some(name) => datasets::other_data(&section, name, seed, schema)?,
        };
        if data.target_kind() != kind {
            let (expected, got) = (kind.clone(), data.target_kind().clone());
            return Err(Error::Targets { expected, got });
        }
        let (examples, mut notes) = (data.len(), data.notes().to_vec());
        let objective = &self.objective;
        if let Some(crf) = self.model.crf() {
            check_paths(&data, crf.constraints(), "the data")?;
        }
        let data = self.transformed(data, Some("test data"), &mut notes)?;
        let sum = evaluate(&self.model, &self.loader(data.clone())?, objective.loss())?;
        let metrics = sum.finish();
        if !metrics.loss.is_finite() {
            let sequences =
                non_finite_sequences(&self.model, data, &self.loader_config(), objective.loss())?;
            return Err(Error::NonFiniteTest { loss: metrics.loss, sequences });
        }
        let confusion = |(head, matrix, labels): (Option<&str>, &ConfusionMatrix, &[String])| {
            let (matrix, labels) = (matrix.clone(), labels.to_vec());
            Confusion { head: head.map(String::from), matrix, labels }
        };
        Ok(Evaluation {
            metrics,
            confusions: confusions(&sum, kind).map(confusion).collect(),
            examples,
            epoch: self.epoch(),
            notes,
        })
    }

    /// Makes a prediction for every sequence of a file or directory, in its order. Targets in it are
    /// ignored. For a [forecast](Self::forecast), the prediction is for the steps after the end of each series, which
    /// is its last step with a target.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] with line and column for a file that cannot be read; [`Error::InFile`] for other
    /// features than in the training data, and with the first sequence whose prediction is not finite.
    pub fn predict(&self, input: &Path) -> Result<Predictions> {
        let data = datasets::input_data(input, &self.config.data, &self.info.schema)?;
        self.predict_dataset(data, Some("file")).map_err(Error::in_file(input))
    }

    /// Makes a prediction for every sequence of a file in memory, as [`predict`](Self::predict).
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict), without a path.
    ///
    /// ```
    /// # use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};
    /// use ragged_datasets::formats::Format;
    ///
    /// # let text = "[data.sums]\nnum_samples = 64\nseq_length = 5\ninput_size = 2\n[train]\nepochs = 1\n";
    /// # let experiment = Experiment::new(ExperimentConfig::parse(text, &[])?)?;
    /// # let runs = tempfile::tempdir().unwrap();
    /// # let run = RunDir::next(runs.path(), "sums", &experiment.config().to_toml()?)?;
    /// # experiment.run(&run, &mut ())?;
    /// let predictor = Predictor::open(run.path())?;
    /// let request = br#"{"id": "a", "sequence": [[1, 2], [3, 4]]}"#;
    /// let predictions = predictor.predict_bytes(request, Format::JsonLines)?;
    /// assert_eq!(predictions.rows[0].id.as_deref(), Some("a"));
    /// # Ok::<(), ragged_train::Error>(())
    /// ```
    pub fn predict_bytes(&self, bytes: &[u8], format: Format) -> Result<Predictions> {
        let (read, schema) = input_format(&self.config.data, &self.info.schema);
        let data = formats::parse(bytes, format, &read, Some(&schema))?;
        self.predict_dataset(data, None)
    }

    /// Makes a prediction for each sequence. `ids` are their names, which the predictions keep.
    ///
    /// # Errors
    ///
    /// [`Error::Features`] or [`Error::Data`] for sequences with another number of features than the training data, or
    /// a wrong number of names; [`Error::Input`] for a value that is not finite after the transforms.
    ///
    /// ```
    /// # use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};
    /// use ragged_datasets::Sequence;
    ///
    /// # let text = "[data.sums]\nnum_samples = 64\nseq_length = 5\ninput_size = 2\n[train]\nepochs = 1\n";
    /// # let experiment = Experiment::new(ExperimentConfig::parse(text, &[])?)?;
    /// # let runs = tempfile::tempdir().unwrap();
    /// # let run = RunDir::next(runs.path(), "sums", &experiment.config().to_toml()?)?;
    /// # experiment.run(&run, &mut ())?;
    /// let predictor = Predictor::open(run.path())?;
    /// // Two steps of two features.
    /// let sequence = Sequence::new(vec![1.0, 2.0, 3.0, 4.0], 2)?;
    /// let predictions = predictor.predict_sequences(&[sequence], Some(vec!["a".into()]))?;
    /// assert_eq!(predictions.rows[0].id.as_deref(), Some("a"));
    /// # Ok::<(), ragged_train::Error>(())
    /// ```
    pub fn predict_sequences(
        &self,
        sequences: &[Sequence],
        ids: Option<Vec<String>>,
    ) -> Result<Predictions> {
        if sequences.is_empty() {
            return Ok(self.predictions(vec![], vec![]));
        }
        let times = self.config.data.read.repeat.map_or(1, |times| times.get().into());
        let example = |sequence: &Sequence| {
            Example::new(sequence.clone().repeat_steps(times), Target::Values(vec![]))
        };
        let examples = sequences.iter().map(example).collect();
        let mut data = InMemory::new(examples, TargetKind::NONE)?.with_ids(ids)?;
        if self.forecast().is_some() {
            // The columns of a forecast have roles by their names.
            let (got, expected) = (data.features(), self.info.transforms.features() - 1);
            if got != expected {
                return Err(Error::Features { expected, got });
            }
            let (_, schema) = input_format(&self.config.data, &self.info.schema);
            data = data.with_feature_names(schema.features)?;
        }
        self.predict_dataset(data, None)
    }

    /// `part` names the data in a note on tokens that are unknown.
    fn predict_dataset(&self, data: InMemory, part: Option<&str>) -> Result<Predictions> {
        let (data, future): (AnyDataset, _) = match self.forecast() {
            None => (Arc::new(data), None),
            Some(config) => {
                let future = Arc::new(Forecast::future(data, config)?);
                (future.clone(), Some(future))
            }
        };
        let mut notes = data.notes().to_vec();
        let ids: Vec<_> = (0..data.len()).map(|index| data.id(index).map(str::to_string)).collect();
        let loader = self.loader(self.transformed(data, part, &mut notes)?)?;
        let mut rows = vec![];
        for batch in loader.epoch(0) {
            predict_batch(
                &self.model,
                &self.info.outputs,
                self.targets(),
                self.beam,
                &batch?,
                &mut rows,
            )?;
        }
        let bad = |p: &Prediction| !p.values.iter().flatten().all(|value| value.is_finite());
        if let Some(index) = rows.iter().position(bad) {
            return Err(Error::NonFinitePrediction { sequence: index + 1 });
        }
        for (row, id) in rows.iter_mut().zip(ids) {
            row.id = id;
        }
        for (index, row) in rows.iter_mut().enumerate() {
            let Some(future) = &future else { break };
            let wide = |step: Vec<f32>| step.into_iter().map(f64::from).collect();
            row.history = future.history(index)?.into_iter().map(wide).collect();
            row.values.drain(..row.history.len());
        }
        let names = future.map(|future| future.target_names());
        Ok(Predictions { names: names.unwrap_or_default(), ..self.predictions(rows, notes) })
    }

    fn predictions(&self, rows: Vec<Prediction>, notes: Vec<String>) -> Predictions {
        let (targets, kind) = (self.targets().clone(), self.info.outputs.kind.clone());
        Predictions { targets, kind, names: vec![], first: 1, rows, notes }
    }

    /// Returns the data with the transforms and vocabularies of the training data. `part` names the data in a note on
    /// tokens that are unknown.
    fn transformed(
        &self,
        data: AnyDataset,
        part: Option<&str>,
        notes: &mut Vec<String>,
    ) -> Result<AnyDataset> {
        let data: AnyDataset = Arc::new(Transformed::new(data, self.info.transforms.clone())?);
        let ModelConfig { tokens, layer, .. } = &self.info.model;
        let expected = tokens.as_ref().map_or(layer.input_size, |tokens| tokens.num_values);
        let got = data.features();
        if got != expected {
            return Err(Error::Features { expected, got });
        }
        let data = encode_tokens(data, &self.encoder, part, notes)?;
        check_inputs(&[(None, &data)])?;
        Ok(data)
    }

    /// Returns transformed data in batches, in order.
    fn loader(&self, data: AnyDataset) -> Result<DataLoader<AnyDataset>> {
        Ok(DataLoader::new(data, self.loader_config())?)
    }

    fn loader_config(&self) -> LoaderConfig {
        let collate = match self.info.model.kind {
            ModelKind::Fixed => Collate::Padded,
            ModelKind::Variable => Collate::Packed,
        };
        // The batches of the test at the end of the run, so that the result is the same bit for bit.
        let batching = self.config.train.batching();
        LoaderConfig { collate, batching, ..LoaderConfig::new(1) }
    }
}

/// The keys that say how texts are divided.
const TEXTS: [&str; 2] = ["data.read.tokenizer", "data.read.special_tokens"];

/// Checks that forecasts are made and texts are divided as in the training: how they are is part of the configuration
/// only.
fn check_reading(config: &ExperimentConfig, identity: &RunIdentity, path: &Path) -> Result<()> {
    let mut differences = identity.differences(&RunIdentity::of(config, &identity.data)?);
    let matters = |name: &str| name.starts_with("data.forecast.") || TEXTS.contains(&name);
    differences.retain(|difference| matters(&difference.name));
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::RunChanged { path: path.to_path_buf(), differences })
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (config, info) = (&self.config, &self.info);
        f.debug_struct("Predictor")
            .field("config", config)
            .field("info", info)
            .finish_non_exhaustive()
    }
}
