//! Parsing of times, which order the steps of a series.

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::formats::decimal::Decimal;
use crate::formats::number::shown;

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeForm {
    Number,
    /// A date and time without a time zone.
    Local,
    /// A date and time with its distance to UTC.
    Zoned,
}

impl TimeForm {
    /// Returns the form in words, for several times.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Number => "numbers",
            Self::Local => "dates and times without a time zone",
            Self::Zoned => "dates and times with a time zone",
        }
    }

    fn singular(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Local => "a date and time without a time zone",
            Self::Zoned => "a date and time with a time zone",
        }
    }
}

/// The times of one series, which are all written in one form: times in different forms cannot be
/// compared.
#[derive(Debug, Default)]
pub(super) struct Times {
    form: Option<TimeForm>,
}

impl Times {
    /// Parses a time in the form of the ones before.
    pub(super) fn parse(&mut self, token: &str) -> Result<Decimal, String> {
        let (time, form) = time(token)?;
        self.add(time, form, token)
    }

    /// Takes a time in the form of the ones before. `token` is shown in errors.
    pub(super) fn add(
        &mut self,
        time: Decimal,
        got: TimeForm,
        token: &str,
    ) -> Result<Decimal, String> {
        let expected = *self.form.get_or_insert(got);
        if got != expected {
            let (expected, got) = (expected.singular(), got.singular());
            let token = shown(token);
            return Err(format!("expected {expected}, as before, got `{token}`, which is {got}"));
        }
        Ok(time)
    }

    /// Returns the form of the times so far.
    pub(super) fn form(&self) -> Option<TimeForm> {
        self.form
    }
}

/// Parses a time, without rounding: a number, or a date and time as seconds since 1970, in UTC where it
/// has a time zone.
///
/// Dates are in ISO 8601, with `T` or a space between date and time. Files of the regression archive
/// have `-` between hours, minutes and seconds; it is read as `:`.
fn time(token: &str) -> Result<(Decimal, TimeForm), String> {
    if let Some(number) = Decimal::parse(token) {
        return Ok((number, TimeForm::Number));
    }
    let seconds = |nanoseconds: i128| Decimal::new(nanoseconds, -9);
    if let Ok(instant) = token.parse::<Timestamp>() {
        return Ok((seconds(instant.as_nanosecond()), TimeForm::Zoned));
    }
    let date_time = match token.split_once(' ') {
        Some((date, clock)) => format!("{date} {}", clock.trim_start().replace('-', ":")),
        None => token.into(),
    };
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    match date_time.parse::<DateTime>() {
        Ok(time) => Ok((seconds(time.duration_since(epoch).as_nanos()), TimeForm::Local)),
        Err(_) => Err(format!("expected a number or a date and time, got `{}`", shown(token))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Decimal {
        time(text).unwrap().0
    }

    #[test]
    fn times_are_numbers_or_dates() {
        let seconds = |text| Decimal::parse(text).unwrap();
        assert_eq!(value("-2.5"), seconds("-2.5"));
        assert_eq!(value("1970-01-02"), seconds("86400"));
        for text in ["2004-10-01 18:30:05", "2004-10-01T18:30:05", "2004-10-01 18-30-05"] {
            // Computed by `date -u -d "2004-10-01 18:30:05" +%s`.
            assert_eq!(value(text), seconds("1096655405"), "{text}");
        }
        assert_eq!(value("2004-10-01T18:30:05.25Z"), seconds("1096655405.25"));
        assert_eq!(value("2004-10-01T20:30:05+02:00"), seconds("1096655405"));
        for text in ["", "inf", "NaN", "yesterday", "2004-13-01", "1e9999999999"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_a_nanosecond_apart_differ() {
        assert!(value("1700000000000000100") > value("1700000000000000099"));
        assert!(value("2024-01-01T00:00:00.000000001Z") > value("2024-01-01T00:00:00Z"));
        assert_eq!(value("2024-03-31T02:00:00+02:00"), value("2024-03-31T00:00:00Z"));
    }

    /// A row without a time zone between rows in UTC could be hours away from its place.
    #[test]
    fn times_of_one_series_have_one_form() {
        let mut times = Times::default();
        assert!(times.parse("2024-01-01T00:00:00Z").is_ok());
        assert!(times.parse("2024-01-01T02:00:00+01:00").is_ok());
        assert_eq!(
            times.parse("2024-01-01T03:00:00").unwrap_err(),
            "expected a date and time with a time zone, as before, got `2024-01-01T03:00:00`, which \
             is a date and time without a time zone"
        );
        assert!(times.parse("1704067200").unwrap_err().ends_with("which is a number"));
        assert_eq!(times.form(), Some(TimeForm::Zoned));
    }
}
