//! What a person sees while a model trains: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ragged_train::{EpochRecord, Observer, Optimizer, Result};

/// Lines that a run without a terminal prints at most, beside its last one.
const LINES: usize = 20;

/// Watches a run on stderr.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
}

impl Progress {
    pub(crate) fn new(epochs: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = "{bar:30} epoch {msg}  {elapsed} elapsed, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, epochs }
    }

    /// Takes the bar off the screen, so that the result stands alone.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn batch(&mut self, epoch: usize, batch: usize, batches: usize, _loss: f64) {
        if let Some(bar) = &self.bar {
            bar.set_length((self.epochs * batches) as u64);
            bar.set_position(((epoch - 1) * batches + batch) as u64);
        }
    }

    fn epoch(&mut self, record: &EpochRecord, _optimizer: &Optimizer) -> Result<()> {
        let (metric, value) = record.held_out().headline();
        let of = if record.valid.is_some() { "valid" } else { "train" };
        let line = format!(
            "{}/{}  train loss {:.4}, {of} {metric} {value:.4}",
            record.epoch, self.epochs, record.train.loss
        );
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None if record.epoch.is_multiple_of(self.epochs.div_ceil(LINES))
                || record.epoch == self.epochs =>
            {
                eprintln!("epoch {line}");
            }
            None => {}
        }
        Ok(())
    }
}
