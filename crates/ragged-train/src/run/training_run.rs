//! A run from its position to its end: training, test, and everything that is written; on one rank or several.

use std::time::Instant;

use bytemuck::cast_slice;
use candle_core::Tensor;
use ragged_datasets::Sampler;

use crate::distributed::communicator::{Communicator, SingleProcess};
use crate::distributed::error::RankError;
use crate::distributed::gather::gather;
use crate::error::{Error, Result};
use crate::fit::non_finite::non_finite_sequences;
use crate::fit::observer::Observer;
use crate::fit::step::evaluate_on;
use crate::fit::trainer::{StopReason, Trainer};
use crate::objective::metric_sum::MetricSum;
use crate::run::checkpoint::{Checkpoint, load_checkpoint};
use crate::run::difference::Difference;
use crate::run::experiment::Experiment;
use crate::run::forecast_results::draw_forecasts;
use crate::run::identity::RunIdentity;
use crate::run::outcome::RunOutcome;
use crate::run::recorder::{Recorder, RunContext};
use crate::run::results::Results;
use crate::run::run_dir::{RunDir, RunSummary};
use crate::run::tokenizer::keep_copy;

impl Experiment {
    /// Trains to the end of the run, tests the best epoch (the last one where there are no validation
    /// data), and writes everything to `run`.
    ///
    /// # Errors
    ///
    /// Errors of training, and [`Error::NonFiniteTest`]. The files that were written before remain in the run
    /// directory.
    pub fn run(&self, run: &RunDir, observer: &mut dyn Observer) -> Result<RunOutcome> {
        self.run_on(&SingleProcess, run, observer)
    }

    /// Does what [`run`](Self::run) does as rank 0 of several processes, which all end with the bits of one. The other
    /// ranks call [`follow`](Self::follow), after all of them have called [`check_ranks`](Self::check_ranks).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run). Where all ranks fail together, the error is [`Error::Ranks`] or [`Error::NonFinite`]; after
    /// any other error the caller must end the other ranks, which wait for this one.
    pub fn run_on(
        &self,
        ranks: &dyn Communicator,
        run: &RunDir,
        observer: &mut dyn Observer,
    ) -> Result<RunOutcome> {
        let start = Instant::now();
        let lock = run.lock()?;
        self.data.write_indexes(&run.indexes())?;
        keep_copy(&self.config.data, run)?;
        let (train, valid) = (self.train_loader()?, self.valid_loader()?);
        let mut trainer = Trainer { communicator: ranks, ..self.trainer()? };
        let context = RunContext {
            run,
            lock: &lock,
            model: &self.model_config,
            schema: &self.data.schema,
            identity: &self.identity,
            forced: &self.forced,
            transforms: &self.data.transforms,
            tokens: &self.data.encoder,
            objective: &self.objective,
            parameters: &self.parameters,
            monitor: &self.config.train.monitor,
            checkpoint: &self.config.checkpoint,
        };
        let from = self.from.as_ref().map(|checkpoint| &checkpoint.info);
        let mut recorder = Recorder::new(context, from, observer)?;
        let reason = trainer.fit(&train, valid.as_ref(), &mut recorder)?;
        let finished = recorder.finish(&trainer.state());
        if reason == StopReason::Interrupted {
            tell(ranks, finished)?;
            return Ok(RunOutcome::Interrupted(Box::new(trainer.progress)));
        }
        let path = if self.config.validates() { run.best() } else { run.last() };
        let checkpoint = tell(ranks, finished.and_then(|()| load_checkpoint(&path)))?;
        self.parameters.load_state_dict(checkpoint.weights())?;
        let tested = self.test(ranks)?;
        let summary = self.conclude(&recorder, &trainer, &checkpoint, &tested, start);
        let summary = tell(ranks, summary)?;
        let loss = summary.test.loss;
        if !loss.is_finite() {
            let (data, config) = (self.data.test.clone(), self.loader_config());
            let sequences =
                non_finite_sequences(&self.model, data, &config, self.objective.loss())?;
            return Err(Error::NonFiniteTest { loss, sequences });
        }
        Ok(RunOutcome::Finished(Box::new(summary)))
    }

    /// Takes part in a run as another rank than 0, which writes it. The observer is informed of the updates and can
    /// stop the run on all ranks. Returns whether the run has ended.
    ///
    /// # Errors
    ///
    /// As [`run_on`](Self::run_on).
    pub fn follow(&self, ranks: &dyn Communicator, observer: &mut dyn Observer) -> Result<bool> {
        let (train, valid) = (self.train_loader()?, self.valid_loader()?);
        let mut trainer = Trainer { communicator: ranks, ..self.trainer()? };
        let reason = trainer.fit(&train, valid.as_ref(), observer)?;
        tell(ranks, Ok(()))?;
        if reason == StopReason::Interrupted {
            return Ok(false);
        }
        self.test(ranks)?;
        tell(ranks, Ok(()))?;
        Ok(true)
    }

