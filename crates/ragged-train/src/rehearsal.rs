//! A few updates tried before a run, to say how long it will take.

use std::time::Instant;

use crate::{AnyDataset, Experiment, Flow, Observer, Result, StepRecord, TrainState};

/// What [`Experiment::rehearse`] found.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsal {
    /// Updates of the whole run.
    pub updates: usize,
    /// Updates tried.
    pub tried: usize,
    /// The mean over those tried.
    pub seconds_per_update: f64,
}

/// Stops a rehearsal after 50 updates or two seconds.
struct Watch {
    began: Instant,
    done: usize,
    seconds: f64,
}

impl Observer for Watch {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<Flow> {
        self.done += 1;
        self.seconds = self.began.elapsed().as_secs_f64();
        Ok(if self.done >= 50 || self.seconds > 2.0 { Flow::Stop } else { Flow::Continue })
    }
}

impl Experiment {
    /// Tries the first updates without leaving a trace, to predict how long the run will take.
    ///
    /// # Errors
    ///
    /// Those of training.
    pub fn rehearse(&self) -> Result<Rehearsal> {
        let kept = self.parameters().state_dict();
        let copies = kept.iter().map(|(name, tensor)| Ok((name.clone(), tensor.copy()?)));
        let copies = copies.collect::<Result<_>>()?;
        let (mut trainer, train) = (self.trainer()?, self.train_loader()?);
        let updates = self.config().train.steps(train.len());
        let mut watch = Watch { began: Instant::now(), done: 0, seconds: 0.0 };
        let fitted = trainer.fit::<_, AnyDataset>(&train, None, &mut watch);
        self.parameters().load_state_dict(&copies)?;
        fitted?;
        let seconds_per_update = watch.seconds / watch.done as f64;
        Ok(Rehearsal { updates, tried: watch.done, seconds_per_update })
    }
}
