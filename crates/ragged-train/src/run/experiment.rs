//! A whole run from its configuration: data, model, training, test, run directory.

use candle_core::{DType, Device};
use ragged_datasets::formats::Column;
use ragged_datasets::{DataLoader, Dataset, LoaderConfig, Sampler};
use ragged_models::{Model, ModelConfig, ModelKind, Parameters};

use crate::config::experiment_config::ExperimentConfig;
use crate::error::{Error, Result};
use crate::fit::progress::Progress;
use crate::fit::trainer::Trainer;
use crate::objective::run_objective::RunObjective;
use crate::run::checkpoint::{Checkpoint, load_checkpoint};
use crate::run::compatibility::{check_checkpoint, check_model};
use crate::run::datasets::{AnyDataset, Datasets};
use crate::run::difference::{Difference, ForcedResume};
use crate::run::identity::RunIdentity;
use crate::run::loaders::{largest_batch, loader_config, train_loader};
use crate::run::memory_check::{check_memory, estimate_memory};
use crate::run::memory_estimate::MemoryEstimate;
use crate::run::metrics_file::first_damaged_line;
use crate::run::objective::resolve_objective;
use crate::run::run_dir::RunDir;
use crate::run::small_data::{advice, resolve_batch_size};
use crate::run::tokenizer::{changed_file, open_copy, open_tokenizer};
use crate::run::transcription::transcription_notes;
use crate::run::word_vectors::load_word_vectors;

/// A run that is set up, at its start or at a checkpoint.
///
/// ```
/// use ragged_train::run::RunOutcome;
/// use ragged_train::{Experiment, ExperimentConfig, RunDir};
///
/// let text = "[data.sums]\nnum_samples = 64\nseq_length = 5\n[train]\nepochs = 3\n";
/// let experiment = Experiment::new(ExperimentConfig::parse(text, &[])?)?;
/// let runs = tempfile::tempdir().unwrap();
/// let run = RunDir::next(runs.path(), "sums", &experiment.config().to_toml()?)?;
/// let RunOutcome::Finished(summary) = experiment.run(&run, &mut ())? else {
///     panic!("no observer interrupts this run");
/// };
/// assert_eq!((summary.epochs, run.read_metrics()?.len()), (3, 3));
/// # Ok::<(), ragged_train::Error>(())
/// ```
pub struct Experiment {
    pub(super) config: ExperimentConfig,
    pub(super) data: Datasets,
    pub(super) objective: RunObjective,
    pub(super) model_config: ModelConfig,
    pub(super) model: Model,
    pub(super) parameters: Parameters,
    pub(super) identity: RunIdentity,
    pub(super) from: Option<Checkpoint>,
    /// The times that the run was resumed although something had changed.
    pub(super) forced: Vec<ForcedResume>,
}

/// The result of [`Experiment::resume`].
#[derive(Debug)]
pub struct Resumed {
    /// The run at its last undamaged checkpoint.
    pub experiment: Experiment,
    /// Errors of the checkpoints that were skipped because they are damaged.
    pub damaged: Vec<Error>,
    /// What has changed since the checkpoint, where the run was forced to go on.
    pub differences: Vec<Difference>,
    /// The first line of `metrics.jsonl`, from 1, that is not the one of the checkpoint. The file is then
    /// written anew.
    pub damaged_metrics: Option<usize>,
}

impl Experiment {
    /// Opens the data and builds the model.
    ///
    /// # Errors
    ///
    /// Errors of the configuration, the data and the model. Everything that can be checked before
    /// training is checked here.
    pub fn new(config: ExperimentConfig) -> Result<Self> {
        let mut experiment = Self::build(config)?;
        experiment.load_word_vectors()?;
        Ok(experiment)
    }

    /// Opens the data and builds the model with random parameters.
    fn build(mut config: ExperimentConfig) -> Result<Self> {
        open_tokenizer(&mut config.data)?;
        let characters = config.model.characters.is_some();
        let mut data = Datasets::open_with(&config.data, characters, config.seed)?;
        resolve_batch_size(&mut config, &data);
        data.notes.extend(advice(&config, &data));
        data.notes.extend(transcription_notes(&data)?);
        let objective = resolve_objective(&mut config, &data)?;
        let model_config = config.model_config(
            data.train.features(),
            &data.encoder,
            data.targets(),
            objective.num_outputs(data.targets()),
        );
        let identity = RunIdentity::of(&config, &data.fingerprints)?;
        model_config.validate()?;
        check_memory(estimate_memory(
            &config,
            &model_config,
            largest_batch(&config, &data, &model_config)?,
        )?)?;
        let parameters = Parameters::new(config.seed);
        let model = Model::new(&model_config, parameters.builder(DType::F32, &Device::Cpu))?
            .with_recompute(config.train.recompute);
        let objective = objective.with_crf(model.crf());
        let experiment = Self {
            config,
            data,
            objective,
            model_config,
            model,
            parameters,
            identity,
            from: None,
            forced: vec![],
        };
        check_model(&experiment.config, &experiment.data, &experiment.model_config)?;
        // Errors of the loaders and of the trainer must come before a directory is created.
        experiment.train_loader()?;
        experiment.trainer()?;
        Ok(experiment)
    }

    /// Loads a run at its last undamaged checkpoint, or at its start where there is none yet.
    ///
    /// # Errors
    ///
    /// [`Error::RunChanged`] if the configuration, the data or the arithmetic of the kernels have changed since
    /// the checkpoint in a way that changes results; [`Error::InFile`] for a configuration that is wrong and
    /// for a checkpoint of another model, [`Error::Checkpoint`] for a checkpoint of other targets or features;
    /// [`Error::NoCheckpoint`] if all checkpoints are damaged. Nothing is changed then.
    pub fn resume(run: &RunDir) -> Result<Resumed> {
        Self::load(run, false)
    }

