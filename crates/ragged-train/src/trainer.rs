//! The training loop, in the open: epochs of updates, then an evaluation.

use std::path::PathBuf;

use candle_core::{Tensor, Var};
use ragged_datasets::{Batch, DataLoader, Dataset};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    Accumulation, Ema, EpochRecord, Error, Loss, MetricSum, Model, Optimizer, Position, Progress,
    Result, Schedule, StepRecord, Time, TrainConfig, UpdateRule, eval_step,
};

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// With the next update.
    Continue,
    /// It stops here, to be resumed some day.
    Stop,
}

/// How [`Trainer::fit`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// After the last epoch.
    Finished,
    /// Early, because it got no better.
    Stopped,
    /// Where an observer asked it to, between two updates.
    Interrupted,
}

/// What changes while a model trains, beside the parameters.
pub struct TrainState<'a> {
    /// The update rule's state, which also knows the parameters.
    pub optimizer: &'a Optimizer,
    /// The average of the weights, if one is kept.
    pub ema: Option<&'a Ema>,
    /// Where the run stands.
    pub progress: &'a Progress,
    /// The states of series that are under way, where training goes chunk by chunk.
    pub carried: &'a [Tensor],
}

/// Somebody who watches a run. The trainer itself prints and writes nothing.
pub trait Observer {
    /// After every update.
    ///
    /// # Errors
    ///
    /// An error ends the run: for an observer that writes files.
    fn update(&mut self, record: &StepRecord, state: &TrainState) -> Result<Flow> {
        let _ = (record, state);
        Ok(Flow::Continue)
    }

    /// After every epoch.
    ///
    /// # Errors
    ///
    /// An error ends the run.
    fn epoch(&mut self, record: &EpochRecord, state: &TrainState) -> Result<()> {
        let _ = (record, state);
        Ok(())
    }

    /// A batch gave a loss or gradient that is not finite, and ends the run. Returns where the batch
    /// was written, if it was.
    ///
    /// # Errors
    ///
    /// An error takes the place of [`Error::NonFinite`].
    fn non_finite(&mut self, batch: &Batch) -> Result<Option<PathBuf>> {
        let _ = batch;
        Ok(None)
    }
}

/// Nobody watches.
impl Observer for () {}

/// Trains a model over epochs.
///
/// Everything random derives from the seed: dropout draws from a stream of the epoch and batch
/// alone, so a run that goes on from its [`Progress`] draws what it would have drawn.
pub struct Trainer<'a> {
    /// What is trained.
    pub model: &'a dyn Model,
    /// Its update rule and the parameters under it.
    pub optimizer: Optimizer,
    /// The average of the weights, if one is kept; evaluations use it.
    pub ema: Option<Ema>,
    /// What is made small.
    pub loss: Loss,
    /// How long and how.
    pub config: TrainConfig,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Where the run stands.
    pub progress: Progress,
    /// The states of series that are under way, where training goes chunk by chunk; otherwise, and
    /// at the start of an epoch, there are none.
    pub carried: Vec<Tensor>,
}

impl<'a> Trainer<'a> {
    /// At the start of a run.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first value that cannot be.
    pub fn new(
        model: &'a dyn Model,
        parameters: Vec<(String, Var)>,
        loss: Loss,
        config: TrainConfig,
        seed: u64,
    ) -> Result<Self> {
        config.validate()?;
        config.monitor.check(loss)?;
        let ema = (config.ema_decay > 0.0).then(|| Ema::new(config.ema_decay, parameters.clone()));
        let optimizer =
            Optimizer::with_groups(config.optimizer.clone(), parameters, &config.groups)?;
        let progress = Progress::new(loss, config.lr);
        let (ema, carried) = (ema.transpose()?, vec![]);
        Ok(Self { model, optimizer, ema, loss, config, seed, progress, carried })
    }

    /// Trains from where the run stands to its end.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`] before an update that would spoil the parameters; errors of the data,
    /// the model and the observer.
    pub fn fit<T: Dataset, V: Dataset>(
        &mut self,
        train: &DataLoader<T>,
        valid: Option<&DataLoader<V>>,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        let patience = self.config.early_stopping;
        loop {
            if patience.is_some_and(|rule| self.progress.patience.exhausted(&rule)) {
                return Ok(Ending::Stopped);
            }
            if self.progress.epoch >= self.config.epochs {
                return Ok(Ending::Finished);
            }
            let flow = if self.config.bptt_steps > 0 {
                self.train_epoch_in_chunks(train, observer)?
            } else {
                self.train_epoch(train, observer)?
            };
            if flow == Flow::Stop {
                return Ok(Ending::Interrupted);
            }
            let mut record = self.progress.end_epoch(self.loss);
            if let Some(valid) = valid {
                record.valid = Some(self.evaluate(valid)?.finish());
            }
            let (monitor, progress) = (self.config.monitor, &mut self.progress);
            let value = monitor.value(record.held_out());
            progress.plateau.update(&self.config.schedule, monitor, value);
            if let Some(rule) = &patience {
                progress.patience.update(rule, monitor, value);
            }
            observer.epoch(&record, &self.state())?;
        }
    }

