//! The search for the sequences whose loss is not finite, after a test has failed.

use ragged_datasets::{Batching, DataLoader, Dataset, LoaderConfig};

use crate::error::Result;
use crate::fit::batch_model::BatchModel;
use crate::fit::step::eval_step;
use crate::objective::loss::Loss;

/// The number of sequences that are named.
const NAMED: usize = 5;

/// Returns the names of the first sequences whose loss is not finite, or their numbers from 1 where they have no
/// names. Each sequence is evaluated in a batch of its own.
///
/// # Errors
///
/// Errors of the data and of the model.
pub(crate) fn non_finite_sequences<D: Dataset + Clone>(
    model: &dyn BatchModel,
    data: D,
    config: &LoaderConfig,
    loss: &dyn Loss,
) -> Result<Vec<String>> {
    let config = LoaderConfig { batching: Batching::Sequences(1), ..config.clone() };
    let loader = DataLoader::new(data.clone(), config)?;
    let mut names = vec![];
    for (index, batch) in loader.epoch(0).enumerate() {
        if !eval_step(model, &batch?, loss)?.0.is_finite() {
            names.push(data.id(index).map_or_else(|| (index + 1).to_string(), String::from));
            if names.len() == NAMED {
                break;
            }
        }
    }
    Ok(names)
}
