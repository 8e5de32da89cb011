//! Truncated backpropagation through time: long series in chunks of some steps, with an update after
//! each chunk and the state carried on as a constant (Williams and Peng 1990).
//!
//! ```text
//! lane 0   aaaa|aaaa|aa··|cccc|c···      a ends, c enters in its lane
//! lane 1   bbbb|bbbb|bbbb|b···|dddd      a chunk is one packed batch of all lanes' next steps
//! ```

use std::ops::Range;

use candle_core::{Device, Tensor};
use ragged_datasets::{
    Batch, BatchInput, Collate, DataLoader, Dataset, Example, Sequence, Target, TargetKind,
};
use ragged_models::ModelStream;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{Error, Flow, Observer, Position, Result, StepRecord, Trainer, UpdateRule};

/// The next steps of every lane.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Lane by lane; `None` for a lane for which no series is left.
    pub(crate) parts: Vec<Option<Part>>,
}

/// The steps of one series that a chunk holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) example: usize,
    pub(crate) steps: Range<usize>,
    /// Whether they are the series' last ones.
    pub(crate) ends: bool,
}

/// Lays series, given as (example, length) in their order, into lanes, and cuts these into chunks of
/// at most `steps` steps. A series begins with a chunk, in the first lane that is free.
pub(crate) fn chunks(series: &[(usize, usize)], lanes: usize, steps: usize) -> Vec<Chunk> {
    let (lanes, steps) = (lanes.min(series.len()), steps.max(1));
    let mut waiting = series.iter();
    // The series of each lane and its steps so far.
    let mut under_way: Vec<Option<(usize, usize, usize)>> = vec![None; lanes];
    let mut chunks = vec![];
    loop {
        let parts = under_way.iter_mut().map(|lane| {
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
    /// The lanes in which a series begins.
    fn entering(&self) -> Vec<usize> {
        self.lanes(|part| part.steps.start == 0)
    }

    /// The lanes in which a series ends.
    fn leaving(&self) -> Vec<usize> {
        self.lanes(|part| part.ends)
    }

    fn lanes(&self, wanted: impl Fn(&Part) -> bool) -> Vec<usize> {
        let lanes = self.parts.iter().enumerate();
        lanes.filter_map(|(lane, part)| wanted(part.as_ref()?).then_some(lane)).collect()
    }

    /// The chunk as a packed batch, a row a lane.
    fn batch<D: Dataset>(&self, dataset: &D, epoch: usize) -> Result<Batch> {
        let cut = |part: &Option<Part>| match part {
            Some(part) => {
                let example = dataset.get(epoch, part.example)?;
                Ok((part.example, cut(&example, part.steps.clone())?))
            }
            None => Ok((0, nothing(dataset)?)),
        };
        let examples = self.parts.iter().map(cut).collect::<Result<Vec<_>>>()?;
        Ok(Collate::Packed.collate(&examples, &Device::Cpu)?)
    }
}

/// Some steps of an example, with their targets or the whole one's.
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
    Ok(Example { sequence: part(&example.sequence)?, target })
}

/// An example without a step, for a lane without a series.
fn nothing<D: Dataset>(dataset: &D) -> Result<Example> {
    let target = match dataset.target_kind() {
        TargetKind::Classes(_) => Target::Class(0),
        TargetKind::Values(count) => Target::Values(vec![0.0; *count]),
        TargetKind::StepClasses(_) => Target::StepClasses(vec![]),
        TargetKind::StepValues(count) => Target::StepValues(Sequence::new(vec![], *count)?),
    };
    Ok(Example { sequence: Sequence::new(vec![], dataset.features())?, target })
}

/// The mean loss of one chunk, its gradients an update away: predictions and targets of the rows
/// that count, which are all steps where there is a target a step, and otherwise the series that end.
/// `None` where no row counts; the state is carried on all the same.
pub(crate) fn chunk_rows(
    stream: &mut ModelStream,
    chunk: &Chunk,
    batch: &Batch,
    a_step: bool,
    rng: &mut ChaCha8Rng,
) -> Result<Option<(Tensor, Tensor)>> {
    let BatchInput::Packed(packed) = &batch.input else {
        let (expected, got) = ("a packed batch".into(), "padded".into());
        return Err(Error::Batch { name: "input of a chunk", expected, got });
    };
    stream.reset(&chunk.entering())?;
    let prediction = stream.train_chunk(packed, rng)?;
    let leaving = chunk.leaving();
    if a_step {
        let counts = packed.layout().rows() > 0;
        return Ok(counts.then(|| (prediction, batch.target.clone())));
    }
    if leaving.is_empty() {
        return Ok(None);
    }
    let count = leaving.len();
    let rows: Vec<u32> = leaving.into_iter().map(|lane| lane as u32).collect();
    let rows = Tensor::from_vec(rows, count, &Device::Cpu)?;
    let target = batch.target.index_select(&rows, 0)?;
    Ok(Some((prediction.index_select(&rows, 0)?, target)))
}

impl Trainer<'_> {
    /// The chunks of an epoch.
    pub(crate) fn chunks<T: Dataset>(
        &self,
        loader: &DataLoader<T>,
        epoch: usize,
    ) -> Result<Vec<Chunk>> {
        let plan = loader.plan(epoch)?;
        let order = plan.iter().flatten().copied();
        let with_length = order.map(|index| Ok((index, loader.dataset().length(epoch, index)?)));
        let series = with_length.collect::<Result<Vec<_>>>()?;
        let lanes = plan.get(0).map_or(0, <[usize]>::len);
        Ok(chunks(&series, lanes, self.config.bptt_steps))
    }

    /// The rest of the epoch under way, chunk by chunk.
    pub(crate) fn train_epoch_in_chunks<T: Dataset>(
        &mut self,
        loader: &DataLoader<T>,
        observer: &mut dyn Observer,
    ) -> Result<Flow> {
        let epoch = self.progress.epoch;
        let chunks = self.chunks(loader, epoch)?;
        let kind = loader.dataset().target_kind();
        let a_step = matches!(kind, TargetKind::StepClasses(_) | TargetKind::StepValues(_));
        let updates = |chunks: &[Chunk]| {
            chunks.iter().filter(|chunk| a_step || !chunk.leaving().is_empty()).count()
        };
        let steps = updates(&chunks) * self.config.epochs;
        let mut stream = self.model.stream(chunks.first().map_or(0, |chunk| chunk.parts.len()))?;
        if self.progress.batch > 0 {
            stream.set_state(std::mem::take(&mut self.carried))?;
        }
        for chunk in &chunks[self.progress.batch.min(chunks.len())..] {
            let batch = chunk.batch(loader.dataset(), epoch)?;
            let at = Position { epoch, batch: self.progress.batch };
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(((epoch as u64) << 32) | at.batch as u64);
            let counted = chunk_rows(&mut stream, chunk, &batch, a_step, &mut rng)?;
            let Some((prediction, target)) = counted else {
                self.progress.batch += 1;
                continue;
            };
            let rule = self.rule(steps);
            let (loss, grad_norm) = self
                .descend(&prediction, &target, rule, at)
                .map_err(|error| crate::trainer::rejected(error, &batch, observer))?;
            self.progress.update(1, grad_norm, rule.rates.lr);
            self.carried = stream.state().to_vec();
            let record = StepRecord {
                epoch: epoch + 1,
                batch: self.progress.batch,
                batches: chunks.len(),
                updates: self.progress.updates,
                loss,
                grad_norm,
                lr: rule.rates.lr,
                steps: batch.real_steps(),
                padded_steps: batch.padded_steps(),
            };
            if observer.update(&record, &self.state())? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        self.carried.clear();
        Ok(Flow::Continue)
    }

    /// Loss, backward, clip, update: the mean loss and the norm of the gradients.
    fn descend(
        &mut self,
        prediction: &Tensor,
        target: &Tensor,
        rule: UpdateRule,
        at: Position,
    ) -> Result<(f64, f64)> {
        let mut sum = crate::Accumulation::default();
        let loss = sum.backward(prediction, target, self.loss, &self.optimizer, at)?;
        let norm = sum.update(&mut self.optimizer, rule, at)?;
        self.progress.sums.metrics.add(loss, &prediction.detach(), target)?;
        if let Some(ema) = &mut self.ema {
            ema.update()?;
        }
        Ok((loss, norm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_enter_where_others_have_left() {
        let text = |chunk: &Chunk| -> String {
            let part = |part: &Option<Part>| match part {
                None => "-".to_string(),
                Some(Part { example, steps, ends }) => {
                    format!(
                        "{example}:{}-{}{}",
                        steps.start,
                        steps.end,
                        if *ends { "!" } else { "" }
                    )
                }
            };
            chunk.parts.iter().map(part).collect::<Vec<_>>().join(" ")
        };
        let chunks = chunks(&[(7, 10), (3, 5), (9, 4), (2, 0)], 2, 4);
        let texts: Vec<_> = chunks.iter().map(text).collect();
        assert_eq!(texts, ["7:0-4 3:0-4", "7:4-8 3:4-5!", "7:8-10! 9:0-4!", "2:0-0! -"]);
        assert_eq!((chunks[2].entering(), chunks[2].leaving()), (vec![1], vec![0, 1]));
        assert!(super::chunks(&[], 2, 4).is_empty());
    }
}
