//! The trainer: everything that a run needs and changes. Its loop is in `epochs.rs`.

use std::ops::ControlFlow;

use candle_core::{Tensor, Var};
use ragged_datasets::{Batch, DataLoader, Dataset, Sharding};
use ragged_sequence::random::{Generator, Purpose};

use crate::distributed::communicator::{Communicator, SingleProcess};
use crate::distributed::error::RankError;
use crate::distributed::gather::gather;
use crate::error::{Error, Result};
use crate::fit::batch_model::BatchModel;
use crate::fit::observer::{Observer, TrainState};
use crate::fit::progress::Progress;
use crate::fit::record::StepRecord;
use crate::fit::step::evaluate_on;
use crate::fit::step_options::StepOptions;
use crate::fit::train_config::TrainConfig;
use crate::objective::loss::Loss;
use crate::objective::metric_sum::MetricSum;
use crate::optim::ema::Ema;
use crate::optim::optimizer::Optimizer;
use crate::optim::schedule::{Schedule, SchedulePoint};

/// Trains a model over epochs.
///
/// Everything random derives from the seed. The dropout masks derive from the seed, the epoch and the
/// batch, so that a resumed run draws the masks that an uninterrupted run would have drawn.
///
/// [`fit`](Self::fit) runs the loop; the crate page has an example.
pub struct Trainer<'a> {
    /// The model to train.
    pub model: &'a dyn BatchModel,
    /// The optimiser, which holds the parameters of the model.
    pub optimizer: Optimizer,
    /// The moving average of the weights, if there is one; evaluations use it.
    pub ema: Option<Ema>,
    /// The loss to minimise.
    pub loss: &'a dyn Loss,
    /// The number of epochs, the schedule, and so on.
    pub config: TrainConfig,
    /// The seed from which everything random derives.
    pub seed: u64,
    /// The position of the run.
    pub progress: Progress,
    /// The recurrent states of unfinished series, for training in chunks; empty otherwise, and empty
    /// at the start of an epoch.
    pub carried: Vec<Tensor>,
    /// The processes that train together; [`SingleProcess`] unless another is set. Each of them has a trainer with
    /// the same data, parameters and configuration.
    pub communicator: &'a dyn Communicator,
}

/// Why [`Trainer::fit`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The last epoch has ended.
    Finished,
    /// The monitored metric has not improved for long enough ([`EarlyStopping`](crate::fit::EarlyStopping)).
    EarlyStopped,
    /// An observer interrupted the run between two updates.
    Interrupted,
}

impl<'a> Trainer<'a> {
    /// Creates a trainer at the start of a run.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first value that is out of range.
    pub fn new(
        model: &'a dyn BatchModel,
        parameters: Vec<(String, Var)>,
        loss: &'a dyn Loss,
        config: TrainConfig,
        seed: u64,
    ) -> Result<Self> {
        config.validate()?;
        config.monitor.check(loss)?;
        let ema = (config.ema_decay > 0.0).then(|| Ema::new(config.ema_decay, parameters.clone()));
        let optimizer =
            Optimizer::with_groups(config.optimizer.clone(), parameters, &config.groups)?;
        let progress = Progress::new(loss, config.lr);
        let (ema, carried, communicator) = (ema.transpose()?, vec![], &SingleProcess);
        Ok(Self { model, optimizer, ema, loss, config, seed, progress, carried, communicator })
    }

