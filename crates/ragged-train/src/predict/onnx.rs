//! The model of a run as an ONNX file.

use std::path::Path;

use crate::atomic_file::write_atomically;
use crate::error::{Error, Result};
use crate::export::onnx::{TrainedModel, encode};
use crate::predict::predictor::Predictor;

impl Predictor {
    /// Returns the model as an ONNX file, with the transforms and, for classes, a softmax.
    ///
    /// Values are in the units of the training data. The graph has the inputs `x` `[B, T, I]`, padded sequences before
    /// transforms, `tokens` `[B, T]` for a model of tokens, `lengths` `[B]`, and `static_numbers` and
    /// `static_categories` where there are static columns. Its output `prediction` is `[B, O]`, or `[B, T, O]` for one
    /// prediction per step, which is zero after the end of a sequence; a model of several heads has an output
    /// `prediction.NAME` for each. `x` has 32-bit floats, or 64-bit floats where 32 bits cannot hold the values of the
    /// training data. The graph does not check its input: a value that is missing after the transforms makes the
    /// prediction for its sequence meaningless.
    ///
    /// # Errors
    ///
    /// [`Error::OnnxUnsupported`] for what ONNX cannot express, such as a projection, with the key of the
    /// configuration; [`Error::OnnxSize`] for more than 2 GiB.
    ///
    /// ```
    /// # use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};
    /// # let text = "[data.sums]\nnum_samples = 64\nseq_length = 5\ninput_size = 2\n[train]\nepochs = 1\n";
    /// # let experiment = Experiment::new(ExperimentConfig::parse(text, &[])?)?;
    /// # let runs = tempfile::tempdir().unwrap();
    /// # let run = RunDir::next(runs.path(), "sums", &experiment.config().to_toml()?)?;
    /// # experiment.run(&run, &mut ())?;
    /// let predictor = Predictor::open(run.path())?;
    /// let bytes = predictor.to_onnx()?;
    /// // Or directly to a file.
    /// let path = runs.path().join("model.onnx");
    /// predictor.write_onnx(&path)?;
    /// assert_eq!(std::fs::read(&path).unwrap(), bytes);
    /// # Ok::<(), ragged_train::Error>(())
    /// ```
    pub fn to_onnx(&self) -> Result<Vec<u8>> {
        encode(&TrainedModel {
            name: &self.config.name,
            epoch: self.epoch(),
            config: &self.info.model,
            weights: &self.parameters.state_dict(),
            transforms: &self.info.transforms,
            outputs: &self.info.outputs,
            schema: &self.info.schema,
            encoder: &self.info.tokens,
        })
    }

    /// Writes the model to an ONNX file, completely or not at all.
    ///
    /// # Errors
    ///
    /// As [`to_onnx`](Self::to_onnx); [`Error::Path`] for a name that does not end in `.onnx`, [`Error::Io`] where the
    /// file cannot be written.
    pub fn write_onnx(&self, path: &Path) -> Result<()> {
        Self::check_onnx_path(path)?;
        write_atomically(path, &self.to_onnx()?)
    }

    /// Checks that a path has the ending `.onnx`.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] for another ending.
    pub fn check_onnx_path(path: &Path) -> Result<()> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("onnx") => Ok(()),
            _ => Err(Error::path(path, "expected a name that ends in .onnx")),
        }
    }
}
