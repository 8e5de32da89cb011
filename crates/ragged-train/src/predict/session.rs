//! A sequence whose steps arrive one after another, with the model of a run.

use candle_core::{DType, Device, Tensor};
use ragged_datasets::TargetKind;
use ragged_models::ModelStream;
use ragged_transforms::{Outputs, Pipeline, PipelineState, Values};

use crate::error::{Error, Result};
use crate::predict::batch::predicted;
use crate::predict::predictor::Predictor;

/// One sequence whose steps arrive one after another. [`Predictor::session`] creates it.
///
/// The prediction after its last step is, bit for bit, that of [`Predictor::predict_sequences`] for the whole sequence.
/// `ragged-runtime` has sessions that need no tensors, take less time and can be saved.
#[derive(Debug, Clone)]
pub struct Session {
    stream: ModelStream,
    transforms: Pipeline,
    state: PipelineState,
    outputs: Outputs,
    targets: TargetKind,
    /// Whether values keep 64 bits until a transform scales them.
    exact: bool,
    steps: usize,
    /// The last prediction.
    prediction: Vec<f64>,
}

impl Predictor {
    /// Begins a sequence whose steps arrive one after another.
    ///
    /// # Errors
    ///
    /// [`Error::Session`] for a model whose prediction needs the whole sequence: of tokens, with static columns, a CRF,
    /// lists of labels, forecasts, repeated steps; [`Error::Model`] for a bidirectional one and for attention;
    /// [`Error::Data`] for transforms that need the whole sequence.
    ///
    /// ```
    /// # use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};
    /// # let text = "[data.sums]\nnum_samples = 64\nseq_length = 5\ninput_size = 2\n[train]\nepochs = 1\n";
    /// # let experiment = Experiment::new(ExperimentConfig::parse(text, &[])?)?;
    /// # let runs = tempfile::tempdir().unwrap();
    /// # let run = RunDir::next(runs.path(), "sums", &experiment.config().to_toml()?)?;
    /// # experiment.run(&run, &mut ())?;
    /// use ragged_datasets::Sequence;
    ///
    /// let predictor = Predictor::open(run.path())?;
    /// let mut session = predictor.session()?;
    /// session.step(&[1.0, 2.0])?;
    /// let prediction = session.step(&[3.0, 4.0])?;
    ///
    /// let whole = Sequence::new(vec![1.0, 2.0, 3.0, 4.0], 2)?;
    /// assert_eq!(predictor.predict_sequences(&[whole], None)?.rows[0].values, [prediction]);
    /// # Ok::<(), ragged_train::Error>(())
    /// ```
    pub fn session(&self) -> Result<Session> {
        let (info, model) = (&self.info, self.model());
        let refused = [
            ("tokens", info.model.tokens.is_some()),
            ("static columns", info.model.statics.is_some()),
            ("a CRF", info.model.crf.is_some()),
            ("lists of labels", self.targets().is_transcription()),
            ("forecasts", self.forecast().is_some()),
            ("data.read.repeat", self.config.data.read.repeat.is_some()),
        ];
        if let Some((got, _)) = refused.into_iter().find(|(_, has)| *has) {
            return Err(Error::Session { got });
        }
        Ok(Session {
            stream: model.stream(1)?,
            state: info.transforms.state().map_err(ragged_datasets::Error::from)?,
            transforms: info.transforms.clone(),
            outputs: info.outputs.clone(),
            targets: self.targets().clone(),
            exact: info.schema.exact,
            steps: 0,
            prediction: vec![],
        })
    }
}

impl Session {
    /// Runs one step, of one value per feature, and returns the prediction for all steps so far, or that for this step
    /// if there is one per step: the probabilities of the classes, or values in the units of the training data. Steps
    /// beyond a truncation of the transforms change nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Features`] for another number of values, [`Error::Input`] for one that is not finite after the
    /// transforms, [`Error::SessionEnd`] for a step beyond the truncation if there is one prediction per step, and
    /// [`Error::NonFinitePrediction`]. The session is unchanged then.
    pub fn step(&mut self, values: &[f64]) -> Result<Vec<f64>> {
        let (expected, got) = (self.transforms.features(), values.len());
        if got != expected {
            return Err(Error::Features { expected, got });
        }
        let (mut row, mut state) = (Values::default(), self.state.clone());
        let failed = ragged_datasets::Error::from;
        row.refill(values, expected, self.exact).map_err(failed)?;
        self.transforms.apply_next(&mut row, &mut state).map_err(failed)?;
        let row: Vec<f32> = row.as_slice().iter().map(|&value| value as f32).collect();
        if row.is_empty() {
            return match self.targets.is_per_step() {
                true => Err(Error::SessionEnd { steps: self.steps }),
                false => Ok(self.prediction.clone()),
            };
        }
        if let Some(at) = row.iter().position(|value| !value.is_finite()) {
            return Err(Error::Input {
                part: None,
                sequence: "1".into(),
                step: self.steps + 1,
                feature: (at + 1).to_string(),
                value: row[at],
            });
        }
        let input = Tensor::from_vec(row, (1, self.transforms.output_features()), &Device::Cpu)?;
        let mut stream = self.stream.clone();
        let output = stream.step(&input)?.to_dtype(DType::F32)?.flatten_all()?;
        let output = predicted(&self.outputs, &self.targets, output.to_vec1()?);
        if output.iter().any(|value| !value.is_finite()) {
            return Err(Error::NonFinitePrediction { sequence: 1 });
        }
        (self.stream, self.state, self.steps) = (stream, state, self.steps + 1);
        self.prediction.clone_from(&output);
        Ok(output)
    }

    /// Returns the number of steps so far.
    pub fn steps(&self) -> usize {
        self.steps
    }
}
