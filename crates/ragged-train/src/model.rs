//! What the trainer asks of a model.

use candle_core::Tensor;
use ragged_datasets::BatchInput;
use ragged_models::{FixedLengthLstm, Mode, VariableLengthLstm};

use crate::{Error, Result};

/// A model that turns the input of a batch of B sequences into predictions `[B, O]`.
pub trait Model {
    /// # Errors
    ///
    /// [`Error::Batch`] for an input of the wrong kind, and the model's own.
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor>;
}

impl Model for FixedLengthLstm {
    /// Takes padded batches in which no step is padding: this model reads the last step of all.
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        let name = "input of the fixed-length model";
        match input {
            BatchInput::Padded { input, lengths } => {
                let steps = input.dim(1)?;
                if let Some(odd) = lengths.iter().find(|&&length| length != steps) {
                    let expected = format!("sequences of one length, {steps}");
                    return Err(Error::Batch { name, expected, got: format!("one of {odd}") });
                }
                Ok(Self::forward(self, input, mode)?)
            }
            BatchInput::Packed(_) => {
                Err(Error::Batch { name, expected: "a padded batch".into(), got: "packed".into() })
            }
        }
    }
}

impl Model for VariableLengthLstm {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        match input {
            BatchInput::Packed(packed) => Ok(Self::forward(self, packed, mode)?),
            BatchInput::Padded { .. } => Err(Error::Batch {
                name: "input of the variable-length model",
                expected: "a packed batch".into(),
                got: "padded".into(),
            }),
        }
    }
}

impl Model for ragged_models::Model {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        match self {
            Self::Fixed(model) => Model::forward(model, input, mode),
            Self::Variable(model) => Model::forward(model, input, mode),
        }
    }
}
