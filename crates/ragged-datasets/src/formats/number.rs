//! Parsing of numbers and times.

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::formats::decimal::Decimal;

/// Parses a number that is finite as a 32-bit float.
pub(super) fn number(token: &str) -> Result<f64, String> {
    match token.parse::<f64>() {
        Ok(value) if (value as f32).is_finite() => Ok(value),
        // `inf` parses too. If the token has a digit, the value was too large.
        Ok(_) if token.contains(|c: char| c.is_ascii_digit()) => Err(too_large(&shown(token))),
        _ if has_separators(token) => Err(format!(
            "expected a number, got `{}`: expected a point before the decimals and no separators \
             between thousands",
            shown(token)
        )),
        _ => Err(format!("expected a number, got `{}`", shown(token))),
    }
}

/// Whether a cell of a table is a missing value: empty, `?`, `NaN` or `NA`.
pub(super) fn is_missing(cell: &str) -> bool {
    ["", "?", "nan", "na"].iter().any(|missing| cell.eq_ignore_ascii_case(missing))
}

/// Whether a text looks like a number with a decimal comma or with separators between thousands, such
/// as `0,5` or `1.250,75`.
pub(super) fn has_separators(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    let allowed = |c: char| c.is_ascii_digit() || ".,' \u{a0}\u{202f}".contains(c);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.contains(',')
        && digits.chars().all(allowed)
}

/// Converts an f64 to an f32, which must not be infinite.
pub(super) fn narrow(value: f64) -> Result<f32, String> {
    match value as f32 {
        narrow if narrow.is_finite() || value.is_nan() => Ok(narrow),
        _ if value.is_infinite() => Err(format!("expected a finite number, got `{value}`")),
        _ => Err(too_large(&value.to_string())),
    }
}

/// Returns the fewest digits that are read back as the same 32-bit float, or as `exact`.
pub(super) fn digits(value: f32, exact: Option<f64>) -> String {
    // The fewest digits of an f32 can, in rare cases, give another value when read as f64 and rounded to
    // f32. Then the digits of the f64 are written.
    let short = value.to_string();
    match exact {
        Some(exact) => exact.to_string(),
        None if short.parse::<f64>().is_ok_and(|read| read as f32 == value) => short,
        None => f64::from(value).to_string(),
    }
}

fn too_large(value: &str) -> String {
    format!("{value} is too large for a 32-bit float")
}

/// Parses a time, without rounding: a number, or a date and time as seconds since 1970 in UTC.
///
/// Dates are in ISO 8601, with `T` or a space between date and time. Files of the regression archive
/// have `-` between hours, minutes and seconds; it is read as `:`.
pub(super) fn time(token: &str) -> Result<Decimal, String> {
    if let Some(number) = Decimal::parse(token) {
        return Ok(number);
    }
    let date_time = match token.split_once(' ') {
        Some((date, clock)) => format!("{date} {}", clock.trim_start().replace('-', ":")),
        None => token.into(),
    };
    let local = || date_time.parse::<DateTime>().ok();
    let utc = |time: DateTime| time.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    let nanoseconds = match token.parse::<Timestamp>() {
        Ok(instant) => Some(instant.as_nanosecond()),
        Err(_) => local().map(|time| utc(time).as_nanos()),
    };
    let seconds = nanoseconds.map(|nanoseconds| Decimal::new(nanoseconds, -9));
    seconds.ok_or_else(|| format!("expected a number or a date and time, got `{}`", shown(token)))
}

/// Returns the beginning of a token on one line, since a token of a damaged file can have any length.
pub(super) fn shown(token: &str) -> String {
    token.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_or_dates() {
        let seconds = |text| Ok(Decimal::parse(text).unwrap());
        assert_eq!(time("-2.5"), seconds("-2.5"));
        assert_eq!(time("1970-01-02"), seconds("86400"));
        for text in ["2004-10-01 18:30:05", "2004-10-01T18:30:05", "2004-10-01 18-30-05"] {
            // Computed by `date -u -d "2004-10-01 18:30:05" +%s`.
            assert_eq!(time(text), seconds("1096655405"), "{text}");
        }
        assert_eq!(time("2004-10-01T18:30:05.25Z"), seconds("1096655405.25"));
        assert_eq!(time("2004-10-01T20:30:05+02:00"), seconds("1096655405"));
        for text in ["", "inf", "NaN", "yesterday", "2004-13-01", "1e9999999999"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_a_nanosecond_apart_differ() {
        assert!(time("1700000000000000100") > time("1700000000000000099"));
        assert!(time("2024-01-01T00:00:00.000000001Z") > time("2024-01-01T00:00:00Z"));
        assert_eq!(time("2024-03-31T02:00:00+02:00"), time("2024-03-31T00:00:00Z"));
    }

    #[test]
    fn numbers_are_finite_f32() {
        assert_eq!(number("-1.5e3"), Ok(-1500.0));
        assert_eq!(narrow(0.1), Ok(0.1));
        assert!(narrow(f64::NAN).is_ok_and(f32::is_nan));
        assert_eq!(
            narrow(1e39),
            Err("1000000000000000000000000000000000000000 is too large for a 32-bit float".into())
        );
        assert_eq!(narrow(f64::NEG_INFINITY), Err("expected a finite number, got `-inf`".into()));
        assert!(number("inf").is_err() && number("1e60").is_err() && number("").is_err());
    }
}
