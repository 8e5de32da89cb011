//! What a person sees while a model trains: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ragged_train::fit::{EpochRecord, StepRecord, TrainState};
use ragged_train::{Observer, Result};

use crate::signals::Signals;

/// Lines that a run without a terminal prints at most, beside its last one.
const LINES: usize = 20;

/// Watches a run on stderr, and stops it where a signal asks for that.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    signals: Signals,
    began: Instant,
    /// The share of the run that was done when this process began.
    done_before: Option<f64>,
    steps: usize,
    padded_steps: usize,
    message: String,
}

impl Progress {
    pub(crate) fn new(epochs: usize, signals: Signals) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
                bar.set_style(style);
            }
            bar.set_length(1_000_000);
            bar
        });
        let (began, message) = (Instant::now(), String::new());
        let (done_before, steps, padded_steps) = (None, 0, 0);
        Self { bar, epochs, signals, began, done_before, steps, padded_steps, message }
    }

    /// Takes the bar off the screen, so that the result stands alone.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The exit code where a signal stopped the run.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        self.signals.exit_code()
    }

    /// How fast it goes, how much padding the batches spare, and how long it still takes.
    fn pace(&self, done: f64) -> String {
        let seconds = self.began.elapsed().as_secs_f64();
        let here = done - self.done_before.unwrap_or(0.0);
        let left = if here > 0.0 { seconds * (1.0 - done) / here } else { 0.0 };
        format!(
            "{} tokens/s, {:.0} % padding spared, {} left",
            count(self.steps as f64 / seconds.max(1e-9)),
            100.0 * (1.0 - self.steps as f64 / self.padded_steps.max(1) as f64),
            clock(left),
        )
    }
}

impl Observer for Progress {
    fn update(&mut self, record: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        let StepRecord { epoch, batch, batches, steps, padded_steps, .. } = *record;
        let share = |batch: usize| {
            ((epoch - 1) as f64 + batch as f64 / batches as f64) / self.epochs as f64
        };
        let (done, before) = (share(batch), share(batch - 1));
        self.done_before.get_or_insert(before);
        self.steps += steps;
        self.padded_steps += padded_steps;
        if let Some(bar) = &self.bar {
            bar.set_position((done * 1e6) as u64);
            bar.set_message(format!("{}  {}", self.message, self.pace(done)));
        }
        let stop = self.signals.exit_code().is_some();
        Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn epoch(&mut self, record: &EpochRecord, _: &TrainState) -> Result<()> {
        let (metric, value) = record.monitored().headline();
        let of = if record.valid.is_some() { "valid" } else { "train" };
        self.message = format!(
            "epoch {}/{}  train loss {:.4}, {of} {metric} {value:.4}",
            record.epoch, self.epochs, record.train.loss
        );
        let due = record.epoch.is_multiple_of(self.epochs.div_ceil(LINES));
        if self.bar.is_none() && (due || record.epoch == self.epochs) {
            let done = record.epoch as f64 / self.epochs as f64;
            eprintln!("{}  {}", self.message, self.pace(done));
        }
        Ok(())
    }
}

/// A number in thousands or millions.
fn count(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e3 => format!("{:.0} k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

/// Seconds as a person says them.
pub(crate) fn clock(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX).as_secs();
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}
