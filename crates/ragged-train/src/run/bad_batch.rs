//! The batch whose loss or gradient is not finite, as a file for inspection.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use ragged_datasets::{Batch, BatchInput};
use ragged_sequence::{Padding, pad_packed_sequence};

use crate::atomic_file::write_atomically;
use crate::error::Result;

/// Writes a batch as safetensors: `input` `[B, T, features]` padded with zeros, `lengths` `[B]`,
/// `indices` `[B]` of the examples in the data set, and `target` as the loss received it.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) where the file cannot be written.
pub fn save_bad_batch(path: &Path, batch: &Batch) -> Result<()> {
    let (input, lengths) = match &batch.input {
        BatchInput::Packed(packed) => pad_packed_sequence(packed, &Padding::default())?,
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
    write_atomically(path, &safetensors::serialize(tensors, None)?)
}
