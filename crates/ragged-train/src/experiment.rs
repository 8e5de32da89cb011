//! A whole run from a configuration: data, model, training, test, run directory.

use std::time::Instant;

use candle_core::{DType, Device};
use ragged_datasets::{
    Collate, DataLoader, Dataset, LoaderConfig, Sampler, Strata, TargetKind, Weights,
};
use ragged_models::{Model, ModelConfig, ModelKind, Parameters, Readout};

use crate::checkpoint::{Checkpoint, load_checkpoint};
use crate::data::{AnyDataset, Datasets};
use crate::recorder::{Recorder, Subject};
use crate::{
    Ending, Error, ExperimentConfig, Loss, MetricSum, Observer, Order, Progress, Result, RunDir,
    Summary, Trainer, evaluate, plot,
};

/// A run that is set up: at its start, or where a checkpoint left it.
pub struct Experiment {
    config: ExperimentConfig,
    data: Datasets,
    model_config: ModelConfig,
    model: Model,
    parameters: Parameters,
    from: Option<Checkpoint>,
}

/// How [`Experiment::run`] ended.
#[derive(Debug)]
pub enum Outcome {
    /// At its end: the result.
    Finished(Box<Summary>),
    /// Where an observer asked it to; the last checkpoint knows the place.
    Interrupted(Box<Progress>),
}

/// A run that [`Experiment::resume`] has found.
pub struct Resumed {
    /// Goes on where the checkpoint left it.
    pub experiment: Experiment,
    /// Checkpoints that were passed over because they are damaged.
    pub damaged: Vec<Error>,
}

impl Experiment {
    /// Opens the data and builds the model.
    ///
    /// # Errors
    ///
    /// Those of the data and the model; whatever can be found wrong before training is found here.
    pub fn new(config: ExperimentConfig) -> Result<Self> {
        let data = Datasets::open(&config.data, config.seed)?;
        let model_config = config.model_config(data.train.features(), data.targets());
        let parameters = Parameters::new(config.seed);
        let model = Model::new(&model_config, parameters.builder(DType::F32, &Device::Cpu))?;
        let experiment = Self { config, data, model_config, model, parameters, from: None };
        experiment.check_readout()?;
        experiment.check_lengths()?;
        // What the loaders and the trainer would refuse is refused before a folder is made.
        experiment.train_loader()?;
        experiment.trainer()?;
        Ok(experiment)
    }

    /// Takes up a run from its last whole checkpoint, or from its start where there is none yet.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a folder that is no run's, or whose checkpoint belongs to another model or
    /// data.
    pub fn resume(run: &RunDir) -> Result<Resumed> {
        let config = ExperimentConfig::parse(&run.read_config()?, &[])
            .map_err(|error| Error::file(&run.config(), error))?;
        let mut experiment = Self::new(config)?;
        let mut damaged = vec![];
        for path in [run.last(), run.previous(), run.best()] {
            if !path.exists() {
                continue;
            }
            match load_checkpoint(&path) {
                Ok(checkpoint) => {
                    let misfit = |reason: String| Error::file(&path, reason);
                    if checkpoint.info.targets != *experiment.data.targets() {
                        return Err(misfit("was trained for other targets than the data's".into()));
                    }
                    experiment.from = Some(checkpoint);
                    experiment.trainer().map_err(|error| misfit(error.to_string()))?;
                    break;
                }
                Err(error) => damaged.push(error),
            }
        }
        Ok(Resumed { experiment, damaged })
    }

    /// Where the run goes on, if not at its start.
    pub fn position(&self) -> Option<&Progress> {
        self.from.as_ref().map(|checkpoint| &checkpoint.info.progress)
    }

    /// The resolved configuration.
    pub fn config(&self) -> &ExperimentConfig {
        &self.config
    }

    /// The parameters by name.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What is trained, in a line.
    pub fn describe(&self) -> String {
        let layer = &self.model_config.layer;
        format!(
            "{} {} ({} parameters, {} -> {}{} -> {}) on {}, {} training sequences",
            match self.model_config.kind {
                ModelKind::Fixed => "fixed-length",
                ModelKind::Variable => "variable-length",
            },
            format!("{:?}", self.model_config.cell).to_uppercase(),
            self.parameters.count(),
            layer.input_size,
            layer.hidden_size,
            if layer.bidirectional { " x 2 directions" } else { "" },
            self.model_config.output_size,
            self.config.data.dataset,
            self.data.train.len(),
        )
    }

