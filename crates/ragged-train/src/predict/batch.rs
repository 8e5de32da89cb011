//! The predictions for one batch.

use candle_core::DType;
use ragged_datasets::{Batch, TargetKind};
use ragged_models::{Crf, Mode, PreparedModel};
use ragged_sequence::PackedSequence;
use ragged_transforms::Outputs;

use crate::error::{Error, Result};
use crate::fit::batch_model::BatchModel;
use crate::objective::softmax::softmax;
use crate::objective::transcription::transcribe;
use crate::predict::predictions::Prediction;

/// Adds a prediction for each sequence of a batch. `beam` is for lists of labels.
pub(crate) fn predict_batch(
    model: &PreparedModel,
    outputs: &Outputs,
    targets: &TargetKind,
    beam: usize,
    batch: &Batch,
    rows: &mut Vec<Prediction>,
) -> Result<()> {
    let output = BatchModel::forward(model, &batch.input, Mode::Inference)?;
    if let (Some(crf), Some(layout)) = (model.crf(), batch.input.steps.layout()) {
        let emissions = PackedSequence::from_layout(output, layout.clone())?;
        return predict_paths(crf, &emissions, rows);
    }
    if let (true, Some(layout)) = (targets.is_transcription(), batch.input.steps.layout()) {
        for (row, (sequence, _)) in
            output.to_dtype(DType::F64)?.to_vec2::<f64>()?.iter().zip(layout.positions())
        {
            if !row.iter().all(|value| value.is_finite()) {
                return Err(Error::NonFinitePrediction { sequence: rows.len() + sequence + 1 });
            }
        }
        let found = transcribe(&output, layout, beam)?.into_iter();
        rows.extend(found.map(|list| Prediction { decoded: Some(list), ..Default::default() }));
        return Ok(());
    }
    let output = output.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    let output = output.into_iter().map(|row| predicted(outputs, targets, row));
    match batch.input.steps.layout().filter(|_| targets.is_per_step()) {
        Some(layout) => {
            let first = rows.len();
            rows.extend((0..batch.batch_size()).map(|_| Prediction::default()));
            for ((b, _), values) in layout.positions().zip(output) {
                rows[first + b].values.push(values);
            }
        }
        None => rows
            .extend(output.map(|values| Prediction { values: vec![values], ..Default::default() })),
    }
    Ok(())
}

/// Returns the prediction that the outputs of a row mean: the probabilities of classes, or values in the units of the
/// data.
pub(crate) fn predicted(outputs: &Outputs, targets: &TargetKind, mut row: Vec<f32>) -> Vec<f64> {
    outputs.apply(&mut row);
    let mut row: Vec<f64> = row.into_iter().map(f64::from).collect();
    if targets.labels().is_some() {
        softmax(&mut row);
    }
    let mut start = 0;
    for (head, part) in outputs.kind.heads().iter().zip(targets.parts()) {
        let range = start..start + head.count;
        start = range.end;
        if part.labels().is_some() {
            softmax(&mut row[range]);
        }
    }
    row
}

/// Adds the best path of each sequence, and the marginal probabilities of each step.
fn predict_paths(crf: &Crf, emissions: &PackedSequence, rows: &mut Vec<Prediction>) -> Result<()> {
    let marginals = crf.marginals(emissions)?.data().to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let first = rows.len();
    let paths = crf.decode(emissions)?.into_iter();
    rows.extend(paths.map(|(path, _)| Prediction { decoded: Some(path), ..Default::default() }));
    for ((b, _), probabilities) in emissions.layout().positions().zip(marginals) {
        rows[first + b].values.push(probabilities);
    }
    Ok(())
}
