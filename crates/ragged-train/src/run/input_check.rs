//! The check that the model reads only finite values.

use ragged_datasets::Dataset;

use crate::error::{Error, Result};

/// Checks every value of a data set, after its transforms.
///
/// A missing value is NaN. In a model it would make the prediction of its sequence NaN, and with it the loss of the
/// batch or of the whole evaluation.
///
/// # Errors
///
/// [`Error::Input`] for the first value that is missing or infinite. `part` names the data set in it.
pub(crate) fn check_inputs(part: Option<&'static str>, data: &dyn Dataset) -> Result<()> {
    for index in 0..data.len() {
        let example = data.get(0, index)?;
        let features = example.sequence.features();
        let bad = example.sequence.values().iter().position(|value| !value.is_finite());
        if let Some(at) = bad {
            let (step, feature) = (at / features + 1, at % features + 1);
            let value = example.sequence.values()[at];
            return Err(Error::Input { part, sequence: index + 1, step, feature, value });
        }
    }
    Ok(())
}
