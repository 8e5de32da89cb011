//! Writes a run's files while it trains.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ragged_datasets::transforms::Pipeline;
use ragged_datasets::{Batch, TargetKind};
use ragged_models::{ModelConfig, Parameters, write_whole};

use crate::checkpoint::checkpoint_bytes;
use crate::run_dir::MetricsFile;
use crate::tensorboard::EventFile;
use crate::{
    CheckpointInfo, CheckpointSection, EpochRecord, Error, Flow, Monitor, Observer, Ranking,
    Result, RunDir, StepRecord, TrainState, offending_batch,
};

/// Everything about a run that its checkpoints repeat.
pub(crate) struct Subject<'a> {
    pub(crate) run: &'a RunDir,
    pub(crate) model: &'a ModelConfig,
    pub(crate) targets: &'a TargetKind,
    pub(crate) transforms: &'a Pipeline,
    pub(crate) parameters: &'a Parameters,
    pub(crate) monitor: Monitor,
    pub(crate) rule: &'a CheckpointSection,
}

/// Writes metrics, events and checkpoints, and lets another observer see everything.
pub(crate) struct Recorder<'a> {
    subject: Subject<'a>,
    metrics: MetricsFile,
    events: EventFile,
    ranking: Ranking,
    record: Option<EpochRecord>,
    saved: Instant,
    observer: &'a mut dyn Observer,
}

impl<'a> Recorder<'a> {
    /// Goes on with the files where the checkpoint says they stood.
    pub(crate) fn new(
        subject: Subject<'a>,
        from: Option<&CheckpointInfo>,
        observer: &'a mut dyn Observer,
    ) -> Result<Self> {
        let run = subject.run;
        let metrics = MetricsFile::open(run.metrics(), from.map_or(0, |info| info.metrics_bytes))?;
        let updates = from.map_or(0, |info| info.progress.updates);
        let events = EventFile::create(&run.tensorboard(), updates)?;
        let ranking = from.map(|info| info.ranking.clone()).unwrap_or_default();
        let record = from.and_then(|info| info.record.clone());
        Ok(Self { subject, metrics, events, ranking, record, saved: Instant::now(), observer })
    }

    /// The best epochs so far.
    pub(crate) fn ranking(&self) -> &Ranking {
        &self.ranking
    }

    /// The state as the bytes of a checkpoint; what has been written of the metrics is on disk then.
    fn bytes(&self, state: &TrainState) -> Result<Vec<u8>> {
        let info = CheckpointInfo {
            model: self.subject.model.clone(),
            targets: self.subject.targets.clone(),
            transforms: self.subject.transforms.clone(),
            record: self.record.clone(),
            progress: state.progress.clone(),
            ranking: self.ranking.clone(),
            metrics_bytes: self.metrics.sync()?,
        };
        checkpoint_bytes(&info, self.subject.parameters, state)
    }

    /// Replaces the last checkpoint, which becomes the one before. At every moment one of the two is
    /// there and whole.
    fn save_last(&mut self, bytes: &[u8]) -> Result<()> {
        let run = self.subject.run;
        let (last, next) = (run.last(), run.path().join("next.safetensors"));
        if let Err(error) = write_whole(&next, bytes) {
            return Err(Error::file(&last, error));
        }
        if last.exists() {
            fs::rename(&last, run.previous()).map_err(|error| Error::file(&last, error))?;
        }
        fs::rename(&next, &last).map_err(|error| Error::file(&last, error))?;
        self.saved = Instant::now();
        self.events.flush()
    }

    /// Writes the files of an epoch that is among the best.
    fn save_top(&self, place: usize, epoch: usize, bytes: &[u8]) -> Result<()> {
        let run = self.subject.run;
        if place == 0 {
            write_whole(&run.best(), bytes)?;
        }
        if self.subject.rule.keep > 1 {
            let path = run.top(epoch);
            let folder = path.with_file_name("");
            fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, error))?;
            write_whole(&path, bytes)?;
        }
        Ok(())
    }
}

impl Observer for Recorder<'_> {
    fn update(&mut self, record: &StepRecord, state: &TrainState) -> Result<Flow> {
        self.events.step(record)?;
        let flow = self.observer.update(record, state)?;
        let CheckpointSection { every_steps, every_minutes, .. } = *self.subject.rule;
        let minutes = Duration::try_from_secs_f64(every_minutes * 60.0).unwrap_or(Duration::MAX);
        let due = every_steps > 0 && record.updates.is_multiple_of(every_steps)
            || every_minutes > 0.0 && self.saved.elapsed() >= minutes;
        if flow == Flow::Stop || due {
            self.save_last(&self.bytes(state)?)?;
        }
        Ok(flow)
    }

    fn epoch(&mut self, record: &EpochRecord, state: &TrainState) -> Result<()> {
        self.metrics.append(record)?;
        self.events.epoch(record)?;
        self.record = Some(record.clone());
        let (monitor, keep) = (self.subject.monitor, self.subject.rule.keep);
        let value = monitor.value(record.held_out());
        let placed = self.ranking.place(monitor, value, record.epoch, keep);
        let bytes = self.bytes(state)?;
        if let Some(place) = placed.place {
            self.save_top(place, record.epoch, &bytes)?;
        }
        self.save_last(&bytes)?;
        // Only now nothing refers to it any more.
        if let Some(epoch) = placed.dropped.filter(|_| keep > 1) {
            let path = self.subject.run.top(epoch);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::file(&path, error));
                }
                _ => {}
            }
        }
        self.observer.epoch(record, state)
    }

    fn non_finite(&mut self, batch: &Batch) -> Result<Option<PathBuf>> {
        let path = self.subject.run.path().join("offending-batch.safetensors");
        offending_batch(&path, batch)?;
        Ok(Some(path))
    }
}
