//! What the trainer asks of a model.

use candle_core::Tensor;
use ragged_datasets::BatchInput;
use ragged_models::{FixedLengthLstm, Mode, ModelKind, ModelStream, VariableLengthLstm};
use ragged_sequence::PackedSequence;

use crate::{Error, Result};

/// A model that turns the input of a batch of B sequences into predictions `[B, O]`, or
/// `[N, O]` for N packed steps.
pub trait Model {
    /// # Errors
    ///
    /// [`Error::Batch`] for an input of the wrong kind, and the model's own.
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor>;

    /// The model over series that come in chunks, `rows` at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] for a model that cannot do that.
    fn stream(&self, rows: usize) -> Result<ModelStream<'_>> {
        let (expected, got) = ("one that takes chunks".into(), format!("{rows} rows of chunks"));
        Err(Error::Batch { name: "the model", expected, got })
    }
}

impl Model for FixedLengthLstm {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        Ok(Self::forward(self, of_one_length(input)?, mode)?)
    }
}

impl Model for VariableLengthLstm {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        Ok(Self::forward(self, packed(input)?, mode)?)
    }
}

impl Model for ragged_models::Model {
    fn forward(&self, input: &BatchInput, mode: Mode) -> Result<Tensor> {
        Ok(match self.config().kind {
            ModelKind::Fixed => self.forward_padded(of_one_length(input)?, mode)?,
            ModelKind::Variable => self.forward(packed(input)?, mode)?,
        })
    }

    fn stream(&self, rows: usize) -> Result<ModelStream<'_>> {
        Ok(Self::stream(self, rows)?)
    }
}

/// A padded batch in which no step is padding: the fixed-length model reads the last step of all.
fn of_one_length(input: &BatchInput) -> Result<&Tensor> {
    let name = "input of the fixed-length model";
    match input {
        BatchInput::Padded { input, lengths } => {
            let steps = input.dim(1)?;
            if let Some(odd) = lengths.iter().find(|&&length| length != steps) {
                let expected = format!("sequences of one length, {steps}");
                return Err(Error::Batch { name, expected, got: format!("one of {odd}") });
            }
            Ok(input)
        }
        BatchInput::Packed(_) => {
            Err(Error::Batch { name, expected: "a padded batch".into(), got: "packed".into() })
        }
    }
}

fn packed(input: &BatchInput) -> Result<&PackedSequence> {
    match input {
        BatchInput::Packed(packed) => Ok(packed),
        BatchInput::Padded { .. } => Err(Error::Batch {
            name: "input of the variable-length model",
            expected: "a packed batch".into(),
            got: "padded".into(),
        }),
    }
}
