//! Truncated backpropagation through time (Williams and Peng 1990): long series are processed in
//! chunks of some steps, with an update after each chunk. The recurrent state passes from chunk to
//! chunk as a constant, so gradients end where the chunk starts.

use std::ops::ControlFlow;

use candle_core::Tensor;
use ragged_datasets::{DataLoader, Dataset};

use crate::error::Result;
use crate::fit::chunks::{Chunk, chunks};
use crate::fit::gradient_accumulator::GradientAccumulator;
use crate::fit::observer::Observer;
use crate::fit::record::StepRecord;
use crate::fit::step_options::{Position, StepOptions};
use crate::fit::trainer::{Trainer, save_non_finite};
use crate::objective::targets::Targets;

impl Trainer<'_> {
    /// Trains on the remaining chunks of the current epoch.
    pub(crate) fn train_epoch_in_chunks<T: Dataset>(
        &mut self,
        loader: &DataLoader<T>,
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<()>> {
        let epoch = self.progress.epoch;
        let chunks = self.chunks(loader, epoch)?;
        let kind = loader.dataset().target_kind();
        let per_step = kind.is_per_step();
        let updates = |chunks: &[Chunk]| {
            chunks.iter().filter(|chunk| per_step || !chunk.ending().is_empty()).count()
        };
        let steps = updates(&chunks) * self.config.epochs;
        let rows = chunks.first().map_or(0, |chunk| chunk.parts.len());
        let mut stream = self.model.training_stream(rows)?;
        if self.progress.batch > 0 {
            stream.set_state(std::mem::take(&mut self.carried))?;
        }
        for chunk in &chunks[self.progress.batch.min(chunks.len())..] {
            let batch = chunk.batch(loader.dataset(), epoch)?;
            let at = Position { epoch, batch: self.progress.batch };
            let mut rng = self.dropout_rng(epoch, at.batch);
            let rows = chunk.forward(&mut stream, &batch, per_step, &mut rng)?;
            let Some((prediction, target)) = rows else {
                self.progress.batch += 1;
                continue;
            };
            let options = self.step_options(steps);
            let layout = if per_step { Targets::of(&batch)?.layout } else { None };
            let targets = Targets { layout, ..Targets::new(&target) };
            let (loss, grad_norm) = self
                .update(&prediction, &targets, options, at)
                .map_err(|error| save_non_finite(error, &batch, observer))?;
            let lr = options.hyperparameters.lr;
            self.count_update(1, grad_norm, lr)?;
            self.carried = stream.state().to_vec();
            let record = StepRecord {
                epoch: epoch + 1,
                batch: self.progress.batch,
                batches: chunks.len(),
                updates: self.progress.updates,
                loss,
                grad_norm,
                lr,
                steps: batch.real_steps(),
                padded_steps: batch.padded_steps(),
            };
            if observer.update(&record, &self.state())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.carried.clear();
        Ok(ControlFlow::Continue(()))
    }

    /// Returns the chunks of an epoch.
    fn chunks<T: Dataset>(&self, loader: &DataLoader<T>, epoch: usize) -> Result<Vec<Chunk>> {
        let plan = loader.plan(epoch)?;
        let order = plan.iter().flatten().copied();
        let with_length = order.map(|index| Ok((index, loader.dataset().length(epoch, index)?)));
        let series = with_length.collect::<Result<Vec<_>>>()?;
        let lanes = plan.get(0).map_or(0, <[usize]>::len);
        Ok(chunks(&series, lanes, self.config.bptt_steps))
    }

    /// Computes loss and gradients, clips, and updates. Returns the mean loss and the norm of the
    /// gradients.
    fn update(
        &mut self,
        prediction: &Tensor,
        targets: &Targets<'_>,
        options: StepOptions,
        at: Position,
    ) -> Result<(f64, f64)> {
        let mut sum = GradientAccumulator::default();
        let loss = sum.backward(prediction, &[], targets, self.loss, &self.optimizer, at)?;
        let norm = sum.update(&mut self.optimizer, options, at)?;
        self.loss.measure(loss, &prediction.detach(), targets, &mut self.progress.sums.metrics)?;
        Ok((loss, norm))
    }
}