    /// Returns everything except the parameters that changes during training.
    pub fn state(&self) -> TrainState<'_> {
        let (optimizer, progress) = (&self.optimizer, &self.progress);
        TrainState { optimizer, ema: self.ema.as_ref(), progress, carried: &self.carried }
    }

    /// Computes the metrics on a data set, with the averaged weights where there are any.
    ///
    /// # Errors
    ///
    /// Errors of the data and of the model.
    pub fn evaluate<D: Dataset>(&mut self, loader: &DataLoader<D>) -> Result<MetricSum> {
        let swap = |ema: &mut Option<Ema>| ema.as_mut().map_or(Ok(()), Ema::swap);
        swap(&mut self.ema)?;
        let metrics = evaluate_on(self.communicator, self.model, loader, self.loss);
        swap(&mut self.ema)?;
        metrics
    }

    /// Checks that the ranks can share the shards evenly.
    pub(crate) fn check_ranks(&self) -> Result<()> {
        let (ranks, shards) = (self.communicator.size(), self.config.shards);
        if shards.is_multiple_of(ranks) {
            return Ok(());
        }
        Err(RankError::Shards { shards, ranks }.into())
    }

    /// Returns the shards of this rank, as many as every other rank has.
    pub(crate) fn sharding(&self) -> Sharding {
        let (rank, ranks) = (self.communicator.rank(), self.communicator.size());
        let (count, share) = (self.config.shards, self.config.shards / ranks);
        Sharding { count, own: rank * share..(rank + 1) * share }
    }

    /// Adds the weights of each of several means of the shards of all ranks.
    pub(crate) fn joint_weights(&self, own: Result<Vec<Vec<f64>>>) -> Result<Vec<f64>> {
        let mut totals = vec![0.0; self.loss.means()];
        for shard in gather(self.communicator, own)?.into_iter().flatten() {
            totals.iter_mut().zip(shard).for_each(|(total, weight)| *total += weight);
        }
        Ok(totals)
    }

    /// Returns the generator of the dropout masks of a shard of a batch.
    pub(crate) fn dropout_rng(&self, epoch: usize, batch: usize, shard: usize) -> Generator {
        let index = batch * self.config.shards + shard;
        Generator::new(self.seed, Purpose::Dropout, Some(epoch), index)
    }

    /// Informs the observer of each rank of an update. All ranks stop if one of them wants to.
    pub(crate) fn observe(
        &self,
        record: &StepRecord,
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<()>> {
        let flow = observer.update(record, &self.state());
        if self.communicator.size() == 1 {
            return flow;
        }
        let stops = gather(self.communicator, flow.map(|flow| flow.is_break()))?;
        let stop = stops.into_iter().any(|stop| stop);
        Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Returns the options of the next update, for a run of `steps` updates.
    pub(crate) fn step_options(&self, steps: usize) -> StepOptions {
        let TrainConfig { epochs, clip_grad_norm, clip_grad_value, .. } = self.config;
        let (step, epoch) = (self.progress.updates as usize, self.progress.epoch);
        let lr = match self.config.schedule {
            Schedule::Plateau { .. } => self.progress.plateau.lr,
            _ => self.config.lr,
        };
        let limit = |limit: f64| (limit > 0.0).then_some(limit);
        let point = SchedulePoint { step, steps, epoch, epochs };
        StepOptions {
            hyperparameters: self.config.schedule.hyperparameters(lr, point),
            clip_grad_norm: limit(clip_grad_norm),
            clip_grad_value: limit(clip_grad_value),
        }
    }

    /// Averages the weights after an update, and counts the update, which used `batches` batches.
    pub(crate) fn count_update(&mut self, batches: usize, grad_norm: f64, lr: f64) -> Result<()> {
        if let Some(ema) = &mut self.ema {
            ema.update()?;
        }
        self.progress.update(batches, grad_norm, lr);
        Ok(())
    }
}

impl std::fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("optimizer", &self.optimizer)
            .field("ema", &self.ema)
            .field("config", &self.config)
            .field("seed", &self.seed)
            .field("progress", &self.progress)
            .field("carried", &self.carried)
            .finish_non_exhaustive()
    }
}

/// Lets the observer save a batch with a loss or gradient that is not finite, and adds the file to
/// the error.
pub(crate) fn save_non_finite(
    error: Error,
    batch: Option<&Batch>,
    observer: &mut dyn Observer,
) -> Error {
    match (error, batch) {
        (Error::NonFinite { what, value, epoch, batch: number, .. }, Some(batch)) => {
            match observer.non_finite(batch) {
                Ok(saved) => Error::NonFinite { what, value, epoch, batch: number, saved },
                Err(error) => error,
            }
        }
        (other, _) => other,
    }
}
