//! A whole run from a configuration: data, model, training, test, run directory.

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device};
use ragged_datasets::{Collate, DataLoader, Dataset, LoaderConfig, Sampler};
use ragged_models::{Model, ModelConfig, ModelKind, Parameters};

use crate::checkpoint::{CheckpointInfo, load_checkpoint, save_checkpoint};
use crate::data::{AnyDataset, Datasets};
use crate::{
    EpochRecord, Error, ExperimentConfig, Loss, Metrics, Observer, Optimizer, Result, RunDir,
    Summary, Trainer, evaluate,
};

/// A run that is set up but has not begun: nothing is written yet.
pub struct Experiment {
    config: ExperimentConfig,
    data: Datasets,
    model_config: ModelConfig,
    model: Model,
    parameters: Parameters,
}

impl Experiment {
    /// Opens the data and builds the model.
    ///
    /// # Errors
    ///
    /// Those of the data and the model; whatever can be found wrong before training is found here.
    pub fn new(config: ExperimentConfig) -> Result<Self> {
        let data = Datasets::open(&config.data, config.seed)?;
        let model_config = config.model.model(data.train.features(), data.targets().outputs());
        let parameters = Parameters::new(config.seed);
        let model = Model::new(&model_config, parameters.builder(DType::F32, &Device::Cpu))?;
        let experiment = Self { config, data, model_config, model, parameters };
        experiment.check_lengths()?;
        Ok(experiment)
    }

    /// What is trained, in a line.
    pub fn describe(&self) -> String {
        let layer = &self.model_config.layer;
        format!(
            "{} LSTM ({} parameters, {} -> {}{} -> {}) on {}, {} training sequences",
            match self.model_config.kind {
                ModelKind::Fixed => "fixed-length",
                ModelKind::Variable => "variable-length",
            },
            self.parameters.count(),
            layer.input_size,
            layer.hidden_size,
            if layer.bidirectional { " x 2 directions" } else { "" },
            self.model_config.output_size,
            self.config.data.dataset,
            self.data.train.len(),
        )
    }

    /// Trains, tests the best epoch (the last where nothing is held out for validation), and leaves
    /// everything in `run`.
    ///
    /// # Errors
    ///
    /// Those of training; what was written before stays in the run's folder.
    pub fn run(self, run: &RunDir, observer: &mut dyn Observer) -> Result<Summary> {
        let start = Instant::now();
        run.write_config(&self.config.to_toml()?)?;
        let loss = Loss::for_targets(self.data.targets());
        let shuffle = Sampler::Shuffle { seed: self.config.seed };
        let train = self.loader(self.data.train.clone(), shuffle)?;
        let valid = self.data.valid.clone();
        let valid = valid.map(|data| self.loader(data, Sampler::Sequential)).transpose()?;
        let test = self.loader(self.data.test.clone(), Sampler::Sequential)?;
        let train_config = self.config.train.clone();
        let optimizer = Optimizer::new(train_config.optimizer.clone(), self.parameters.named())?;
        let (seed, config) = (self.config.seed, train_config);
        let mut trainer = Trainer { model: &self.model, optimizer, loss, config, seed };
        let mut recorder = Recorder { experiment: &self, run, best: f64::INFINITY, observer };
        let last = trainer.fit(&train, valid.as_ref(), &mut recorder)?;

        let tested = if valid.is_some() { run.best() } else { run.last() };
        let checkpoint = load_checkpoint(&tested)?;
        self.parameters.load_state_dict(&checkpoint.parameters)?;
        let summary = Summary {
            name: self.config.name.clone(),
            trained: self.describe(),
            epoch: checkpoint.info.record.epoch,
            test: evaluate(&self.model, &test, loss)?,
            test_examples: self.data.test.len(),
            parameters: self.parameters.count(),
            updates: last.updates,
            seconds: start.elapsed().as_secs_f64(),
        };
        run.write_summary(&summary)?;
        Ok(summary)
    }

    fn loader(&self, data: AnyDataset, sampler: Sampler) -> Result<DataLoader<AnyDataset>> {
        loader(&self.model_config, data, sampler, self.config.train.batch_size)
    }

