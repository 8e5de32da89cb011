//! The area under the ROC curve, exact, by sorting all scores.

use serde::{Deserialize, Serialize};

use crate::exact_float;

/// Most scores that are kept: 128 MiB.
const MOST: usize = 1 << 24;

/// The scores of all rows for every class, to compare each class with the rest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scores {
    classes: usize,
    /// Row-major.
    #[serde(with = "exact_float")]
    scores: Vec<f64>,
    /// Whether the row is of the class; `None` for a missing target.
    present: Vec<Option<bool>>,
    /// Whether there were too many scores, or one that was NaN.
    given_up: bool,
}

impl Scores {
    /// Adds rows of `classes` scores.
    pub(super) fn add(
        &mut self,
        classes: usize,
        scores: &[f64],
        present: impl Iterator<Item = Option<bool>>,
    ) {
        self.given_up |= self.scores.len() + scores.len() > MOST;
        self.given_up |= scores.iter().any(|score| score.is_nan());
        self.classes = classes;
        if self.given_up {
            (self.scores, self.present) = (vec![], vec![]);
        } else {
            self.scores.extend_from_slice(scores);
            self.present.extend(present);
        }
    }

    /// Adds the scores of other batches.
    pub(super) fn merge(&mut self, other: &Self) {
        self.given_up |= other.given_up;
        self.add(self.classes.max(other.classes), &other.scores, other.present.iter().copied());
    }

    /// Returns the area under the ROC curve: that of the second of two `exclusive` classes, and otherwise the mean over
    /// the classes against the rest. A class with no row, or with all of them, has none; NaN where no class has one.
    pub(super) fn area(&self, exclusive: bool) -> f64 {
        if self.given_up {
            return f64::NAN;
        }
        let first = usize::from(exclusive && self.classes == 2);
        let areas = (first..self.classes).filter_map(|class| {
            let of_class = |row: usize| {
                let at = row * self.classes + class;
                Some((self.scores[at], self.present[at]?))
            };
            let rows = self.scores.len() / self.classes;
            area((0..rows).filter_map(of_class).collect())
        });
        let areas: Vec<f64> = areas.collect();
        areas.iter().sum::<f64>() / areas.len() as f64
    }
}

/// Returns the probability that a random positive row has a higher score than a random negative one, where equal scores
/// count half (Hanley and McNeil 1982). `None` without rows of both kinds.
fn area(mut rows: Vec<(f64, bool)>) -> Option<f64> {
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = rows.iter().filter(|(_, present)| *present).count() as u128;
    let negatives = rows.len() as u128 - positives;
    // Twice the number of pairs of which the positive row has the higher score: no rounding.
    let (mut pairs, mut below) = (0u128, 0u128);
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let above = tied.iter().filter(|(_, present)| *present).count() as u128;
        let tied_negatives = tied.len() as u128 - above;
        pairs += above * (2 * below + tied_negatives);
        below += tied_negatives;
    }
    let of = 2 * positives * negatives;
    (of > 0).then(|| pairs as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in the documentation of scikit-learn's `roc_auc_score` and of its binary scores.
    #[test]
    fn areas_equal_scikit_learns() {
        let rows = vec![(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
        assert_eq!(area(rows), Some(0.75));
        assert_eq!(area(vec![(0.5, false), (0.5, true)]), Some(0.5));
        assert_eq!(area(vec![(0.5, true)]), None);
    }

    #[test]
    fn minus_zero_ties_with_zero() {
        assert_eq!(area(vec![(-0.0, true), (0.0, false)]), Some(0.5));
        assert_eq!(area(vec![(0.0, true), (-0.0, false)]), Some(0.5));
    }
}
