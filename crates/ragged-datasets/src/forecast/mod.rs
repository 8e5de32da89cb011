//! Forecasting: windows of long series with the steps to predict after them, and their split in time.
//!
//! An example is one sequence: up to `window` steps of history, then the `horizon` steps to predict. In the latter, the
//! columns that are not known in advance are missing, and one more feature, [`INDICATOR`], is 1. Each of these steps
//! has its target; the steps of the history have none. So a model of one prediction per step is a model of forecasts,
//! and what is known in advance (a calendar, a price) informs each step by itself.
//!
//! ```text
//!              history                 horizon
//! demand       12.1  13.0  11.8    -     -     -
//! price         2.0   2.0   1.5   1.5   2.0   2.0     known in advance
//! is future     0     0     0     1     1     1
//! target        -     -     -    14.2  12.9  12.5
//! ```
//!
//! [`Forecast::split`] divides each series into a part for training, one for validation and one for the test, in this
//! order. No target of a part is in the input of an earlier one. [`Forecast::future`] has one example for each series:
//! the steps after its end.

mod config;
pub(crate) mod error;
mod future;
mod naive;
mod parts;
mod roles;
mod windows;

pub use config::ForecastConfig;
pub use error::ForecastError;
pub use parts::ForecastParts;
pub use windows::{Forecast, INDICATOR};
