//! What a run has trained, tested again.

use std::path::Path;

use ragged_datasets::{Dataset, Sampler};

use crate::{
    Confusion, Error, Experiment, ExperimentConfig, Metrics, Result, RunDir, evaluate,
    load_checkpoint,
};

/// What [`evaluate_run`] found.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The test metrics.
    pub metrics: Metrics,
    /// Which class was taken for which, and the labels of the classes, for classes.
    pub confusion: Option<(Confusion, Vec<String>)>,
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
    let mut config = ExperimentConfig::parse(&run.read_config()?, &[])
        .map_err(|error| Error::file(&run.config(), error))?;
    if let Some(dir) = data_dir {
        config.data.dir = dir.to_path_buf();
    }
    let experiment = Experiment::new(config)?;
    let path = experiment.tested(&run);
    let checkpoint = load_checkpoint(&path)?;
    let fits = |reason: String| Error::file(&path, reason);
    if checkpoint.info.targets != *experiment.data.targets() {
        return Err(fits("was trained for other targets than the data's".into()));
    }
    experiment
        .parameters
        .load_state_dict(checkpoint.weights())
        .map_err(|error| fits(error.to_string()))?;
    let data = experiment.data.test.clone();
    let examples = data.len();
    let test = experiment.loader(data, Sampler::Sequential)?;
    let sum = evaluate(&experiment.model, &test, experiment.loss())?;
    let labels = experiment.data.targets().labels().unwrap_or_default().to_vec();
    Ok(Evaluation {
        metrics: sum.finish(),
        confusion: sum.confusion().map(|confusion| (confusion.clone(), labels)),
        examples,
        epoch: checkpoint.info.record.map_or(0, |record| record.epoch),
    })
}
