//! How the learning rate moves over a run.

use serde::{Deserialize, Serialize};

/// The learning rate's course from the first update to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// The same throughout.
    Constant,
    /// From the given rate down to zero along half a cosine (Loshchilov and Hutter 2017).
    Cosine,
}

impl Schedule {
    /// The rate for update `step` of `total`, counted from 0.
    pub fn rate(self, lr: f64, step: usize, total: usize) -> f64 {
        match self {
            Self::Constant => lr,
            Self::Cosine => {
                let done = step as f64 / total.max(1) as f64;
                lr * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_falls_from_the_rate_to_zero() {
        let rate = |step| Schedule::Cosine.rate(0.2, step, 100);
        assert_eq!((rate(0), Schedule::Constant.rate(0.2, 99, 100)), (0.2, 0.2));
        assert!((rate(50) - 0.1).abs() < 1e-15 && rate(100).abs() < 1e-15);
        assert!((0..100).all(|step| rate(step + 1) < rate(step)));
    }
}
