//! Exact decimal numbers, for labels and times that must not be rounded.

use std::cmp::Ordering;

/// The number `mantissa * 10^exponent`, equal to and ordered with others by its value.
///
/// Digits after the 38th are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Decimal {
    /// Not a multiple of 10, unless it is 0.
    mantissa: i128,
    exponent: i32,
}

/// The largest power of ten that can be multiplied by 10 and added to without overflow.
const LIMIT: i128 = 10i128.pow(37);

impl Decimal {
    /// Creates a number of at most 38 digits.
    pub(super) fn new(mantissa: i128, exponent: i32) -> Self {
        let (mut mantissa, mut exponent) = (mantissa, exponent);
        if mantissa == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        Self { mantissa, exponent }
    }

    /// Parses a number such as `-12.50` or `1e-3`; `None` for any other text, also infinities and NaN.
    pub(super) fn parse(token: &str) -> Option<Self> {
        let (negative, rest) = match token.as_bytes().first()? {
            b'-' => (true, &token[1..]),
            b'+' => (false, &token[1..]),
            _ => (false, token),
        };
        let (digits, exponent) = match rest.split_once(['e', 'E']) {
            // A longer exponent is not that of a number that anyone measured.
            Some((digits, exponent)) if exponent.len() <= 9 => (digits, exponent.parse().ok()?),
            Some(_) => return None,
            None => (rest, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mut exponent: i32 = exponent;
        let (mut mantissa, mut any) = (0i128, false);
        for (bytes, step) in [(whole, 0), (fraction, 1)] {
            for byte in bytes.bytes() {
                if !byte.is_ascii_digit() {
                    return None;
                }
                any = true;
                if mantissa < LIMIT {
                    mantissa = mantissa * 10 + i128::from(byte - b'0');
                    exponent = exponent.saturating_sub(step);
                } else {
                    exponent = exponent.saturating_add(1 - step);
                }
            }
        }
        any.then(|| Self::new(if negative { -mantissa } else { mantissa }, exponent))
    }

    /// Returns the difference to another number, rounded once where its digits are few enough, as those of dates are.
    pub(super) fn minus(self, other: Self) -> f64 {
        let smaller = self.exponent.min(other.exponent);
        let scaled = |number: Self| {
            let factor = 10i128.checked_pow(number.exponent.abs_diff(smaller))?;
            number.mantissa.checked_mul(factor)
        };
        let difference = scaled(self).zip(scaled(other)).and_then(|(a, b)| a.checked_sub(b));
        match difference {
            // A power of ten up to the 22nd is exact.
            Some(difference) if smaller < 0 => difference as f64 / 10f64.powi(-smaller),
            Some(difference) => difference as f64 * 10f64.powi(smaller),
            None => self.wide() - other.wide(),
        }
    }

    /// Returns the nearest number of 64 bits, up to its last digits.
    fn wide(self) -> f64 {
        self.mantissa as f64 * 10f64.powi(self.exponent)
    }

    /// Returns a number of seconds in nanoseconds, if it is a whole number of them in the range of `i128`.
    pub(super) fn nanoseconds(self) -> Option<i128> {
        let exponent = u32::try_from(i64::from(self.exponent) + 9).ok()?;
        self.mantissa.checked_mul(10i128.checked_pow(exponent)?)
    }

    /// Returns the position of the first digit, counted from the decimal point.
    fn magnitude(self) -> i64 {
        i64::from(self.mantissa.unsigned_abs().ilog10()) + i64::from(self.exponent)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = self.mantissa.signum();
        if sign != other.mantissa.signum() || sign == 0 {
            return sign.cmp(&other.mantissa.signum());
        }
        let by_magnitude = self.magnitude().cmp(&other.magnitude());
        if by_magnitude != Ordering::Equal {
            return if sign > 0 { by_magnitude } else { by_magnitude.reverse() };
        }
        // Numbers of the same magnitude have at most 38 digits when written with the same exponent.
        let smaller = self.exponent.min(other.exponent);
        let scaled = |number: &Self| {
            number.mantissa.saturating_mul(10i128.saturating_pow(number.exponent.abs_diff(smaller)))
        };
        scaled(self).cmp(&scaled(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn spellings_of_a_number_are_equal() {
        for same in [
            &["0.5", "0.50", ".5", "+0.5", "5e-1", "50E-2", "00.5"][..],
            &["1", "1.0", "1.", "01", "1e0", "0.1e1"],
            &["0", "-0", "0.000", "0e9"],
            &["-1200", "-1.2e3", "-1200.0"],
        ] {
            assert!(same.iter().all(|text| parse(text) == parse(same[0])), "{same:?}");
        }
        assert_eq!(parse("1.2"), Decimal::new(12_000, -4));
    }

    #[test]
    fn differences_of_large_numbers_keep_their_digits() {
        let minus = |a, b| parse(a).minus(parse(b));
        assert_eq!(minus("1700000000.000000001", "1700000000"), 1e-9);
        assert_eq!(minus("1700000000000000001", "1.7e18"), 1.0);
        assert_eq!((minus("0.3", "0.1"), minus("-2", "3.5")), (0.2, -5.5));
        assert_eq!(minus("1e60", "1"), 1e60);
        assert_eq!(parse("1.5").nanoseconds(), Some(1_500_000_000));
        assert_eq!((parse("1e-10").nanoseconds(), parse("1e40").nanoseconds()), (None, None));
    }

    #[test]
    fn order_is_that_of_the_values_without_rounding() {
        let ascending = [
            "-1e30",
            "-100",
            "-20",
            "-19.5",
            "-0.001",
            "0",
            "1e-300",
            "0.3",
            "2",
            "10",
            "16777216",
            "16777217",
            "1700000000000000000",
            "1700000000000000100",
            "18446744073709551615",
            "1e30",
        ];
        for (a, first) in ascending.iter().enumerate() {
            for (b, second) in ascending.iter().enumerate() {
                assert_eq!(parse(first).cmp(&parse(second)), a.cmp(&b), "{first} {second}");
            }
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in
            ["", "+", ".", "e5", "1e", "1e+", "inf", "NaN", "0x10", "1,5", "1 2", "--1", "1.2.3"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("1e9999999999"), None);
        // More digits than are kept.
        let long = "3".repeat(60);
        assert!(parse(&long) > parse("3e58") && parse(&long) < parse("3.4e59"));
        assert!(parse(&format!("0.{long}")) > parse("0.3"));
    }
}
