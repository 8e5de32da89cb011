//! A run to serve, and the predictions of the runtime in the form of the trainer's.

use std::path::Path;

use ragged_runtime::{Model, softmax};
use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};

/// Trains in a folder on a file with this name and text, which takes the place of `DATASET` in the configuration.
pub(crate) fn train(
    folder: &Path,
    config: &str,
    (name, text): (&str, &str),
) -> Result<Predictor, String> {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    let config = config.replace("DATASET", &format!("{:?}", file.display().to_string()));
    let config = ExperimentConfig::parse(&config, &[]).map_err(|error| error.to_string())?;
    let experiment = Experiment::new(config).map_err(|error| error.to_string())?;
    let run = RunDir::create(&folder.join("run"), &experiment.config().to_toml().unwrap());
    let run = run.map_err(|error| error.to_string())?;
    experiment.run(&run, &mut ()).map_err(|error| error.to_string())?;
    Predictor::open(run.path()).map_err(|error| error.to_string())
}

/// The outputs as `ragged predict` gives them: probabilities of classes, or values.
pub(crate) fn as_predicted(model: &Model, outputs: &[f32]) -> Vec<Vec<f64>> {
    let rows = outputs.chunks_exact(model.outputs());
    rows.map(|row| match model.targets().labels() {
        Some(_) => softmax(row),
        None => row.iter().map(|&value| value.into()).collect(),
    })
    .collect()
}
