//! The options of forecasts.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_size};

/// The options of [`Forecast`](crate::Forecast).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastConfig {
    /// The largest number of steps of history. A window that begins before its series has fewer, but at least one.
    pub window: usize,
    /// The number of steps to predict.
    pub horizon: usize,
    /// The number of steps from one window to the next. Default 1.
    #[serde(default = "one")]
    pub stride: usize,
    /// The names of the columns to predict; the numbers from 1 of columns without names. Default all columns of numbers
    /// that are not known in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// The names of the columns whose values are known in advance. Default none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
    /// The steps of a season: the metric `mase` compares errors with those of a forecast by the value one season
    /// before. Default 1.
    #[serde(default = "one")]
    pub season: usize,
    /// The share of the steps at the end of each series that is for the test, above 0 and below 1; at least one
    /// horizon. Default 0.2.
    #[serde(default = "fifth")]
    pub test_fraction: f64,
}

fn one() -> usize {
    1
}

fn fifth() -> f64 {
    0.2
}

impl ForecastConfig {
    /// Creates a configuration with the defaults of all other options.
    pub fn new(window: usize, horizon: usize) -> Self {
        let (targets, known) = (None, vec![]);
        Self { window, horizon, stride: 1, targets, known, season: 1, test_fraction: fifth() }
    }

    /// Checks every option that can be checked without the data.
    ///
    /// # Errors
    ///
    /// [`Error::Size`] and [`Error::Number`] for the first one that is outside its range.
    pub fn check(&self) -> Result<()> {
        for (name, size) in [
            ("window", self.window),
            ("horizon", self.horizon),
            ("stride", self.stride),
            ("season", self.season),
        ] {
            check_size(name, size, 1 << 28)?;
        }
        if self.test_fraction > 0.0 && self.test_fraction < 1.0 {
            return Ok(());
        }
        let (name, got) = ("test_fraction", self.test_fraction);
        Err(Error::Number { name, got, expected: "a number above 0 and below 1" })
    }
}
