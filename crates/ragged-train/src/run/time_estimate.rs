//! An estimate of the time that a run takes, from its first updates.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::error::Result;
use crate::fit::observer::{Observer, TrainState};
use crate::fit::record::StepRecord;
use crate::run::datasets::AnyDataset;
use crate::run::experiment::Experiment;

/// The estimated time of a run; see [`Experiment::estimate_time`].
#[derive(Debug, Clone, Copy)]
pub struct TimeEstimate {
    /// Updates of the whole run.
    pub updates: usize,
    /// Updates that were timed.
    pub tried: usize,
    /// The mean time of the updates that were timed.
    pub seconds_per_update: f64,
}

/// Times updates, and stops after 50 of them or two seconds.
struct Stopwatch {
    began: Instant,
    updates: usize,
    seconds: f64,
}

impl Observer for Stopwatch {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        self.updates += 1;
        self.seconds = self.began.elapsed().as_secs_f64();
        let enough = self.updates >= 50 || self.seconds > 2.0;
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

impl Experiment {
    /// Times the first updates of the run, without evaluations, and restores the parameters.
    ///
    /// # Errors
    ///
    /// Errors of training.
    pub fn estimate_time(&self) -> Result<TimeEstimate> {
        let parameters = self.parameters().state_dict();
        let copies = parameters.iter().map(|(name, tensor)| Ok((name.clone(), tensor.copy()?)));
        let copies = copies.collect::<Result<_>>()?;
        let (mut trainer, train) = (self.trainer()?, self.train_loader()?);
        let updates = self.config().train.steps(train.len());
        let mut watch = Stopwatch { began: Instant::now(), updates: 0, seconds: 0.0 };
        let fitted = trainer.fit::<_, AnyDataset>(&train, None, &mut watch);
        self.parameters().load_state_dict(&copies)?;
        fitted?;
        let seconds_per_update = watch.seconds / watch.updates as f64;
        Ok(TimeEstimate { updates, tried: watch.updates, seconds_per_update })
    }
}
