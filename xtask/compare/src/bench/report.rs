//! The table of the measurements, as text and as JSON.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::bench::problem::{Mode, Pass};
use crate::failure::Failure;

/// The measurements of one mode and pass of a configuration.
pub(super) struct Row {
    pub(super) config: String,
    pub(super) mode: Mode,
    pub(super) pass: Pass,
    pub(super) threads: usize,
    pub(super) valid_fraction: f64,
    /// The number of steps without padding.
    pub(super) tokens: usize,
    /// Of the steps without padding.
    pub(super) flops: f64,
    pub(super) ours_ms: f64,
    /// The smaller of PyTorch's two medians, with and without flushing denormals.
    pub(super) pytorch_ms: Option<f64>,
    pub(super) candle_ms: Option<f64>,
}

/// Returns the lines above the table.
pub(super) fn heading(threads: usize, peak: f64, pytorch: bool, candle: bool) -> String {
    let mut line = format!(
        "{:<22} {:<6} {:<5} {:>6} {:>10} {:>9} {:>8}",
        "configuration", "mode", "pass", "real", "ms", "ktoken/s", "GFLOP/s"
    );
    if pytorch {
        line += &format!(" {:>11} {:>7}", "PyTorch ms", "ratio");
    }
    if candle {
        line += &format!(" {:>10} {:>7}", "candle ms", "ratio");
    }
    format!("{threads} threads; sgemm 2048^3: {peak:.0} GFLOP/s; medians, end to end\n{line}")
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{:<22} {:<6} {:<5} {:>5.0}% {:>10.3} {:>9.0} {:>8.1}",
            self.config,
            self.mode,
            self.pass,
            100.0 * self.valid_fraction,
            self.ours_ms,
            self.tokens as f64 / self.ours_ms,
            self.flops / self.ours_ms / 1e6,
        )?;
        if let Some(ms) = self.pytorch_ms {
            write!(f, " {ms:>11.3} {:>7.2}", ms / self.ours_ms)?;
        }
        if let Some(ms) = self.candle_ms {
            write!(f, " {ms:>10.3} {:>7.2}", ms / self.ours_ms)?;
        }
        Ok(())
    }
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "config": self.config,
            "mode": self.mode.to_string(),
            "pass": self.pass.to_string(),
            "threads": self.threads,
            "valid_fraction": self.valid_fraction,
            "ours_ms": self.ours_ms,
            "pytorch_ms": self.pytorch_ms,
            "ratio": self.pytorch_ms.map(|ms| ms / self.ours_ms),
            "candle_ms": self.candle_ms,
        })
    }
}

pub(super) fn write_json(path: &Path, rows: &[Row]) -> Result<(), Failure> {
    write(path, rows.iter().map(Row::json).collect())
}

/// Writes rows as JSON.
pub(super) fn write(path: &Path, rows: Vec<Value>) -> Result<(), Failure> {
    let text = format!("{:#}\n", json!({ "rows": rows }));
    std::fs::write(path, text)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}
