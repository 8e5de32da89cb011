//! The batch whose loss or gradient is not finite, as a file for inspection.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use ragged_datasets::{Batch, BatchStatics, BatchSteps};
use ragged_sequence::{PackedSequence, Padding, pad_packed_sequence};

use crate::atomic_file::write_atomically;
use crate::error::Result;

/// Writes a batch as safetensors: `input` `[B, T, features]` padded with zeros, `lengths` `[B]`,
/// `indices` `[B]` of the examples in the data set, `token_ids` `[B, T, K]` if there are tokens,
/// `static_numbers` and `static_categories` `[B, ..]` if there are any, `target_lengths` `[B]` for lists of labels, and
/// `target` as the loss received it.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) where the file cannot be written.
pub fn save_bad_batch(path: &Path, batch: &Batch) -> Result<()> {
    let padded = |packed: &PackedSequence| pad_packed_sequence(packed, &Padding::default());
    let mut ids = None;
    let (input, lengths) = match &batch.input.steps {
        BatchSteps::Packed(packed) => padded(packed)?,
        BatchSteps::Padded { input, lengths } => (input.clone(), lengths.clone()),
        BatchSteps::Tokens(tokens) => {
            let rows =
                |rows: &Tensor| PackedSequence::from_layout(rows.clone(), tokens.layout().clone());
            let (padded_ids, lengths) = padded(&rows(tokens.ids())?)?;
            let values = match tokens.values() {
                Some(values) => padded(&rows(values)?)?.0,
                None => Tensor::zeros((lengths.len(), 0), DType::F32, &Device::Cpu)?,
            };
            ids = Some(padded_ids);
            (values, lengths)
        }
    };
    let counts = |counts: &[usize]| {
        let counts: Vec<i64> = counts.iter().map(|&count| count as i64).collect();
        Tensor::from_vec(counts, batch.batch_size(), &Device::Cpu)
    };
    let mut tensors = BTreeMap::from([
        ("input", input),
        ("target", batch.target.clone()),
        ("lengths", counts(&lengths)?),
        ("indices", counts(&batch.indices)?),
    ]);
    if let Some(lengths) = &batch.target_lengths {
        tensors.insert("target_lengths", counts(lengths)?);
    }
    if let Some(BatchStatics { numbers, categories }) = &batch.input.statics {
        tensors.insert("static_numbers", numbers.clone());
        tensors.insert("static_categories", categories.clone());
    }
    tensors.extend(ids.map(|ids| ("token_ids", ids)));
    write_atomically(path, &safetensors::serialize(tensors, None)?)
}
