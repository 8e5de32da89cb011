//! The measurement of one side: its calls, timed one by one.

use crate::failure::Failure;

/// The milliseconds of each iteration.
pub(super) type Turn = Result<Vec<f64>, Failure>;

/// Times `n` calls one by one.
pub(super) fn time(n: usize, mut f: impl FnMut() -> Result<(), ragged_train::Error>) -> Turn {
    (0..n)
        .map(|_| {
            let start = std::time::Instant::now();
            f()?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        })
        .collect()
}
