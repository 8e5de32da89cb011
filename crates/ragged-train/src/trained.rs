//! A model that a run has trained, to be used: tested on data, or asked for predictions.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use ragged_datasets::transforms::Transformed;
use ragged_datasets::{Batch, BatchInput, Collate, DataLoader, Dataset, LoaderConfig, TargetKind};
use ragged_models::{Mode, Model, ModelKind, Parameters};

use crate::data::{self, AnyDataset};
use crate::{
    CheckpointInfo, Confusion, Error, ExperimentConfig, Loss, Metrics, Prediction, Predictions,
    Result, RunDir, evaluate, load_checkpoint,
};

/// A run's model with the parameters of its best epoch (its last one where nothing was held out for
/// validation), and all that it takes to use it.
pub struct Trained {
    config: ExperimentConfig,
    info: CheckpointInfo,
    model: Model,
}

/// What [`Trained::evaluate`] found.
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

impl Trained {
    /// Reads a run's configuration and checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a folder that is no run's, or a checkpoint that is missing, damaged or of
    /// another shape than it says.
    pub fn open(path: &Path) -> Result<Self> {
        let run = RunDir::open(path)?;
        let config = ExperimentConfig::parse(&run.read_config()?, &[])
            .map_err(|error| Error::file(&run.config(), error))?;
        let path = if config.validates() { run.best() } else { run.last() };
        let checkpoint = load_checkpoint(&path)?;
        let fits = |error: ragged_models::Error| Error::file(&path, error);
        let parameters = Parameters::new(0);
        let vb = parameters.builder(DType::F32, &Device::Cpu);
        let model = Model::new(&checkpoint.info.model, vb).map_err(fits)?;
        parameters.load_state_dict(checkpoint.weights()).map_err(fits)?;
        Ok(Self { config, info: checkpoint.info, model })
    }

    /// What it predicts, with the names of classes.
    pub fn targets(&self) -> &TargetKind {
        &self.info.targets
    }

    /// Tests it: on the run's own test data, or on `dataset`, a set by name or the path of a file or
    /// folder, all of which is taken. `data_dir` stands in for the folder of the configuration.
    ///
    /// # Errors
    ///
    /// Those of the data, and [`Error::Data`] for data of other features or targets.
    pub fn evaluate(&self, dataset: Option<&str>, data_dir: Option<&Path>) -> Result<Evaluation> {
        let mut section = self.config.data.clone();
        if let Some(dir) = data_dir {
            section.dir = dir.to_path_buf();
        }
        let (kind, seed) = (self.targets(), self.config.seed);
        let data = match dataset {
            None => data::test_data(&section, seed, kind)?,
            Some(name) => data::other_data(&section, name, seed, kind)?,
        };
        if data.target_kind() != kind {
            let expected = format!("{} outputs of the run's kind", kind.outputs());
            let got = format!("{} outputs", data.target_kind().outputs());
            return Err(Error::Batch { name: "targets of the data", expected, got });
        }
        let examples = data.len();
        let loss = Loss::for_targets(kind);
        let sum = evaluate(&self.model, &self.loader(data)?, loss)?;
        let labels = kind.labels().unwrap_or_default().to_vec();
        Ok(Evaluation {
            metrics: sum.finish(),
            confusion: sum.confusion().map(|confusion| (confusion.clone(), labels)),
            examples,
            epoch: self.info.record.as_ref().map_or(0, |record| record.epoch),
        })
    }

    /// Predicts for every sequence of a file or folder, in its order; targets in it are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] with line and column for a file that cannot be read; [`Error::File`] names the
    /// first sequence for which there is no prediction.
    pub fn predict(&self, input: &Path) -> Result<Predictions> {
        let data = data::input_data(input, &self.config.data.read)?;
        let loader = self.loader(data).map_err(|error| Error::file(input, error))?;
        let mut rows = vec![];
        for batch in loader.epoch(0) {
            let batch = batch.map_err(|error| Error::file(input, error))?;
            self.predict_batch(&batch, &mut rows).map_err(|error| Error::file(input, error))?;
        }
        let bad = |p: &Prediction| !p.numbers.iter().flatten().all(|number| number.is_finite());
        if let Some(index) = rows.iter().position(bad) {
            let reason = format!(
                "sequence {}: the prediction is not finite; are values missing that were not in \
                 training?",
                index + 1
            );
            return Err(Error::file(input, reason));
        }
        Ok(Predictions { targets: self.targets().clone(), rows })
    }

    fn predict_batch(&self, batch: &Batch, rows: &mut Vec<Prediction>) -> Result<()> {
        let mut output = crate::Model::forward(&self.model, &batch.input, Mode::Eval)?;
        if self.targets().labels().is_some() {
            output = softmax(&output)?;
        }
        let output = output.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        match (self.targets(), &batch.input) {
            (
                TargetKind::StepClasses(_) | TargetKind::StepValues(_),
                BatchInput::Packed(packed),
            ) => {
                let first = rows.len();
                rows.extend((0..batch.batch_size()).map(|_| Prediction::default()));
                for ((b, _), numbers) in packed.layout().positions().zip(output) {
                    rows[first + b].numbers.push(numbers);
                }
            }
            _ => {
                rows.extend(output.into_iter().map(|numbers| Prediction { numbers: vec![numbers] }))
            }
        }
        Ok(())
    }

    /// The data as the model saw it in training, in order.
    fn loader(&self, data: AnyDataset) -> Result<DataLoader<AnyDataset>> {
        let data: AnyDataset = Arc::new(Transformed::new(data, self.info.transforms.clone())?);
        let (got, features) = (data.features(), self.info.model.layer.input_size);
        if got != features {
            let (expected, got) = (format!("{features} features"), format!("{got}"));
            return Err(Error::Batch { name: "the data", expected, got });
        }
        let collate = match self.info.model.kind {
            ModelKind::Fixed => Collate::Padded,
            ModelKind::Variable => Collate::Packed,
        };
        // The batches of the run's own test, so that it comes out the same to the last digit.
        let batching = self.config.train.batching();
        let config = LoaderConfig { collate, batching, ..LoaderConfig::new(1) };
        Ok(DataLoader::new(data, config)?)
    }
}

/// `e^x / sum(e^x)` over the last dimension, from which its largest is taken first.
fn softmax(logits: &Tensor) -> Result<Tensor> {
    let logits = logits.to_dtype(DType::F64)?;
    let exp = logits.broadcast_sub(&logits.max_keepdim(1)?)?.exp()?;
    Ok(exp.broadcast_div(&exp.sum_keepdim(1)?)?)
}