    /// Trains from where the run stands, tests the best epoch (the last where nothing is held out
    /// for validation), and leaves everything in `run`.
    ///
    /// # Errors
    ///
    /// Those of training; what was written before stays in the run's folder.
    pub fn run(&self, run: &RunDir, observer: &mut dyn Observer) -> Result<Outcome> {
        let start = Instant::now();
        let _lock = run.lock()?;
        let (train, valid) = (self.train_loader()?, self.valid_loader()?);
        let mut trainer = self.trainer()?;
        let subject = Subject {
            run,
            model: &self.model_config,
            targets: self.data.targets(),
            transforms: &self.data.transforms,
            parameters: &self.parameters,
            monitor: self.config.train.monitor,
            rule: &self.config.checkpoint,
        };
        let from = self.from.as_ref().map(|checkpoint| &checkpoint.info);
        let mut recorder = Recorder::new(subject, from, observer)?;
        let ending = trainer.fit(&train, valid.as_ref(), &mut recorder)?;
        recorder.finish(&trainer.state())?;
        if ending == Ending::Interrupted {
            return Ok(Outcome::Interrupted(Box::new(trainer.progress)));
        }
        let best = recorder.ranking().best().unwrap_or(trainer.progress.epoch);
        let path = if self.config.validates() { run.best() } else { run.last() };
        let checkpoint = load_checkpoint(&path)?;
        self.parameters.load_state_dict(checkpoint.weights())?;
        let test = self.loader(self.data.test.clone(), Sampler::Sequential)?;
        let tested = evaluate(&self.model, &test, self.loss())?;
        self.draw(run, best, &tested)?;
        let summary = Summary {
            name: self.config.name.clone(),
            trained: self.describe(),
            epoch: checkpoint.info.record.as_ref().map_or(0, |record| record.epoch),
            test: tested.finish(),
            test_examples: self.data.test.len(),
            parameters: self.parameters.count(),
            epochs: trainer.progress.epoch,
            updates: trainer.progress.updates,
            seconds: start.elapsed().as_secs_f64(),
        };
        run.write_summary(&summary)?;
        Ok(Outcome::Finished(Box::new(summary)))
    }

    /// The pictures and tables of a run at its end.
    fn draw(&self, run: &RunDir, best: usize, tested: &MetricSum) -> Result<()> {
        let failed = |error: Box<dyn std::error::Error>| Error::file(run.path(), error);
        let title = format!("{}: loss over the epochs", self.config.name);
        let unit = match self.loss() {
            Loss::Mse => "mean squared error",
            Loss::CrossEntropy => "cross-entropy in nats",
        };
        let records = run.read_metrics()?;
        run.write("loss.svg", &plot::losses(&title, unit, &records, best).map_err(failed)?)?;
        if let (Some(confusion), Some(labels)) = (tested.confusion(), self.data.targets().labels())
        {
            run.write("confusion.txt", &confusion.table(labels))?;
            let title = format!("{}: test data", self.config.name);
            let svg = plot::confusion(&title, labels, confusion).map_err(failed)?;
            run.write("confusion.svg", &svg)?;
        }
        Ok(())
    }

    fn loss(&self) -> Loss {
        Loss::for_targets(self.data.targets())
    }

