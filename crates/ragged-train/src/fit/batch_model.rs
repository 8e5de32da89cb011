//! What the trainer needs of a model.

use candle_core::Tensor;
use ragged_datasets::BatchInput;
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
///         let ragged_datasets::BatchInput::Padded { input, .. } = input else {
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
        Ok(Self::forward(self, packed(input)?, mode)?)
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
    let (steps, statics) = match input {
        BatchInput::Static { steps, numbers, categories } => {
            (&**steps, Some(model.embed_statics(numbers, categories)?))
        }
        steps => (steps, None),
    };
    let embedded;
    let rows = match steps {
        BatchInput::Tokens(tokens) => {
            embedded = embed(tokens, mode.reborrow())?;
            &embedded
        }
        steps => packed(steps)?,
    };
    Ok(match statics {
        Some(statics) => model.forward_static(rows, &statics, mode)?,
        None => model.forward(rows, mode)?,
    })
}

/// In [`Mode::Inference`] only.
impl BatchModel for PreparedModel {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        if mode.records_gradients() {
            return Err(Error::PreparedModel);
        }
        Ok(match self.config().kind {
            ModelKind::Fixed => self.forward_padded(padded(input)?)?,
            ModelKind::Variable => match input {
                BatchInput::Tokens(tokens) => self.forward_tokens(tokens)?,
                BatchInput::Static { steps, numbers, categories } => {
                    let statics = self.embed_statics(numbers, categories)?;
                    match &**steps {
                        BatchInput::Tokens(tokens) => {
                            self.forward_static(&self.embed(tokens)?, &statics)?
                        }
                        steps => self.forward_static(packed(steps)?, &statics)?,
                    }
                }
                _ => Self::forward(self, packed(input)?)?,
            },
        })
    }
}

/// Returns a padded batch in which no step is padding: the fixed-length model reads the last time
/// step of every sequence.
fn padded(input: &BatchInput) -> Result<&Tensor> {
    match input {
        BatchInput::Padded { input, lengths } => {
            let expected = input.dim(1)?;
            match lengths.iter().find(|&&length| length != expected) {
                Some(&got) => Err(Error::UnequalLengths { expected, got }),
                None => Ok(input),
            }
        }
        BatchInput::Packed(_) => {
            Err(Error::BatchLayout { model: "fixed-length", expected: "padded", got: "packed" })
        }
        BatchInput::Tokens(_) => {
            Err(Error::BatchLayout { model: "fixed-length", expected: "padded", got: "tokens" })
        }
        BatchInput::Static { .. } => {
            let got = "static values";
            Err(Error::BatchLayout { model: "fixed-length", expected: "padded", got })
        }
    }
}

/// Returns a packed batch of features.
pub(crate) fn packed(input: &BatchInput) -> Result<&PackedSequence> {
    match input {
        BatchInput::Packed(packed) => Ok(packed),
        BatchInput::Padded { .. } => {
            Err(Error::BatchLayout { model: "variable-length", expected: "packed", got: "padded" })
        }
        BatchInput::Tokens(_) => {
            Err(Error::BatchLayout { model: "variable-length", expected: "packed", got: "tokens" })
        }
        BatchInput::Static { .. } => {
            let got = "static values";
            Err(Error::BatchLayout { model: "variable-length", expected: "packed", got })
        }
    }
}
