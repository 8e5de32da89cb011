//! Lists of labels as targets of CTC: how they are read from a batch, and decoded from outputs.
//!
//! The outputs of a model have the blank first: output k + 1 is label k.

use candle_core::{DType, Tensor};
use ragged_kernels::{Decoded, PackedRows, ctc_beam_search, ctc_greedy};
use ragged_sequence::{PackedLayout, PackedSequence};

use crate::error::{Error, Result};
use crate::objective::ctc::{CtcOptions, CtcReduction, ctc_loss};
use crate::objective::targets::Targets;

/// The index of the blank among the outputs.
const BLANK: usize = 0;

/// Returns the mean over the sequences of the loss divided by the number of labels, as PyTorch's `reduction="mean"`.
/// A target that its sequence is too short for counts as zero.
pub(super) fn loss(prediction: &Tensor, targets: &Targets<'_>) -> Result<Tensor> {
    let (layout, lists) = lists(prediction, targets)?;
    let outputs = |list: Vec<u32>| list.into_iter().map(|label| label.saturating_add(1)).collect();
    let lists: Vec<Vec<u32>> = lists.into_iter().map(outputs).collect();
    let logits = PackedSequence::from_layout(prediction.clone(), layout.clone())?;
    let reduction = CtcReduction::Mean;
    ctc_loss(&logits, &lists, CtcOptions { blank: BLANK, zero_infinity: true, reduction })
}

/// Returns the order of the packed rows, and the labels of each sequence.
pub(super) fn lists<'a>(
    prediction: &Tensor,
    targets: &Targets<'a>,
) -> Result<(&'a PackedLayout, Vec<Vec<u32>>)> {
    let (Some(layout), Some(lengths)) = (targets.layout, targets.lengths) else {
        let (rows, got) = (prediction.dim(0)?, targets.values.dims().to_vec());
        return Err(Error::LabelTargets { rows, got });
    };
    let joined = targets.classes()?;
    let (mut lists, mut rest) = (vec![], joined.as_slice());
    for &length in lengths {
        let Some((list, others)) = rest.split_at_checked(length) else {
            let (expected, got) = (vec![lengths.iter().sum()], vec![joined.len()]);
            return Err(Error::Shape { name: "target".into(), expected, got });
        };
        lists.push(list.to_vec());
        rest = others;
    }
    Ok((layout, lists))
}

/// Returns the most probable labels of each sequence, in the caller's order: those of the best alignment for a beam of
/// 1, or else found by a beam search.
pub(crate) fn transcribe(
    prediction: &Tensor,
    layout: &PackedLayout,
    beam: usize,
) -> Result<Vec<Vec<u32>>> {
    let classes = prediction.dim(1)?;
    let logits = prediction.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let run = || -> std::result::Result<Vec<Decoded>, ragged_kernels::Error> {
        let rows = PackedRows::new(layout.batch_size(), layout.batch_sizes())?;
        if beam <= 1 {
            return ctc_greedy(&rows, classes, &logits, BLANK);
        }
        let found = ctc_beam_search(&rows, classes, &logits, BLANK, beam)?;
        let nothing = || Decoded { labels: vec![], score: f64::NEG_INFINITY };
        Ok(found.into_iter().map(|best| best.into_iter().next().unwrap_or_else(nothing)).collect())
    };
    let decoded = run().map_err(candle_core::Error::wrap)?;
    let labels = |&sorted: &usize| decoded[sorted].labels.iter().map(|output| output - 1).collect();
    Ok(layout.unsorted_indices().iter().map(labels).collect())
}