    /// The fixed-length model reads the last step of a batch, so lengths must not vary: better said
    /// now than in the middle of an epoch.
    fn check_lengths(&self) -> Result<()> {
        if self.model_config.kind == ModelKind::Variable || self.config.data.is_sums() {
            let varies = self.config.data.dataset == "variable-sums";
            if varies && self.model_config.kind == ModelKind::Fixed {
                let message = "model.kind is fixed, but the lengths of variable-sums vary: \
                               expected kind variable, or dataset fixed-sums";
                return Err(Error::Config(message.into()));
            }
            return Ok(());
        }
        let parts = [Some(&self.data.train), self.data.valid.as_ref(), Some(&self.data.test)];
        let mut first = None;
        for data in parts.into_iter().flatten() {
            for index in 0..data.len() {
                let length = data.get(0, index)?.sequence.len();
                let expected = *first.get_or_insert(length);
                if length != expected || length == 0 {
                    return Err(Error::Config(format!(
                        "model.kind is fixed, but {} has sequences of length {expected} and \
                         {length}: expected kind variable",
                        self.config.data.dataset
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Writes the run's files after every epoch, then lets the observer see it.
struct Recorder<'a> {
    experiment: &'a Experiment,
    run: &'a RunDir,
    best: f64,
    observer: &'a mut dyn Observer,
}

impl Observer for Recorder<'_> {
    fn batch(&mut self, epoch: usize, batch: usize, batches: usize, loss: f64) {
        self.observer.batch(epoch, batch, batches, loss);
    }

    fn epoch(&mut self, record: &EpochRecord, optimizer: &Optimizer) -> Result<()> {
        let info = CheckpointInfo {
            model: self.experiment.model_config.clone(),
            targets: self.experiment.data.targets().clone(),
            standardize: self.experiment.data.standardize.clone(),
            record: record.clone(),
        };
        let parameters = &self.experiment.parameters;
        let loss = record.held_out().loss;
        if loss < self.best {
            self.best = loss;
            save_checkpoint(&self.run.best(), &info, parameters, optimizer)?;
        }
        save_checkpoint(&self.run.last(), &info, parameters, optimizer)?;
        self.run.append(record)?;
        self.observer.epoch(record, optimizer)
    }
}

/// What [`evaluate_run`] found.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The test metrics.
    pub metrics: Metrics,
    /// Examples tested.
    pub examples: usize,
    /// The epoch of the parameters.
    pub epoch: usize,
}

/// Tests what a run has trained again: its best epoch where it had validation data, else its last.
///
/// `data_dir` stands in for the folder that the run's configuration names.
///
/// # Errors
///
/// [`Error::File`] for a folder that is no run's or a checkpoint that is damaged or of another shape.
pub fn evaluate_run(path: &Path, data_dir: Option<&Path>) -> Result<Evaluation> {
    let run = RunDir::open(path)?;
    let text = std::fs::read_to_string(run.config());
    let text = text.map_err(|error| Error::file(&run.config(), error))?;
    let mut config =
        ExperimentConfig::parse(&text, &[]).map_err(|error| Error::file(&run.config(), error))?;
    if let Some(dir) = data_dir {
        config.data.dir = dir.to_path_buf();
    }
    let experiment = Experiment::new(config)?;
    let best = experiment.data.valid.is_some();
    let path = if best { run.best() } else { run.last() };
    let checkpoint = load_checkpoint(&path)?;
    let fits = |reason: String| Error::file(&path, reason);
    if checkpoint.info.targets != *experiment.data.targets() {
        return Err(fits("was trained for other targets than the data's".into()));
    }
    experiment
        .parameters
        .load_state_dict(&checkpoint.parameters)
        .map_err(|error| fits(error.to_string()))?;
    let test = experiment.loader(experiment.data.test.clone(), Sampler::Sequential)?;
    let loss = Loss::for_targets(experiment.data.targets());
    Ok(Evaluation {
        metrics: evaluate(&experiment.model, &test, loss)?,
        examples: experiment.data.test.len(),
        epoch: checkpoint.info.record.epoch,
    })
}

fn loader(
    model: &ModelConfig,
    data: AnyDataset,
    sampler: Sampler,
    batch_size: usize,
) -> Result<DataLoader<AnyDataset>> {
    let collate = match model.kind {
        ModelKind::Fixed => Collate::Padded,
        ModelKind::Variable => Collate::Packed,
    };
    let config = LoaderConfig { sampler, collate, ..LoaderConfig::new(batch_size) };
    Ok(DataLoader::new(data, config)?)
}
