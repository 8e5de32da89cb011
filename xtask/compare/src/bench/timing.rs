//! Measured times.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::failure::Failure;

/// The pause between two turns, in which waiting threads of the previous library stop spinning.
pub(super) const PAUSE: Duration = Duration::from_millis(60);

/// The duration of one turn of a library.
const TURN: Duration = Duration::from_millis(250);

/// The number of iterations in a turn.
const ITERATIONS: RangeInclusive<usize> = 3..=400;

/// The time of each iteration, in milliseconds.
pub(super) type Turn = Result<Vec<f64>, Failure>;

/// Measures `n` calls one by one.
pub(super) fn time(n: usize, mut f: impl FnMut() -> Result<(), ragged_train::Error>) -> Turn {
    (0..n)
        .map(|_| {
            let start = std::time::Instant::now();
            f()?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        })
        .collect()
}

/// Measures one turn of a library after a pause.
pub(super) fn turn(
    times: &mut Vec<f64>,
    run: &mut dyn FnMut(usize) -> Turn,
) -> Result<(), Failure> {
    std::thread::sleep(PAUSE);
    // Not counted: it fills the caches, and determines the iterations of the turn.
    let first = run(2)?[1];
    let count = (TURN.as_secs_f64() * 1e3 / first.max(1e-3)) as usize;
    times.extend(run(count.clamp(*ITERATIONS.start(), *ITERATIONS.end()))?);
    Ok(())
}

/// Sorts the times and returns their median.
pub(super) fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    match times.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => times[middle],
        _ => (times[middle - 1] + times[middle]) / 2.0,
    }
}
