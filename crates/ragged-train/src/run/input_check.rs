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
        let features = example.sequence.features().max(1);
        let bad = example.sequence.values().iter().position(|value| !value.is_finite());
        if let Some(at) = bad {
            let (step, column) = (at / features + 1, at % features);
            let names = data.feature_names().and_then(|names| names.get(column));
            return Err(Error::Input {
                part,
                sequence: data.id(index).map_or_else(|| (index + 1).to_string(), str::to_string),
                step,
                feature: names.map_or_else(|| (column + 1).to_string(), String::clone),
                value: example.sequence.values()[at],
            });
        }
    }
    Ok(())
}
