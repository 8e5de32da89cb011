//! The training loop: epochs of updates, each followed by an evaluation.

use std::ops::ControlFlow;

use ragged_datasets::{Batch, DataLoader, Dataset, Sharding};
use ragged_models::Mode;

use crate::distributed::gather::gather;
use crate::error::{Error, Result};
use crate::fit::observer::Observer;
use crate::fit::record::StepRecord;
use crate::fit::shard_sum::{JointSum, NonFiniteLoss, ShardSum};
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
        self.check_ranks()?;
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
            let observed = observer.epoch(&record, &self.state());
            gather(self.communicator, observed)?;
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
        let order = if overfit > 0 { 0 } else { epoch };
        let mut rest = loader.shards(order, self.progress.batch, &self.sharding())?;
        let batches = self.progress.batch + rest.len();
        let batches = if overfit > 0 { overfit.min(batches) } else { batches };
        let steps = self.config.steps(loader.len());
        while self.progress.batch < batches {
            let first = self.progress.batch;
            let group = first..(first + self.config.accumulate).min(batches);
            let data = rest.by_ref().take(group.len()).collect::<ragged_datasets::Result<_>>();
            let data: Result<Vec<Vec<Option<Batch>>>> = data.map_err(Error::from);
            let totals = self.totals(&data)?;
            let own = data.and_then(|data| {
                let shards = self.sum_shards(&data, epoch, first, totals.as_deref())?;
                Ok((shards, data.into_iter().flatten().flatten().last()))
            });
            let (own, last) = own.map_or_else(|e| (Err(e), None), |(own, last)| (Ok(own), last));
            let joint = JointSum::of(self.communicator, own, self.loss, &self.optimizer)?;
            let JointSum { gradients, metrics, steps: real_steps, padded_steps } = match joint {
                Ok(joint) => joint,
                Err((shard, NonFiniteLoss { value, batch })) => {
                    let at = Position { epoch, batch };
                    let error = at.non_finite("loss", value);
                    let only = Sharding { count: self.config.shards, own: shard..shard + 1 };
                    let batch = loader.shards(order, batch, &only)?.next().transpose()?;
                    let batch = batch.into_iter().flatten().flatten().next();
                    return Err(save_non_finite(error, batch.as_ref(), observer));
                }
            };
            self.progress.sums.metrics.merge(&metrics);
            let at = Position { epoch, batch: group.end - 1 };
            let (loss, options) = (gradients.loss(), self.step_options(steps));
            let grad_norm = gradients
                .update(&mut self.optimizer, options, at)
                .map_err(|error| save_non_finite(error, last.as_ref(), observer))?;
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
            if self.observe(&record, observer)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Returns the weights of each of the means in all shards of a group of batches; `None` for one shard, unless it has
    /// several means and batches.
    fn totals(&self, data: &Result<Vec<Vec<Option<Batch>>>>) -> Result<Option<Vec<f64>>> {
        let (means, shards) = (self.loss.means(), self.config.shards);
        let batches = data.as_ref().map_or(0, Vec::len);
        if shards == 1 && (means == 1 || batches <= 1) {
            return Ok(None);
        }
        // An error of the data reaches all ranks together with the sums of the shards.
        let weights = |shard: usize| {
            let mut sum = vec![0.0; means];
            for batch in data.iter().flatten().filter_map(|batch| batch.get(shard)?.as_ref()) {
                let weights = self.loss.weights(&Targets::of(batch)?)?;
                sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
            }
            Ok(sum)
        };
        self.joint_weights((0..self.sharding().own.len()).map(weights).collect()).map(Some)
    }

    /// Computes the gradients of the shards of this rank over a group of batches, of which `first` is the first.
    fn sum_shards(
        &self,
        data: &[Vec<Option<Batch>>],
        epoch: usize,
        first: usize,
        totals: Option<&[f64]>,
    ) -> Result<Vec<ShardSum>> {
        let shards = self.sharding().own;
        let mut sums: Vec<_> = shards.clone().map(|_| ShardSum::new(self.loss, totals)).collect();
        for (batch, data) in (first..).zip(data) {
            let at = Position { epoch, batch };
            for ((shard, sum), data) in shards.clone().zip(&mut sums).zip(data) {
                let Some(data) = data.as_ref().filter(|_| !sum.has_failed()) else { continue };
                let mut rng = self.dropout_rng(epoch, batch, shard);
                let mode = Mode::Train(&mut rng);
                let (prediction, sparse) = self.model.forward_sparse(&data.input, mode)?;
                let targets = Targets::of(data)?;
                sum.count(data);
                sum.add(&prediction, &sparse, &targets, self.loss, &self.optimizer, at)?;
            }
        }
        Ok(sums)
    }
}
