//! Numbers and lines as the terminal shows them.

use std::time::Duration;

use ragged_train::Metrics;

use crate::console::say;

/// The columns of a terminal that every line of progress fits into.
pub(crate) const COLUMNS: usize = 80;

/// Joins as many parts as fit into [`COLUMNS`], the first of them in any case.
pub(crate) fn join_parts(parts: &[String]) -> String {
    let mut line = String::new();
    for part in parts {
        let gap = if line.is_empty() { "" } else { "  " };
        if !line.is_empty() && line.len() + gap.len() + part.len() > COLUMNS {
            break;
        }
        line += gap;
        line += part;
    }
    line
}

/// Breaks a text between words into lines of at most [`COLUMNS`]; all but the first are indented.
pub(crate) fn wrap(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        if !line.trim().is_empty() && line.len() + 1 + word.len() > COLUMNS {
            lines += &line;
            lines.push('\n');
            line = " ".into();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + &line
}

/// Prints notes on how a file was read.
pub(crate) fn print_notes(notes: &[String]) {
    for note in notes {
        say(wrap(&format!("note: {note}")));
    }
}

/// A duration in seconds, to the two largest units: `12 min 3 s`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX).as_secs();
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3600 % 24),
    }
}

/// A count in thousands, millions or billions: `123 k`.
pub(crate) fn count(count: f64) -> String {
    match count {
        n if n >= 1e9 => format!("{:.1} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e3 => format!("{:.0} k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

/// A loss or metric with four decimals, or as a power of ten where these say little: `0.0123`,
/// `1.23e-6`. NaN stands for an undefined metric, such as R2 of targets that are all equal.
pub(crate) fn metric(value: f64) -> String {
    match value.abs() {
        size if size.is_nan() => "undefined".into(),
        size if size == 0.0 || (1e-3..1e4).contains(&size) || !size.is_finite() => {
            format!("{value:.4}")
        }
        _ => format!("{value:.2e}"),
    }
}

/// The metric that is usually quoted, or that of each head.
pub(crate) fn headlines(metrics: &Metrics) -> Vec<String> {
    let headlines = metrics.headlines().into_iter();
    headlines.map(|(name, value)| format!("{name} {}", metric(value))).collect()
}

/// The metrics other than the loss and the one that is usually quoted, which are in the units of the data.
pub(crate) fn further_metrics(metrics: &Metrics) -> Option<String> {
    let named = metrics.further().map(|(name, value)| format!("{name} {}", metric(value)));
    let named = named.collect::<Vec<_>>().join(", ");
    (!named.is_empty()).then_some(named)
}

/// Aligns the cells of rows. The last cell of a row has no white space after it.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    // The last cell of a row that ends early is a message and does not widen its column.
    let width = |column: usize| {
        let aligned = |row: &&Vec<String>| row.len() == columns || column + 1 < row.len();
        let cells = rows.iter().filter(aligned).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let cases = [
            (-1.0, "0 s"),
            (59.9, "59 s"),
            (723.0, "12 min 3 s"),
            (7_260.0, "2 h 1 min"),
            (180_000.0, "2 d 2 h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected);
        }
        assert!(duration(f64::INFINITY).ends_with(" h"));
    }

    #[test]
    fn counts_and_metrics_stay_short() {
        assert_eq!([999.4, 1e3, 2.54e6, 7.7e9].map(count), ["999", "1 k", "2.5 M", "7.7 G"]);
        let metrics = [0.0, 0.99714, 12.5, -0.5, 1.234e-6, -3e30, f64::NAN].map(metric);
        let expected =
            ["0.0000", "0.9971", "12.5000", "-0.5000", "1.23e-6", "-3.00e30", "undefined"];
        assert_eq!(metrics, expected);
    }

    #[test]
    fn lines_end_within_the_columns() {
        let parts = ["x".repeat(60), "y".repeat(18), "z".into()];
        assert_eq!(join_parts(&parts).len(), 80);
        assert_eq!(join_parts(&["x".repeat(90)]).len(), 90);
        let text = ["word"; 40].join(" ");
        let wrapped = wrap(&text);
        assert!(wrapped.lines().count() > 1 && wrapped.lines().all(|line| line.len() <= 80));
        assert_eq!(wrapped.split_whitespace().collect::<Vec<_>>().join(" "), text);
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("  word")));
    }
}
