//! The training loop: epochs of updates, each followed by an evaluation.

use std::ops::ControlFlow;

use ragged_datasets::{DataLoader, Dataset};

use crate::error::Result;
use crate::fit::gradient_accumulator::GradientAccumulator;
use crate::fit::observer::Observer;
use crate::fit::record::StepRecord;
use crate::fit::step_options::Position;
use crate::fit::trainer::{StopReason, Trainer, save_non_finite};
use crate::objective::targets::Targets;

impl Trainer<'_> {
    /// Trains from the current position to the end of the run.
    ///
    /// Without `valid`, the monitored metric is measured on the training data.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`](crate::Error::NonFinite) before an update that would make the parameters
    /// useless; errors of the data, of the model and of the observer.
    pub fn fit<T: Dataset, V: Dataset>(
        &mut self,
        train: &DataLoader<T>,
        valid: Option<&DataLoader<V>>,
        observer: &mut dyn Observer,
    ) -> Result<StopReason> {
        let early_stopping = self.config.early_stopping;
        loop {
            if early_stopping.is_some_and(|rule| self.progress.early_stopping.should_stop(&rule)) {
                return Ok(StopReason::EarlyStopped);
            }
            if self.progress.epoch >= self.config.epochs {
                return Ok(StopReason::Finished);
            }
            let flow = if self.config.bptt_steps > 0 {
                self.train_epoch_in_chunks(train, observer)?
            } else {
                self.train_epoch(train, observer)?
            };
            if flow.is_break() {
                return Ok(StopReason::Interrupted);
            }
            let mut record = self.progress.end_epoch(self.loss);
            if let Some(valid) = valid {
                record.valid = Some(self.evaluate(valid)?.finish());
            }
            let (monitor, progress) = (&self.config.monitor, &mut self.progress);
            let value = monitor.value(record.monitored());
            progress.plateau.update(&self.config.schedule, monitor, value);
            if let Some(rule) = &early_stopping {
                progress.early_stopping.update(rule, monitor, value);
            }
            observer.epoch(&record, &self.state())?;
        }
    }

    /// Trains on the remaining batches of the current epoch.
    fn train_epoch<T: Dataset>(
        &mut self,
        loader: &DataLoader<T>,
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<()>> {
        let epoch = self.progress.epoch;
        let overfit = self.config.overfit_batches;
        // When a few batches are to be overfitted, every epoch repeats those of the first.
        let rest = loader.epoch_from(if overfit > 0 { 0 } else { epoch }, self.progress.batch);
        let batches = self.progress.batch + rest.len();
        let batches = if overfit > 0 { overfit.min(batches) } else { batches };
        let steps = self.config.steps(loader.len());
        let mut rest = rest.take(batches - self.progress.batch);
        while self.progress.batch < batches {
            let (mut real_steps, mut padded_steps) = (0, 0);
            let first = self.progress.batch;
            let group = first..(first + self.config.accumulate).min(batches);
            let (mut sum, mut last) = (GradientAccumulator::default(), None);
            // Several means need the weights of the whole group before the first gradient.
            let mut known = vec![];
            if self.loss.means() > 1 && group.len() > 1 {
                let data = rest.by_ref().take(group.len());
                known = data.collect::<ragged_datasets::Result<Vec<_>>>()?;
                sum = GradientAccumulator::of_group(self.loss, &known)?;
            }
            let data = known.into_iter().map(Ok).chain(rest.by_ref());
            for (batch, data) in group.clone().zip(data) {
                let data = data?;
                let mut rng = self.dropout_rng(epoch, batch);
                let at = Position { epoch, batch };
                let (loss, prediction) = sum
                    .add(self.model, &data, self.loss, &self.optimizer, at, &mut rng)
                    .map_err(|error| save_non_finite(error, &data, observer))?;
                let (targets, sums) = (Targets::of(&data)?, &mut self.progress.sums.metrics);
                self.loss.measure(loss, &prediction, &targets, sums)?;
                real_steps += data.real_steps();
                padded_steps += data.padded_steps();
                last = Some((at, data));
            }
            let Some((at, data)) = last else { break };
            let (loss, options) = (sum.loss(), self.step_options(steps));
            let grad_norm = sum
                .update(&mut self.optimizer, options, at)
                .map_err(|error| save_non_finite(error, &data, observer))?;
            let lr = options.hyperparameters.lr;
            self.count_update(group.len(), grad_norm, lr)?;
            let record = StepRecord {
                epoch: epoch + 1,
                batch: self.progress.batch,
                batches,
                updates: self.progress.updates,
                loss,
                grad_norm,
                lr,
                steps: real_steps,
                padded_steps,
            };
            if observer.update(&record, &self.state())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