    /// What changes while it trains.
    pub fn state(&self) -> TrainState<'_> {
        let (optimizer, progress) = (&self.optimizer, &self.progress);
        TrainState { optimizer, ema: self.ema.as_ref(), progress, carried: &self.carried }
    }

    /// The metrics over a data set, by the averaged weights where there are any.
    ///
    /// # Errors
    ///
    /// Those of the data and the model.
    pub fn evaluate<D: Dataset>(&mut self, loader: &DataLoader<D>) -> Result<MetricSum> {
        let swap = |ema: &mut Option<Ema>| ema.as_mut().map_or(Ok(()), Ema::swap);
        swap(&mut self.ema)?;
        let metrics = evaluate(self.model, loader, self.loss);
        swap(&mut self.ema)?;
        metrics
    }

    /// The rest of the epoch under way.
    fn train_epoch<T: Dataset>(
        &mut self,
        loader: &DataLoader<T>,
        observer: &mut dyn Observer,
    ) -> Result<Flow> {
        let epoch = self.progress.epoch;
        let overfit = self.config.overfit_batches;
        // Over and over the same batches, where that is asked.
        let rest = loader.epoch_from(if overfit > 0 { 0 } else { epoch }, self.progress.batch);
        let batches = self.progress.batch + rest.len();
        let batches = if overfit > 0 { overfit.min(batches) } else { batches };
        let steps = self.config.steps(loader.len());
        let mut rest = rest.take(batches - self.progress.batch);
        while self.progress.batch < batches {
            let mut sum = Accumulation::default();
            let (mut real_steps, mut padded_steps) = (0, 0);
            let first = self.progress.batch;
            let group = first..(first + self.config.accumulate).min(batches);
            let mut last = None;
            for (batch, data) in group.clone().zip(rest.by_ref()) {
                let data = data?;
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(((epoch as u64) << 32) | batch as u64);
                let at = Position { epoch, batch };
                let (loss, prediction) = sum
                    .add(self.model, &data, self.loss, &self.optimizer, at, &mut rng)
                    .map_err(|error| rejected(error, &data, observer))?;
                self.progress.sums.metrics.add(loss, &prediction, &data.target)?;
                real_steps += data.real_steps();
                padded_steps += data.padded_steps();
                last = Some((at, data));
            }
            let Some((at, data)) = last else { break };
            let (loss, rule) = (sum.loss(), self.rule(steps));
            let grad_norm = sum
                .update(&mut self.optimizer, rule, at)
                .map_err(|error| rejected(error, &data, observer))?;
            if let Some(ema) = &mut self.ema {
                ema.update()?;
            }
            self.progress.update(group.len(), grad_norm, rule.rates.lr);
            let Progress { batch, updates, .. } = self.progress;
            let (epoch, lr) = (epoch + 1, rule.rates.lr);
            let record = StepRecord {
                epoch,
                batch,
                batches,
                updates,
                loss,
                grad_norm,
                lr,
                steps: real_steps,
                padded_steps,
            };
            if observer.update(&record, &self.state())? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// How the next update is made.
    pub(crate) fn rule(&self, steps: usize) -> UpdateRule {
        let TrainConfig { epochs, clip_grad_norm, clip_grad_value, .. } = self.config;
        let (step, epoch) = (self.progress.updates as usize, self.progress.epoch);
        let lr = match self.config.schedule {
            Schedule::Plateau { .. } => self.progress.plateau.lr,
            _ => self.config.lr,
        };
        let limit = |limit: f64| (limit > 0.0).then_some(limit);
        UpdateRule {
            rates: self.config.schedule.rates(lr, Time { step, steps, epoch, epochs }),
            clip_grad_norm: limit(clip_grad_norm),
            clip_grad_value: limit(clip_grad_value),
        }
    }
}

/// Lets the observer keep the batch that was not finite, and the error say where.
pub(crate) fn rejected(error: Error, batch: &Batch, observer: &mut dyn Observer) -> Error {
    match error {
        Error::NonFinite { what, value, epoch, batch: number, .. } => {
            match observer.non_finite(batch) {
                Ok(saved) => Error::NonFinite { what, value, epoch, batch: number, saved },
                Err(error) => error,
            }
        }
        other => other,
    }
}

/// The metrics of a model over a data set, in evaluation mode.
///
/// # Errors
///
/// Those of the data and the model.
pub fn evaluate<D: Dataset>(
    model: &dyn Model,
    loader: &DataLoader<D>,
    loss: Loss,
) -> Result<MetricSum> {
    let mut sum = MetricSum::new(loss);
    for batch in loader.epoch(0) {
        let batch = batch?;
        let (value, prediction) = eval_step(model, &batch, loss)?;
        sum.add(value, &prediction, &batch.target)?;
    }
    Ok(sum)
}
