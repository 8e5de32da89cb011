//! Features that are made of the times of a series.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use crate::formats::decimal::Decimal;
use crate::formats::time::TimeForm;

/// A feature that the times of a series give. They are computed in 64 bits, from times without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TimeFeature {
    /// `time_difference`: the time since the step before, in seconds for dates and in the unit of the file for numbers;
    /// 0 in the first step.
    Difference,
    /// `time_position`: the index of the step in its series, from 0. It needs no times.
    Position,
    /// `time_hour_sin` and `time_hour_cos`: the time of day as an angle, in UTC if the times have a time zone. It needs
    /// dates.
    Hour,
    /// `time_weekday_sin` and `time_weekday_cos`: the day of the week, from Monday, as an angle. It needs dates.
    Weekday,
}

const NANOSECONDS: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * NANOSECONDS;

impl TimeFeature {
    /// Returns the names of the features.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Difference => &["time_difference"],
            Self::Position => &["time_position"],
            Self::Hour => &["time_hour_sin", "time_hour_cos"],
            Self::Weekday => &["time_weekday_sin", "time_weekday_cos"],
        }
    }

    /// Returns the name in configurations.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Difference => "difference",
            Self::Position => "position",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
        }
    }

    /// Returns what the feature needs and the table does not have, with the form of its times.
    pub(super) fn missing(self, times: Option<TimeForm>) -> Option<&'static str> {
        match (self, times) {
            (Self::Position, _) | (Self::Difference, Some(_)) => None,
            (Self::Difference, None) => Some("a column of times"),
            (Self::Hour | Self::Weekday, None) => Some("a column of dates"),
            (Self::Hour | Self::Weekday, Some(TimeForm::Number)) => Some("dates"),
            (Self::Hour | Self::Weekday, Some(_)) => None,
        }
    }

    /// Adds the features of step `t`. `time` is its time and `before` that of the step before, if there are any.
    pub(super) fn push(
        self,
        t: usize,
        time: Option<Decimal>,
        before: Option<Decimal>,
        row: &mut Vec<f64>,
    ) {
        let nanoseconds = || time.and_then(Decimal::nanoseconds).unwrap_or(0);
        let mut angle = |part: f64| row.extend([(TAU * part).sin(), (TAU * part).cos()]);
        match self {
            Self::Difference => {
                row.push(time.zip(before).map_or(0.0, |(time, before)| time.minus(before)));
            }
            Self::Position => row.push(t as f64),
            Self::Hour => angle(nanoseconds().rem_euclid(DAY) as f64 / DAY as f64),
            // 1 January 1970 was a Thursday.
            Self::Weekday => angle((nanoseconds().div_euclid(DAY) + 3).rem_euclid(7) as f64 / 7.0),
        }
    }
}
