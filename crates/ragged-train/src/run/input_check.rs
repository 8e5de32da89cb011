//! The check that the model reads only finite values.

use ragged_datasets::Dataset;

use crate::error::{Error, Result};

/// Checks every value of data sets, after their transforms.
///
/// A missing value is NaN. In a model it would make the prediction of its sequence NaN, and with it the loss of the
/// batch or of the whole evaluation.
///
/// The data sets are often parts of one file, which is streamed: they are read side by side, so that it is read once.
///
/// # Errors
///
/// [`Error::Input`] for a value that is missing or infinite. The name of its data set is in it.
pub(crate) fn check_inputs(parts: &[(Option<&'static str>, &dyn Dataset)]) -> Result<()> {
    let mut next = vec![0; parts.len()];
    // How much of each part is behind its next example.
    let behind = |next: usize, part: usize| next as f64 / parts[part].1.len() as f64;
    loop {
        let open = (0..parts.len()).filter(|&part| next[part] < parts[part].1.len());
        let least = open.min_by(|&a, &b| behind(next[a], a).total_cmp(&behind(next[b], b)));
        let Some(part) = least else { return Ok(()) };
        let (name, data) = parts[part];
        check_example(name, data, next[part])?;
        next[part] += 1;
    }
}

/// Checks every value of an example.
fn check_example(part: Option<&'static str>, data: &dyn Dataset, index: usize) -> Result<()> {
    let example = data.get(0, index)?;
    let bad = example.sequence.values().iter().position(|value| !value.is_finite());
    let Some(at) = bad else { return Ok(()) };
    let features = example.sequence.features().max(1);
    let (step, column) = (at / features + 1, at % features);
    let names = data.feature_names().and_then(|names| names.get(column));
    Err(Error::Input {
        part,
        sequence: data.id(index).map_or_else(|| (index + 1).to_string(), str::to_string),
        step,
        feature: names.map_or_else(|| (column + 1).to_string(), String::clone),
        value: example.sequence.values()[at],
    })
}
