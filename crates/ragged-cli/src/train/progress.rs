//! The progress of a training run on stderr: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ragged_train::fit::{EpochRecord, StepRecord, TrainState};
use ragged_train::{Observer, Result};

use crate::console::say;
use crate::signals::Signals;
use crate::text::{count, duration, headlines, join_parts, metric};

/// The number of lines without a terminal, except for the line of the last epoch.
const LINES: usize = 20;

/// The length of the bar: positions are parts per million of the run.
const BAR_LENGTH: u64 = 1_000_000;

/// An observer that shows the progress of a run and stops it after a signal.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    signals: Signals,
    start: Instant,
    /// The fraction of the run that was complete when this process started.
    resumed_at: Option<f64>,
    throughput: Throughput,
}

/// The time steps that this process has trained on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Throughput {
    /// Without padding.
    steps: usize,
    /// With the padding that batches of equal length would have.
    padded_steps: usize,
}

impl Progress {
    pub(crate) fn new(epochs: usize, signals: Signals) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(BAR_LENGTH), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}\n{wide_bar} {prefix}") {
                bar.set_style(style);
            }
            bar.set_message(format!("epoch 1/{epochs}"));
            bar
        });
        let throughput = Throughput::default();
        Self { bar, epochs, signals, start: Instant::now(), resumed_at: None, throughput }
    }

    /// Removes the bar from the screen.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The exit code, if a signal stopped the run.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        self.signals.exit_code()
    }

    pub(crate) fn throughput(&self) -> Throughput {
        self.throughput
    }

    /// The time that the rest of the run takes, and the time steps per second.
    fn pace(&self, done: f64) -> [String; 2] {
        let seconds = self.start.elapsed().as_secs_f64();
        let done_here = done - self.resumed_at.unwrap_or(0.0);
        let left = if done_here > 0.0 { seconds * (1.0 - done) / done_here } else { 0.0 };
        let rate = count(self.throughput.steps as f64 / seconds.max(1e-9));
        [format!("{} left", duration(left)), format!("{rate} steps/s")]
    }
}

impl Throughput {
    /// The percentage of padding in the batches, if there was a batch.
    pub(crate) fn padding_percent(&self) -> Option<f64> {
        let padding = self.padded_steps.checked_sub(self.steps)?;
        (self.padded_steps > 0).then(|| 100.0 * padding as f64 / self.padded_steps as f64)
    }
}

impl Observer for Progress {
    fn update(&mut self, record: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        let StepRecord { epoch, batch, batches, steps, padded_steps, .. } = *record;
        let fraction = |batch: usize| {
            ((epoch - 1) as f64 + batch as f64 / batches as f64) / self.epochs as f64
        };
        let (done, before) = (fraction(batch), fraction(batch - 1));
        self.resumed_at.get_or_insert(before);
        self.throughput.steps += steps;
        self.throughput.padded_steps += padded_steps;
        if let Some(bar) = &self.bar {
            let [left, rate] = self.pace(done);
            bar.set_prefix(format!("{:.0} %  {left}  {rate}", 100.0 * done));
            bar.set_position((done * BAR_LENGTH as f64) as u64);
        }
        Ok(self.signals.flow())
    }

    fn epoch(&mut self, record: &EpochRecord, _: &TrainState) -> Result<()> {
        let epoch = epoch_parts(record, self.epochs);
        let due = record.epoch.is_multiple_of(self.epochs.div_ceil(LINES));
        if let Some(bar) = &self.bar {
            bar.set_message(join_parts(&epoch));
        } else if due || record.epoch == self.epochs {
            let pace = self.pace(record.epoch as f64 / self.epochs as f64);
            say(join_parts(&[&epoch[..], &pace].concat()));
        }
        Ok(())
    }
}

/// An observer of a process that trains with others and shows nothing. It stops the run after a signal.
pub(crate) struct Follower {
    signals: Signals,
}

impl Follower {
    pub(crate) fn new(signals: Signals) -> Self {
        Self { signals }
    }

    /// The exit code, if a signal stopped the run.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        self.signals.exit_code()
    }
}

impl Observer for Follower {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        Ok(self.signals.flow())
    }
}

/// What an epoch achieved, the most important part first.
fn epoch_parts(record: &EpochRecord, epochs: usize) -> Vec<String> {
    let name = record.monitored().headline().0;
    let part = if record.valid.is_some() { "valid" } else { "train" };
    let mut parts = vec![format!("epoch {}/{epochs}", record.epoch)];
    let mut headlines = headlines(record.monitored());
    headlines[0] = format!("{part} {}", headlines[0]);
    parts.extend(headlines);
    if (part, name) != ("train", "loss") {
        parts.push(format!("train loss {}", metric(record.train.loss)));
    }
    parts
}
