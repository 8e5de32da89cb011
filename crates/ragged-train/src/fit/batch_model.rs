//! What the trainer needs of a model.

use candle_core::Tensor;
use ragged_datasets::{BatchInput, BatchStatics, BatchSteps};
use ragged_models::{
    FixedLengthLstm, Mode, Model, ModelKind, PreparedModel, SparseRows, TrainingStream,
    VariableLengthLstm,
};
use ragged_sequence::{PackedSequence, PackedTokens};

use crate::error::{Error, Result};

/// A model that maps the input of a batch to predictions.
///
/// The models of `ragged-models` implement it; a model of your own needs only
/// [`forward`](Self::forward):
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::Linear;
/// use ragged_datasets::{
///     Collate, DataLoader, FixedLengthSums, FixedLengthSumsConfig, LoaderConfig,
/// };
/// use ragged_models::{Mode, Parameters};
/// use ragged_train::{BatchModel, Criterion, Result, TrainConfig, Trainer, evaluate};
///
/// /// A linear function of the sum over all time steps.
/// struct LinearOnSum(Linear);
///
/// impl BatchModel for LinearOnSum {
///     fn forward(&self, input: &ragged_datasets::BatchInput, _: Mode) -> Result<Tensor> {
///         let ragged_datasets::BatchSteps::Padded { input, .. } = &input.steps else {
///             panic!("this example pads its batches");
///         };
///         Ok(self.0.forward(&input.sum(1)?)?)
///     }
/// }
///
/// let data = FixedLengthSums::new(FixedLengthSumsConfig { num_samples: 64, ..Default::default() })?;
/// let padded = LoaderConfig { collate: Collate::Padded, ..LoaderConfig::new(16) };
/// let loader = DataLoader::new(data, padded)?;
/// let parameters = Parameters::new(1);
/// let vb = parameters.builder(DType::F32, &Device::Cpu);
/// let model = LinearOnSum(candle_nn::linear(7, 1, vb)?);
/// let config = TrainConfig { epochs: 20, lr: 0.1, ..Default::default() };
/// let mut trainer = Trainer::new(&model, parameters.named(), &Criterion::Mse, config, 1)?;
/// trainer.fit(&loader, Some(&loader), &mut ())?;
/// assert!(evaluate(&model, &loader, &Criterion::Mse)?.finish().r2().unwrap() > 0.99);
/// # Ok::<(), ragged_train::Error>(())
/// ```
pub trait BatchModel {
    /// Returns the predictions: `[B, O]` for one per sequence, `[N, O]` for one per packed time step.
    ///
    /// # Errors
    ///
    /// [`Error::BatchLayout`] for an input of the wrong layout, and errors of the model.
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor>;

    /// Returns the predictions, and the rows of embedding tables that have their gradients apart from the tables; by
    /// default, [`forward`](Self::forward) and none.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    fn forward_sparse(&self, input: &BatchInput, mode: Mode) -> Result<(Tensor, Vec<SparseRows>)> {
        Ok((self.forward(input, mode)?, vec![]))
    }

    /// Returns the model in a form that processes `rows` series chunk by chunk, for truncated
    /// backpropagation through time.
    ///
    /// # Errors
    ///
    /// [`Error::StreamUnsupported`] unless the model implements it.
    fn training_stream(&self, rows: usize) -> Result<TrainingStream<'_>> {
        let _ = rows;
        Err(Error::StreamUnsupported)
    }

    /// Returns a copy for the evaluation of many batches with the parameters as they are now, where there is a faster
    /// one; `None` by default. It is called in [`Mode::Inference`] only.
    ///
    /// # Errors
    ///
    /// Errors of the model.
    fn prepare(&self) -> Result<Option<Box<dyn BatchModel>>> {
        Ok(None)
    }
}

impl BatchModel for FixedLengthLstm {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        Ok(Self::forward(self, padded(input)?, mode)?)
    }
}

impl BatchModel for VariableLengthLstm {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        Ok(Self::forward(self, packed(&input.steps)?, mode)?)
    }
}