    /// Loads a run as [`resume`](Self::resume), but goes on although something has changed. The changes
    /// are recorded in the later checkpoints and in the summary.
    ///
    /// # Errors
    ///
    /// Those of [`resume`](Self::resume), without [`Error::RunChanged`].
    pub fn resume_changed(run: &RunDir) -> Result<Resumed> {
        Self::load(run, true)
    }

    fn load(run: &RunDir, force: bool) -> Result<Resumed> {
        let mut config = ExperimentConfig::parse(&run.read_config()?, &[])
            .map_err(Error::in_file(&run.config()))?;
        open_copy(&mut config.data, run)?;
        config.data.index = Some(run.indexes());
        let mut experiment = Self::build(config)?;
        let changed = changed_file(&experiment.config.data);
        let (mut damaged, mut differences) = (vec![], vec![]);
        for path in [run.last(), run.previous(), run.best()] {
            if !path.exists() {
                continue;
            }
            match load_checkpoint(&path) {
                Ok(checkpoint) => {
                    let (data, identity) = (&experiment.data, &experiment.identity);
                    let info = &checkpoint.info;
                    differences = check_checkpoint(data, identity, info, &path, changed, force)?;
                    experiment.forced.clone_from(&checkpoint.info.forced);
                    if !differences.is_empty() {
                        let updates = checkpoint.info.progress.updates;
                        let differences = differences.clone();
                        experiment.forced.push(ForcedResume { updates, differences });
                    }
                    experiment.from = Some(checkpoint);
                    experiment.trainer().map_err(Error::in_file(&path))?;
                    break;
                }
                Err(error) => damaged.push(error),
            }
        }
        if experiment.from.is_none() {
            experiment.load_word_vectors()?;
        }
        let damaged_metrics = match &experiment.from {
            Some(Checkpoint { info, .. }) => first_damaged_line(&run.metrics(), &info.records)?,
            None => None,
        };
        if experiment.from.is_none() && !damaged.is_empty() {
            return Err(Error::NoCheckpoint { path: run.path().to_path_buf(), damaged });
        }
        Ok(Resumed { experiment, damaged, differences, damaged_metrics })
    }

    /// Sets the embeddings to the word vectors of the configuration, if there are any.
    fn load_word_vectors(&mut self) -> Result<()> {
        let note = load_word_vectors(&self.config, &self.data.encoder, &self.parameters)?;
        self.data.notes.extend(note);
        Ok(())
    }

    /// Returns the position at which the run resumes, or `None` for its start.
    pub fn position(&self) -> Option<&Progress> {
        self.from.as_ref().map(|checkpoint| &checkpoint.info.progress)
    }

    /// Returns the resolved configuration.
    pub fn config(&self) -> &ExperimentConfig {
        &self.config
    }

    /// Returns notes on how the files of the data were read: what is predicted, and for instance columns that
    /// were left out.
    pub fn notes(&self) -> &[String] {
        &self.data.notes
    }

    /// Returns what the columns of the training file are read as; none for generated data.
    pub fn columns(&self) -> &[Column] {
        &self.data.columns
    }

    /// Returns what is minimised.
    pub fn objective(&self) -> &RunObjective {
        &self.objective
    }

    /// Returns the parameters by name.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns the model and the data in one line of text.
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
            self.model_config.num_outputs,
            self.config.data.dataset,
            self.data.train.len(),
        )
    }

    /// Returns a trainer at the position of the run, and sets the parameters to those of that position.
    pub(crate) fn trainer(&self) -> Result<Trainer<'_>> {
        let (config, seed) = (self.config.train.clone(), self.config.seed);
        let named = self.parameters.named();
        let mut trainer = Trainer::new(&self.model, named, self.objective.loss(), config, seed)?;
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

    /// Returns the training examples in batches.
    ///
    /// # Errors
    ///
    /// Errors of the data.
    pub fn train_loader(&self) -> Result<DataLoader<AnyDataset>> {
        train_loader(&self.config, &self.data, &self.model_config)
    }

    /// Estimates the memory that the tensors of the run take.
    ///
    /// # Errors
    ///
    /// Errors of the data.
    pub fn estimate_memory(&self) -> Result<MemoryEstimate> {
        let batch = largest_batch(&self.config, &self.data, &self.model_config)?;
        estimate_memory(&self.config, &self.model_config, batch)
    }

    /// Returns the validation examples in batches, if there are any.
    ///
    /// # Errors
    ///
    /// Errors of the data.
    pub fn valid_loader(&self) -> Result<Option<DataLoader<AnyDataset>>> {
        let valid = self.data.valid.as_ref().filter(|_| self.config.validates());
        valid.map(|data| self.loader(data.clone(), Sampler::Sequential)).transpose()
    }

    pub(super) fn loader(
        &self,
        data: AnyDataset,
        sampler: Sampler,
    ) -> Result<DataLoader<AnyDataset>> {
        Ok(DataLoader::new(data, LoaderConfig { sampler, ..self.loader_config() })?)
    }

    pub(super) fn loader_config(&self) -> LoaderConfig {
        loader_config(&self.config, &self.model_config, Sampler::Sequential)
    }
}

impl std::fmt::Debug for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiment")
            .field("config", &self.config)
            .field("data", &self.data)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
