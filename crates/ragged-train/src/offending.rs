//! The batch that made a loss or gradient not finite, as a file to be looked at.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use ragged_datasets::{Batch, BatchInput};
use ragged_models::write_whole;
use ragged_sequence::{Padding, pad_packed_sequence};

use crate::{Error, Result};

/// Writes a batch as `.safetensors`: `input` `[B, T, features]` padded with zeros, `lengths` and
/// `indices` (of the examples in their data set) `[B]`, `target` as the loss saw it.
///
/// # Errors
///
/// [`Error::File`] where the file cannot be written.
pub fn offending_batch(path: &Path, batch: &Batch) -> Result<()> {
    let (input, lengths) = match &batch.input {
        BatchInput::Packed(packed) => pad_packed_sequence(packed, &Padding::default())
            .map_err(ragged_datasets::Error::from)?,
        BatchInput::Padded { input, lengths } => (input.clone(), lengths.clone()),
    };
    let counts = |counts: &[usize]| {
        let counts: Vec<i64> = counts.iter().map(|&count| count as i64).collect();
        Tensor::from_vec(counts, batch.batch_size(), &Device::Cpu)
    };
    let tensors = BTreeMap::from([
        ("input", input),
        ("target", batch.target.clone()),
        ("lengths", counts(&lengths)?),
        ("indices", counts(&batch.indices)?),
    ]);
    let bytes = safetensors::serialize(tensors, None).map_err(|error| Error::file(path, error))?;
    Ok(write_whole(path, &bytes)?)
}
