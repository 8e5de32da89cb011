//! Writes a run's files while it trains.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ragged_datasets::transforms::Pipeline;
use ragged_datasets::{Batch, TargetKind};
use ragged_models::{ModelConfig, Parameters, write_whole};

use crate::checkpoint::checkpoint_bytes;
use crate::ranking::Placed;
use crate::run_dir::MetricsFile;
use crate::tensorboard::EventFile;
use crate::{
    CheckpointInfo, CheckpointSection, EpochRecord, Error, Flow, Monitor, Observer, Ranking,
    Result, RunDir, StepRecord, TrainState, offending_batch,
};

/// Epochs that are over within this time leave one checkpoint together. Syncing a file may take
/// longer than a small model's epoch, and whoever loses so little loses nothing.
const PAUSE: Duration = Duration::from_secs(1);

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
    /// Updates up to the last checkpoint.
    saved_updates: Option<u64>,
    /// Files of the best epochs that go to disk with the next checkpoint.
    waiting: Vec<(PathBuf, Vec<u8>)>,
    /// Files that the next checkpoint no longer refers to.
    dropped: Vec<PathBuf>,
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
        let (saved, saved_updates) = (Instant::now(), None);
        let (waiting, dropped) = (vec![], vec![]);
        Ok(Self {
            subject,
            metrics,
            events,
            ranking,
            record,
            saved,
            saved_updates,
            waiting,
            dropped,
            observer,
        })
    }

    /// The best epochs so far.
    pub(crate) fn ranking(&self) -> &Ranking {
        &self.ranking
    }

    /// The state as the bytes of a checkpoint.
    fn bytes(&self, state: &TrainState) -> Result<Vec<u8>> {
        let info = CheckpointInfo {
            model: self.subject.model.clone(),
            targets: self.subject.targets.clone(),
            transforms: self.subject.transforms.clone(),
            record: self.record.clone(),
            progress: state.progress.clone(),
            ranking: self.ranking.clone(),
            metrics_bytes: self.metrics.bytes(),
        };
        checkpoint_bytes(&info, self.subject.parameters, state)
    }

    /// Writes what an epoch has left for the next checkpoint, if there is anything.
    pub(crate) fn finish(&mut self, state: &TrainState) -> Result<()> {
        if self.saved_updates == Some(state.progress.updates) {
            return Ok(());
        }
        self.save(state, &self.bytes(state)?)
    }

    /// Writes the best epochs' files, then replaces the last checkpoint, which becomes the one before.
    /// At every moment one of the two is there and whole.
    fn save(&mut self, state: &TrainState, bytes: &[u8]) -> Result<()> {
        let run = self.subject.run;
        // What a checkpoint knows of the metrics is on disk before it is.
        self.metrics.sync()?;
        for (path, bytes) in std::mem::take(&mut self.waiting) {
            let folder = path.with_file_name("");
            fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, error))?;
            write_whole(&path, &bytes)?;
        }
        let (last, next) = (run.last(), run.path().join("next.safetensors"));
        if let Err(error) = write_whole(&next, bytes) {
            return Err(Error::file(&last, error));
        }
        if last.exists() {
            fs::rename(&last, run.previous()).map_err(|error| Error::file(&last, error))?;
        }
        fs::rename(&next, &last).map_err(|error| Error::file(&last, error))?;
        // Only now nothing refers to them any more.
        for path in std::mem::take(&mut self.dropped) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::file(&path, error));
                }
                _ => {}
            }
        }
        (self.saved, self.saved_updates) = (Instant::now(), Some(state.progress.updates));
        self.events.flush()
    }

    /// Keeps the files of an epoch that is among the best for the next checkpoint.
    fn keep(&mut self, placed: &Placed, epoch: usize, bytes: &[u8]) {
        let (run, several) = (self.subject.run, self.subject.rule.keep > 1);
        let mut files = vec![];
        files.extend((placed.place == Some(0)).then(|| run.best()));
        files.extend((several && placed.place.is_some()).then(|| run.top(epoch)));
        let dropped = placed.dropped.filter(|_| several).map(|epoch| run.top(epoch));
        let stale = |path: &PathBuf| files.contains(path) || dropped.as_ref() == Some(path);
        self.waiting.retain(|(path, _)| !stale(path));
        self.waiting.extend(files.into_iter().map(|path| (path, bytes.to_vec())));
        self.dropped.extend(dropped);
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
            self.save(state, &self.bytes(state)?)?;
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
        let due = self.saved.elapsed() >= PAUSE;
        self.saved_updates = None;
        if due || placed.place.is_some() {
            let bytes = self.bytes(state)?;
            self.keep(&placed, record.epoch, &bytes);
            if due {
                self.save(state, &bytes)?;
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
