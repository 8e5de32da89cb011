//! The errors of transcriptions, accumulated over batches.

use serde::{Deserialize, Serialize};

use crate::objective::edit_distance::edit_distance;

/// The names of the metrics.
pub(super) const NAMES: [&str; 2] = ["token_error_rate", "sequence_error_rate"];

/// Counts of labels and of sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TranscriptSums {
    /// The sum of the edit distances.
    errors: u64,
    /// The labels of the targets.
    labels: u64,
    /// The sequences whose labels are not exactly right.
    wrong: u64,
    sequences: u64,
    non_finite: bool,
}

impl TranscriptSums {
    /// Adds a batch, given by the predicted and the true labels of each sequence.
    pub(super) fn add(&mut self, predicted: &[Vec<u32>], wanted: &[Vec<u32>], finite: bool) {
        self.non_finite |= !finite;
        for (predicted, wanted) in predicted.iter().zip(wanted) {
            self.errors += edit_distance(predicted, wanted) as u64;
            self.labels += wanted.len() as u64;
            self.wrong += u64::from(predicted != wanted);
            self.sequences += 1;
        }
    }

    /// Adds the counts of other batches.
    pub(super) fn merge(&mut self, other: &Self) {
        self.errors += other.errors;
        self.labels += other.labels;
        self.wrong += other.wrong;
        self.sequences += other.sequences;
        self.non_finite |= other.non_finite;
    }

    /// Returns the metrics by name, the one that is usually quoted first.
    pub(super) fn finish(&self) -> Vec<(&'static str, f64)> {
        if self.non_finite {
            return NAMES.map(|name| (name, f64::NAN)).to_vec();
        }
        let [tokens, sequences] = NAMES;
        let ratio = |part: u64, of: u64| part as f64 / of as f64;
        vec![
            (tokens, ratio(self.errors, self.labels)),
            (sequences, ratio(self.wrong, self.sequences)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_all_batches_together() {
        let mut sums = TranscriptSums::default();
        sums.add(&[vec![1, 2, 4], vec![]], &[vec![1, 2, 3, 4], vec![]], true);
        sums.add(&[vec![5]], &[vec![]], true);
        let [tokens, sequences] = NAMES;
        assert_eq!(sums.finish(), [(tokens, 0.5), (sequences, 2.0 / 3.0)]);
        sums.add(&[], &[], false);
        assert!(sums.finish().iter().all(|(_, rate)| rate.is_nan()));
    }
}