impl BatchModel for Model {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        run(self, input, mode, |tokens, mode| Ok(self.embed(tokens, mode)?))
    }

    fn forward_sparse(&self, input: &BatchInput, mode: Mode) -> Result<(Tensor, Vec<SparseRows>)> {
        let mut sparse = vec![];
        let prediction = run(self, input, mode, |tokens, mode| {
            let (rows, of_tables) = self.embed_sparse(tokens, mode)?;
            sparse = of_tables;
            Ok(rows)
        })?;
        Ok((prediction, sparse))
    }

    fn training_stream(&self, rows: usize) -> Result<TrainingStream<'_>> {
        Ok(Self::training_stream(self, rows)?)
    }

    fn prepare(&self) -> Result<Option<Box<dyn BatchModel>>> {
        Ok(Some(Box::new(Self::prepare(self)?)))
    }
}

/// Runs a model on a batch whose tokens, if it has any, become rows by `embed`.
fn run(
    model: &Model,
    input: &BatchInput,
    mut mode: Mode,
    embed: impl FnOnce(&PackedTokens, Mode) -> Result<PackedSequence>,
) -> Result<Tensor> {
    if model.config().kind == ModelKind::Fixed {
        return Ok(model.forward_padded(padded(input)?, mode)?);
    }
    let embedded;
    let rows = match &input.steps {
        BatchSteps::Tokens(tokens) => {
            embedded = embed(tokens, mode.reborrow())?;
            &embedded
        }
        steps => packed(steps)?,
    };
    Ok(match &input.statics {
        Some(BatchStatics { numbers, categories }) => {
            model.forward_static(rows, &model.embed_statics(numbers, categories)?, mode)?
        }
        None => model.forward(rows, mode)?,
    })
}

/// In [`Mode::Inference`] only.
impl BatchModel for PreparedModel {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        if mode.records_gradients() {
            return Err(Error::PreparedModel);
        }
        if self.config().kind == ModelKind::Fixed {
            return Ok(self.forward_padded(padded(input)?)?);
        }
        let embedded;
        let rows = match &input.steps {
            BatchSteps::Tokens(tokens) => {
                embedded = self.embed(tokens)?;
                &embedded
            }
            steps => packed(steps)?,
        };
        Ok(match &input.statics {
            Some(BatchStatics { numbers, categories }) => {
                self.forward_static(rows, &self.embed_statics(numbers, categories)?)?
            }
            None => Self::forward(self, rows)?,
        })
    }
}

/// Returns a padded batch in which no step is padding: the fixed-length model reads the last time
/// step of every sequence.
fn padded(input: &BatchInput) -> Result<&Tensor> {
    if input.statics.is_some() {
        let got = "static values";
        return Err(Error::BatchLayout { model: "fixed-length", expected: "padded", got });
    }
    match &input.steps {
        BatchSteps::Padded { input, lengths } => {
            let expected = input.dim(1)?;
            match lengths.iter().find(|&&length| length != expected) {
                Some(&got) => Err(Error::UnequalLengths { expected, got }),
                None => Ok(input),
            }
        }
        BatchSteps::Packed(_) => {
            Err(Error::BatchLayout { model: "fixed-length", expected: "padded", got: "packed" })
        }
        BatchSteps::Tokens(_) => {
            Err(Error::BatchLayout { model: "fixed-length", expected: "padded", got: "tokens" })
        }
    }
}

/// Returns a packed batch of features.
pub(crate) fn packed(steps: &BatchSteps) -> Result<&PackedSequence> {
    match steps {
        BatchSteps::Packed(packed) => Ok(packed),
        BatchSteps::Padded { .. } => {
            Err(Error::BatchLayout { model: "variable-length", expected: "packed", got: "padded" })
        }
        BatchSteps::Tokens(_) => {
            Err(Error::BatchLayout { model: "variable-length", expected: "packed", got: "tokens" })
        }
    }
}
