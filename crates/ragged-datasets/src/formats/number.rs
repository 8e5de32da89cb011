//! Parsing of numbers.

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

/// Returns the beginning of a token on one line, since a token of a damaged file can have any length.
pub(super) fn shown(token: &str) -> String {
    token.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
