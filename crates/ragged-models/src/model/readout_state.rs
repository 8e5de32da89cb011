//! The state of a readout between chunks: the pooled outputs of each row so far, and the number of its steps.

use candle_core::{DType, Device, Tensor};
use ragged_sequence::{PackedSequence, pool};

use crate::cell::state::State;
use crate::error::Result;
use crate::layer::outputs::LayerOutputs;
use crate::model::readout::Readout;

/// Returns the state before the first step of `rows` sequences: `[1, B, output_features]` and `[1, B, 1]`.
pub(crate) fn initial_readout(
    rows: usize,
    features: usize,
    dtype: DType,
    device: &Device,
) -> Result<Vec<Tensor>> {
    let zeros = |size| Tensor::zeros((1, rows, size), dtype, device);
    Ok(vec![zeros(features)?, zeros(1)?])
}

/// Reads the outputs of a chunk. Returns the rows for the head and the state of the readout after the chunk.
pub(crate) fn read_chunk<S: State>(
    readout: Readout,
    outputs: &LayerOutputs<S>,
    state: &[Tensor],
) -> Result<(Tensor, Vec<Tensor>)> {
    let (row, steps) = update_readout(readout, &outputs.output()?, state)?;
    let read = match readout {
        Readout::Final | Readout::Steps => readout.read(outputs)?,
        Readout::Mean => row.broadcast_div(&steps.maximum(&steps.ones_like()?)?)?,
        _ => row.clone(),
    };
    Ok((read, vec![row.unsqueeze(0)?, steps.unsqueeze(0)?]))
}

/// Adds a chunk of outputs to the state of the readout. Returns the pooled outputs of each row so
/// far, `[B, output_features]`, and the number of steps so far, `[B, 1]`.
fn update_readout(
    readout: Readout,
    output: &PackedSequence,
    readout_state: &[Tensor],
) -> Result<(Tensor, Tensor)> {
    let (row, before) = (readout_state[0].squeeze(0)?, readout_state[1].squeeze(0)?);
    let lengths: Vec<f64> = output.lengths().iter().map(|&length| length as f64).collect();
    let lengths = Tensor::from_vec(lengths, before.dims(), before.device())?;
    let lengths = lengths.to_dtype(before.dtype())?;
    let steps = (&before + &lengths)?;
    let (Some(pooling), true) = (readout.pooling(), output.layout().rows() > 0) else {
        return Ok((row, steps));
    };
    let (had_steps, has_steps) = (before.gt(0f64)?, lengths.gt(0f64)?);
    let choose =
        |when: &Tensor, a: &Tensor, b: &Tensor| when.broadcast_as(a.shape())?.where_cond(a, b);
    let row = match readout {
        Readout::Sum | Readout::Mean => {
            // Step by step, in the order in which the outputs of a whole sequence are added.
            let layout = output.layout();
            let sequences: Vec<i64> = layout.positions().map(|(b, _)| b as i64).collect();
            let sequences = Tensor::from_vec(sequences, layout.rows(), row.device())?;
            row.index_add(&sequences, &output.data().contiguous()?, 0)?
        }
        _ => {
            let chunk = pool(output, pooling)?;
            let both = match readout {
                Readout::First => row.clone(),
                Readout::Max => row.maximum(&chunk)?,
                _ => chunk.clone(),
            };
            choose(&has_steps, &choose(&had_steps, &both, &chunk)?, &row)?
        }
    };
    Ok((row, steps))
}
