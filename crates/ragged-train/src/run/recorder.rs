//! Writes the files of a run during training: metrics, TensorBoard events, checkpoints.

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ragged_datasets::Batch;
use ragged_datasets::formats::Schema;
use ragged_datasets::tokens::TokenEncoder;
use ragged_datasets::transforms::Pipeline;
use ragged_models::{ModelConfig, Parameters};

use crate::atomic_file::{create_directory, parent, sync_directory, write_atomically};
use crate::config::sections::CheckpointSection;
use crate::error::{Error, Result};
use crate::fit::observer::{Observer, TrainState};
use crate::fit::record::{EpochRecord, StepRecord};
use crate::objective::monitor::Monitor;
use crate::objective::run_objective::RunObjective;
use crate::run::bad_batch::save_bad_batch;
use crate::run::best_epochs::{BestEpochs, Insertion};
use crate::run::checkpoint::{CheckpointInfo, checkpoint_bytes, read_info};
use crate::run::difference::ForcedResume;
use crate::run::identity::RunIdentity;
use crate::run::metrics_file::MetricsFile;
use crate::run::run_dir::RunDir;
use crate::run::run_lock::RunLock;
use crate::run::tensorboard::EventFile;

/// The shortest time between two checkpoints after epochs. Syncing a file can take longer than an
/// epoch of a small model, and a crash then loses at most one second of training.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// What does not change during a run and is repeated in its checkpoints.
#[derive(Clone, Copy)]
pub(crate) struct RunContext<'a> {
    pub(crate) run: &'a RunDir,
    pub(crate) lock: &'a RunLock,
    pub(crate) model: &'a ModelConfig,
    pub(crate) schema: &'a Schema,
    pub(crate) identity: &'a RunIdentity,
    pub(crate) forced: &'a [ForcedResume],
    pub(crate) transforms: &'a Pipeline,
    pub(crate) tokens: &'a TokenEncoder,
    pub(crate) objective: &'a RunObjective,
    pub(crate) parameters: &'a Parameters,
    pub(crate) monitor: &'a Monitor,
    pub(crate) checkpoint: &'a CheckpointSection,
}

/// An observer that writes metrics, events and checkpoints, and calls another observer.
pub(crate) struct Recorder<'a> {
    context: RunContext<'a>,
    metrics: MetricsFile,
    events: EventFile,
    best_epochs: BestEpochs,
    records: Vec<EpochRecord>,
    saved: Instant,
    /// The number of updates at the last checkpoint.
    saved_updates: Option<u64>,
    /// Checkpoints of the best epochs that are written with the next checkpoint.
    pending: Vec<(PathBuf, Arc<Vec<u8>>)>,
    /// Files to which the next checkpoint no longer refers.
    dropped: Vec<PathBuf>,
    observer: &'a mut dyn Observer,
}

impl<'a> Recorder<'a> {
    /// Opens the files of a run, at the position of the checkpoint from which it resumes.
    pub(crate) fn new(
        context: RunContext<'a>,
        from: Option<&CheckpointInfo>,
        observer: &'a mut dyn Observer,
    ) -> Result<Self> {
        let run = context.run;
        let records = from.map(|info| info.records.clone()).unwrap_or_default();
        let metrics = MetricsFile::open(run.metrics(), &records)?;
        let updates = from.map_or(0, |info| info.progress.updates);
        let events = EventFile::create(&run.tensorboard(), updates)?;
        let best_epochs = from.map(|info| info.best_epochs.clone()).unwrap_or_default();
        if from.is_some() {
            run.remove_stale_tops(&best_epochs)?;
        }
        Ok(Self {
            context,
            metrics,
            events,
            best_epochs,
            records,
            saved: Instant::now(),
            saved_updates: None,
            pending: vec![],
            dropped: vec![],
            observer,
        })
    }