    /// A trainer where the run stands; the parameters are what they were then.
    pub(crate) fn trainer(&self) -> Result<Trainer<'_>> {
        let (config, seed) = (self.config.train.clone(), self.config.seed);
        let named = self.parameters.named();
        let mut trainer = Trainer::new(&self.model, named, self.loss(), config, seed)?;
        if let Some(Checkpoint { info, parameters, ema, optimizer, carried }) = &self.from {
            self.parameters.load_state_dict(parameters)?;
            trainer.optimizer.load_state_dict(optimizer)?;
            if let Some(average) = &mut trainer.ema {
                average.load_state_dict(ema)?;
            }
            trainer.progress = info.progress.clone();
            trainer.carried = carried.clone();
        }
        Ok(trainer)
    }

    /// The training examples in batches.
    ///
    /// # Errors
    ///
    /// Those of the data set.
    pub fn train_loader(&self) -> Result<DataLoader<AnyDataset>> {
        let seed = self.config.seed;
        let overfit = self.config.train.overfit_batches > 0;
        let train = &self.data.train;
        let sampler = match self.config.data.order {
            _ if overfit => Sampler::Sequential,
            Order::Shuffle => Sampler::Shuffle { seed },
            Order::Balanced => Sampler::Weighted { weights: Weights::balanced(train)?, seed },
            Order::Stratified => Sampler::Stratified { strata: Strata::of(train)?, seed },
        };
        let mut config = self.loader_config(sampler);
        let bucket = self.config.data.bucket_size;
        config.bucket_size = (bucket > 0 && !overfit).then_some(bucket);
        Ok(DataLoader::new(train.clone(), config)?)
    }

    /// The validation examples in batches, if there are any.
    ///
    /// # Errors
    ///
    /// Those of the data set.
    pub fn valid_loader(&self) -> Result<Option<DataLoader<AnyDataset>>> {
        let valid = self.data.valid.as_ref().filter(|_| self.config.validates());
        valid.map(|data| self.loader(data.clone(), Sampler::Sequential)).transpose()
    }

    fn loader(&self, data: AnyDataset, sampler: Sampler) -> Result<DataLoader<AnyDataset>> {
        Ok(DataLoader::new(data, self.loader_config(sampler))?)
    }

    fn loader_config(&self, sampler: Sampler) -> LoaderConfig {
        let collate = match self.model_config.kind {
            ModelKind::Fixed => Collate::Padded,
            ModelKind::Variable => Collate::Packed,
        };
        let (batching, workers) = (self.config.train.batching(), self.config.data.workers);
        LoaderConfig { batching, sampler, collate, workers, ..LoaderConfig::new(1) }
    }

    /// A target a step needs a prediction a step of packed rows, any other one a sequence.
    fn check_readout(&self) -> Result<()> {
        let targets = self.data.targets();
        let a_step = matches!(targets, TargetKind::StepClasses(_) | TargetKind::StepValues(_));
        let ModelConfig { kind, readout, ref layer, .. } = self.model_config;
        if a_step != (readout == Readout::Steps) {
            let (targets, expected) =
                if a_step { ("step", "steps") } else { ("sequence", "any but steps") };
            let message = format!(
                "model.readout is {}, but there is a target a {targets}: expected {expected}",
                format!("{readout:?}").to_lowercase()
            );
            return Err(Error::contradiction("model.readout", message));
        }
        if a_step && kind == ModelKind::Fixed {
            let message = "model.kind is fixed, but there is a target a step: expected variable";
            return Err(Error::contradiction("model.kind", message));
        }
        if self.config.train.bptt_steps > 0 && (kind == ModelKind::Fixed || layer.bidirectional) {
            let message =
                "train.bptt_steps is given: expected model.kind variable, in one direction";
            return Err(Error::contradiction("train.bptt_steps", message));
        }
        Ok(())
    }

    /// The fixed-length model reads the last step of a batch, so lengths must not vary: better said
    /// now than in the middle of an epoch.
    fn check_lengths(&self) -> Result<()> {
        if self.model_config.kind == ModelKind::Variable || self.config.data.is_sums() {
            let varies = self.config.data.dataset == "variable-sums";
            if varies && self.model_config.kind == ModelKind::Fixed {
                let message = "model.kind is fixed, but the lengths of variable-sums vary: \
                               expected kind variable, or dataset fixed-sums";
                return Err(Error::contradiction("model.kind", message));
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
                    let message = format!(
                        "model.kind is fixed, but {} has sequences of length {expected} and \
                         {length}: expected kind variable",
                        self.config.data.dataset
                    );
                    return Err(Error::contradiction("model.kind", message));
                }
            }
        }
        Ok(())
    }
}
