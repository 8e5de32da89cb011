//! Series cut into chunks for truncated backpropagation through time.
//!
//! ```text
//! lane 0   aaaa|aaaa|aa··|cccc|c···      a ends, c starts in the same lane
//! lane 1   bbbb|bbbb|bbbb|b···|dddd      a chunk is one packed batch: the next steps of every lane
//! ```

use std::ops::Range;

use candle_core::{Device, Tensor};
use ragged_datasets::{Batch, Collate, Dataset, Example, Sequence, Target, TargetKind};
use ragged_models::TrainingStream;
use ragged_sequence::random::Generator;

use crate::error::Result;
use crate::fit::batch_model::packed;

/// The next steps of every lane.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// One entry per lane; `None` for a lane without a series, when all series have started.
    pub(crate) parts: Vec<Option<Part>>,
}

/// The steps of one series in a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) example: usize,
    pub(crate) steps: Range<usize>,
    /// Whether the series ends with these steps.
    pub(crate) ends: bool,
}

/// Distributes series, given as pairs of example and length in their order, over lanes, and cuts the
/// lanes into chunks of at most `steps` steps. A series starts with a chunk, in the first free lane.
pub(crate) fn chunks(series: &[(usize, usize)], lanes: usize, steps: usize) -> Vec<Chunk> {
    let (lanes, steps) = (lanes.min(series.len()), steps.max(1));
    let mut waiting = series.iter();
    // For each lane: the example, its length, and its steps so far.
    let mut active: Vec<Option<(usize, usize, usize)>> = vec![None; lanes];
    let mut chunks = vec![];
    loop {
        let parts = active.iter_mut().map(|lane| {
            if lane.is_none() {
                *lane = waiting.next().map(|&(example, length)| (example, length, 0));
            }
            let (example, length, begin) = (*lane)?;
            let end = length.min(begin.saturating_add(steps));
            let ends = end == length;
            *lane = (!ends).then_some((example, length, end));
            Some(Part { example, steps: begin..end, ends })
        });
        let parts: Vec<_> = parts.collect();
        if parts.iter().all(Option::is_none) {
            return chunks;
        }
        chunks.push(Chunk { parts });
    }
}

impl Chunk {
    /// Returns the chunk of some of the lanes.
    pub(crate) fn of_lanes(&self, lanes: Range<usize>) -> Self {
        Self { parts: self.parts[lanes].to_vec() }
    }

    /// Returns the lanes in which a series starts.
    pub(crate) fn starting(&self) -> Vec<usize> {
        self.lanes(|part| part.steps.start == 0)
    }

    /// Returns the lanes in which a series ends.
    pub(crate) fn ending(&self) -> Vec<usize> {
        self.lanes(|part| part.ends)
    }

    fn lanes(&self, wanted: impl Fn(&Part) -> bool) -> Vec<usize> {
        let lanes = self.parts.iter().enumerate();
        lanes.filter_map(|(lane, part)| wanted(part.as_ref()?).then_some(lane)).collect()
    }

    /// Returns the chunk as a packed batch, one sequence per lane.
    pub(crate) fn batch<D: Dataset>(&self, dataset: &D, epoch: usize) -> Result<Batch> {
        let example = |part: &Option<Part>| match part {
            Some(part) => {
                let example = dataset.get(epoch, part.example)?;
                Ok((part.example, cut(&example, part.steps.clone())?))
            }
            None => Ok((0, empty(dataset)?)),
        };
        let examples = self.parts.iter().map(example).collect::<Result<Vec<_>>>()?;
        Ok(Collate::Packed.collate(&examples, &Device::Cpu)?)
    }

    /// Runs the model on this chunk, whose batch is `batch`, and returns the predictions and targets
    /// of the rows that have a target: all steps where there is one target per step, and otherwise
    /// the series that end. Returns `None` where no row has a target; the recurrent state advances in
    /// any case.
    pub(crate) fn forward(
        &self,
        stream: &mut TrainingStream,
        batch: &Batch,
        target_per_step: bool,
        rng: &mut Generator,
    ) -> Result<Option<(Tensor, Tensor)>> {
        let packed = packed(&batch.input.steps)?;
        stream.reset(&self.starting())?;
        let prediction = stream.chunk(packed, rng)?;
        if target_per_step {
            let any = packed.layout().rows() > 0;
            return Ok(any.then(|| (prediction, batch.target.clone())));
        }
        let ending = self.ending();
        if ending.is_empty() {
            return Ok(None);
        }
        let count = ending.len();
        let rows: Vec<u32> = ending.into_iter().map(|lane| lane as u32).collect();
        let rows = Tensor::from_vec(rows, count, &Device::Cpu)?;
        let target = batch.target.index_select(&rows, 0)?;
        Ok(Some((prediction.index_select(&rows, 0)?, target)))
    }
}

/// Returns some steps of an example, with the targets of these steps or the target of the series.
fn cut(example: &Example, steps: Range<usize>) -> Result<Example> {
    let part = |sequence: &Sequence| {
        let features = sequence.features();
        let values = &sequence.values()[steps.start * features..steps.end * features];
        Sequence::new(values.to_vec(), features)
    };
    let target = match &example.target {
        Target::StepClasses(classes) => Target::StepClasses(classes[steps.clone()].to_vec()),
        Target::StepValues(values) => Target::StepValues(part(values)?),
        whole => whole.clone(),
    };
    Ok(Example::new(part(&example.sequence)?, target))
}

/// Returns an example without steps, for a lane without a series.
fn empty<D: Dataset>(dataset: &D) -> Result<Example> {
    let target = match dataset.target_kind() {
        TargetKind::Classes(_) => Target::Class(0),
        TargetKind::Values(count) => Target::Values(vec![0.0; *count]),
        TargetKind::StepClasses(_) => Target::StepClasses(vec![]),
        TargetKind::Labels(_) => Target::Labels(vec![]),
        TargetKind::StepValues(count) => Target::StepValues(Sequence::new(vec![], *count)?),
        TargetKind::Parts { parts, per_step: false } => Target::Values(vec![0.0; parts.len()]),
        TargetKind::Parts { parts, per_step: true } => {
            Target::StepValues(Sequence::new(vec![], parts.len())?)
        }
    };
    Ok(Example::new(Sequence::new(vec![], dataset.features())?, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_starts_where_another_has_ended() {
        let text = |chunk: &Chunk| -> String {
            let part = |part: &Option<Part>| match part {
                None => "-".to_string(),
                Some(Part { example, steps, ends }) => {
                    let end = if *ends { "!" } else { "" };
                    format!("{example}:{}-{}{end}", steps.start, steps.end)
                }
            };
            chunk.parts.iter().map(part).collect::<Vec<_>>().join(" ")
        };
        let chunks = chunks(&[(7, 10), (3, 5), (9, 4), (2, 0)], 2, 4);
        let texts: Vec<_> = chunks.iter().map(text).collect();
        assert_eq!(texts, ["7:0-4 3:0-4", "7:4-8 3:4-5!", "7:8-10! 9:0-4!", "2:0-0! -"]);
        assert_eq!((chunks[2].starting(), chunks[2].ending()), (vec![1], vec![0, 1]));
        assert!(super::chunks(&[], 2, 4).is_empty());
    }
}