    /// Returns what does not change during the run.
    pub(crate) fn context(&self) -> &RunContext<'a> {
        &self.context
    }

    /// Returns the best epochs so far.
    pub(crate) fn best_epochs(&self) -> &BestEpochs {
        &self.best_epochs
    }

    /// Returns the records of all epochs so far.
    pub(crate) fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// Writes a last checkpoint, unless there is one of this state.
    pub(crate) fn finish(&mut self, state: &TrainState) -> Result<()> {
        if self.saved_updates == Some(state.progress.updates) {
            return Ok(());
        }
        self.save(state, &self.bytes(state)?)
    }

    /// Returns the bytes of a checkpoint of the current state.
    fn bytes(&self, state: &TrainState) -> Result<Vec<u8>> {
        let info = CheckpointInfo {
            model: self.context.model.clone(),
            schema: self.context.schema.clone(),
            identity: self.context.identity.clone(),
            forced: self.context.forced.to_vec(),
            transforms: self.context.transforms.clone(),
            tokens: self.context.tokens.clone(),
            loss: self.context.objective.single_loss().cloned(),
            heads: self.context.objective.head_losses(),
            outputs: self.context.objective.outputs().clone(),
            records: self.records.clone(),
            progress: state.progress.clone(),
            best_epochs: self.best_epochs.clone(),
        };
        checkpoint_bytes(&info, self.context.parameters, state)
    }

    /// Saves a checkpoint, unless the directory was moved or deleted: also while it is written.
    fn save(&mut self, state: &TrainState, bytes: &[u8]) -> Result<()> {
        let lock = self.context.lock;
        lock.check()?;
        self.write_checkpoint(state, bytes).map_err(|error| lock.check().err().unwrap_or(error))
    }

    /// Writes the checkpoints of the best epochs, then replaces the last checkpoint, which becomes the
    /// previous one. At every moment at least one of the two is complete.
    fn write_checkpoint(&mut self, state: &TrainState, bytes: &[u8]) -> Result<()> {
        let run = self.context.run;
        // The metrics to which a checkpoint refers must be on disk before it.
        self.metrics.sync()?;
        for (path, bytes) in std::mem::take(&mut self.pending) {
            create_directory(parent(&path))?;
            write_atomically(&path, &bytes)?;
        }
        let (last, next) = (run.last(), run.path().join("next.safetensors"));
        // The error names the checkpoint, not the file beside it.
        write_atomically(&next, bytes).map_err(Error::in_file(&last))?;
        verify(&next, bytes).map_err(Error::in_file(&last))?;
        if last.exists() {
            fs::rename(&last, run.previous()).map_err(Error::io(&last))?;
        }
        fs::rename(&next, &last).map_err(Error::io(&last))?;
        sync_directory(run.path())?;
        // Until now the previous checkpoint referred to these.
        for path in std::mem::take(&mut self.dropped) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&path)(error));
                }
                _ => {}
            }
        }
        (self.saved, self.saved_updates) = (Instant::now(), Some(state.progress.updates));
        self.events.flush()
    }

    /// Keeps the checkpoint of one of the best epochs until the next checkpoint is written.
    fn keep(&mut self, insertion: &Insertion, epoch: usize, bytes: &Arc<Vec<u8>>) {
        let (run, several) = (self.context.run, self.context.checkpoint.keep > 1);
        let mut files = vec![];
        // `best` comes last: a run can resume from it, and then has the files to which it refers.
        files.extend((several && insertion.rank.is_some()).then(|| run.top(epoch)));
        files.extend((insertion.rank == Some(0)).then(|| run.best()));
        let dropped = insertion.dropped.filter(|_| several).map(|epoch| run.top(epoch));
        let stale = |path: &PathBuf| files.contains(path) || dropped.as_ref() == Some(path);
        self.pending.retain(|(path, _)| !stale(path));
        self.pending.extend(files.into_iter().map(|path| (path, bytes.clone())));
        self.dropped.extend(dropped);
    }
}

/// Checks that a checkpoint can be read as it was written, before the older one is given up for it.
fn verify(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = Error::io(path);
    let mut file = BufReader::with_capacity(1 << 16, fs::File::open(path).map_err(&failed)?);
    let mut rest = bytes;
    loop {
        let found = file.fill_buf().map_err(&failed)?;
        let count = found.len();
        if count == 0 && rest.is_empty() {
            break;
        }
        if count == 0 || !rest.starts_with(found) {
            let reason = "differs from what was written: expected a disk that keeps its content";
            return Err(Error::file(path, reason));
        }
        rest = &rest[count..];
        file.consume(count);
    }
    drop(failed);
    let info = read_info(bytes);
    info.map(drop).map_err(|source| Error::Checkpoint { path: path.to_path_buf(), source })
}

impl Observer for Recorder<'_> {
    fn update(&mut self, record: &StepRecord, state: &TrainState) -> Result<ControlFlow<()>> {
        self.events.step(record)?;
        let flow = self.observer.update(record, state)?;
        let CheckpointSection { every_steps, every_minutes, .. } = *self.context.checkpoint;
        let minutes = Duration::try_from_secs_f64(every_minutes * 60.0).unwrap_or(Duration::MAX);
        let due = every_steps > 0 && record.updates.is_multiple_of(every_steps)
            || every_minutes > 0.0 && self.saved.elapsed() >= minutes;
        if flow.is_break() || due {
            self.save(state, &self.bytes(state)?)?;
        }
        Ok(flow)
    }

    fn epoch(&mut self, record: &EpochRecord, state: &TrainState) -> Result<()> {
        self.context.lock.check()?;
        self.metrics.append(record)?;
        self.events.epoch(record)?;
        self.records.push(record.clone());
        let (monitor, keep) = (self.context.monitor, self.context.checkpoint.keep);
        let value = monitor.value(record.monitored());
        let insertion = self.best_epochs.insert(monitor, value, record.epoch, keep);
        let due = self.saved.elapsed() >= SHORTEST_PAUSE;
        self.saved_updates = None;
        if due || insertion.rank.is_some() {
            let bytes = Arc::new(self.bytes(state)?);
            self.keep(&insertion, record.epoch, &bytes);
            if due {
                self.save(state, &bytes)?;
            }
        }
        self.observer.epoch(record, state)
    }

    fn non_finite(&mut self, batch: &Batch) -> Result<Option<PathBuf>> {
        let path = self.context.run.bad_batch();
        save_bad_batch(&path, batch)?;
        Ok(Some(path))
    }
}