    /// Checks that all ranks train the same run: the same configuration, data and arithmetic, from the same position and
    /// parameters; and that they can share `train.shards`.
    ///
    /// # Errors
    ///
    /// [`Error::Ranks`], on all ranks.
    pub fn check_ranks(&self, ranks: &dyn Communicator) -> Result<()> {
        Trainer { communicator: ranks, ..self.trainer()? }.check_ranks()?;
        if ranks.size() == 1 {
            return Ok(());
        }
        let updates = self.position().map_or(0, |progress| progress.updates);
        let own = Ok((self.identity.clone(), updates, self.parameter_sum()?));
        let all: Vec<(RunIdentity, u64, u32)> = gather(ranks, own)?;
        let (identity, updates, sum) = &all[0];
        for (rank, (other, other_updates, other_sum)) in all.iter().enumerate() {
            let mut differences = identity.differences(other);
            if updates != other_updates {
                let (before, now) = (format!("{updates} updates"), format!("{other_updates}"));
                differences.push(Difference { name: "the checkpoint".into(), before, now });
            } else if sum != other_sum {
                let (before, now) = (format!("{sum:08x}"), format!("{other_sum:08x}"));
                let name = "the CRC-32C sum of the parameters".into();
                differences.push(Difference { name, before, now });
            }
            if !differences.is_empty() {
                return Err(RankError::Differ { rank, differences }.into());
            }
        }
        Ok(())
    }

    /// Tests the parameters of rank 0 on all ranks.
    fn test(&self, ranks: &dyn Communicator) -> Result<MetricSum> {
        for (_, var) in self.parameters.named().iter().filter(|_| ranks.size() > 1) {
            let own = var.flatten_all()?.to_vec1::<f32>()?;
            let sent = if ranks.rank() == 0 { cast_slice(&own) } else { &[] };
            let received = ranks.all_gather(sent)?.swap_remove(0);
            let values = received.chunks_exact(size_of::<f32>()).map(bytemuck::pod_read_unaligned);
            let values: Vec<f32> = values.collect();
            var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
        }
        let test = self.loader(self.data.test.clone(), Sampler::Sequential)?;
        evaluate_on(ranks, &self.model, &test, self.objective.loss())
    }

    /// Writes the results of a run that has ended.
    fn conclude(
        &self,
        recorder: &Recorder<'_>,
        trainer: &Trainer<'_>,
        checkpoint: &Checkpoint,
        tested: &MetricSum,
        start: Instant,
    ) -> Result<RunSummary> {
        let RunContext { run, lock, .. } = *recorder.context();
        lock.check()?;
        let best = recorder.best_epochs().best().unwrap_or(trainer.progress.epoch);
        let results = Results {
            name: &self.config.name,
            objective: &self.objective,
            targets: self.data.targets(),
            records: recorder.records(),
            best,
            tested,
        };
        results.draw(run)?;
        draw_forecasts(run, &self.config.name, &self.model, &self.data, &self.objective)?;
        let summary = RunSummary {
            name: self.config.name.clone(),
            trained: self.describe(),
            epoch: checkpoint.info.epoch(),
            minimised: self.objective.describe(),
            test: tested.finish(),
            classes: results.class_scores(),
            test_examples: self.data.test.len(),
            parameters: self.parameters.count(),
            epochs: trainer.progress.epoch,
            updates: trainer.progress.updates,
            seconds: start.elapsed().as_secs_f64(),
            forced: self.forced.clone(),
        };
        run.write_summary(&summary)?;
        Ok(summary)
    }

    /// Returns the CRC-32C sum of all parameters.
    fn parameter_sum(&self) -> Result<u32> {
        let mut sum = 0;
        for (_, var) in self.parameters.named() {
            let values = var.flatten_all()?.to_vec1::<f32>()?;
            sum = crc32c::crc32c_append(sum, cast_slice(&values));
        }
        Ok(sum)
    }
}

/// Tells the other ranks whether this one goes on. An error of any rank is one of all.
fn tell<T>(ranks: &dyn Communicator, own: Result<T>) -> Result<T> {
    match own {
        Ok(value) => gather(ranks, Ok(())).map(|_| value),
        Err(error) => {
            gather::<()>(ranks, Err(error))?;
            unreachable!("the error of a rank is returned")
        }
    }
}
