//! The best epochs so far.

use serde::{Deserialize, Serialize};

use crate::exact_float;
use crate::objective::monitor::Monitor;

/// The best epochs so far by the monitored metric, the best one first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestEpochs {
    /// Pairs of value and epoch; epochs are counted from 1.
    #[serde(with = "exact_float")]
    entries: Vec<(f64, usize)>,
}

/// The effect of adding an epoch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Insertion {
    /// The rank of the epoch, 0 for the best; `None` where it is not among the best.
    pub(crate) rank: Option<usize>,
    /// The epoch that is no longer among the best.
    pub(crate) dropped: Option<usize>,
}

impl BestEpochs {
    /// Adds an epoch and keeps at most `keep`. Of equal values, the earlier epoch ranks higher.
    pub(crate) fn insert(
        &mut self,
        monitor: &Monitor,
        value: f64,
        epoch: usize,
        keep: usize,
    ) -> Insertion {
        // An epoch with NaN is better than no checkpoint at all.
        let beats = |&(other, _): &(f64, usize)| monitor.better(value, other, 0.0);
        let rank = self.entries.iter().position(beats).unwrap_or(self.entries.len());
        if rank >= keep || (value.is_nan() && !self.entries.is_empty()) {
            return Insertion { rank: None, dropped: None };
        }
        self.entries.insert(rank, (value, epoch));
        let dropped = if self.entries.len() > keep { self.entries.pop() } else { None };
        Insertion { rank: Some(rank), dropped: dropped.map(|(_, epoch)| epoch) }
    }

    /// Returns the best epoch, counted from 1.
    pub fn best(&self) -> Option<usize> {
        self.entries.first().map(|&(_, epoch)| epoch)
    }

    /// Returns all epochs, the best one first.
    pub fn epochs(&self) -> impl Iterator<Item = usize> {
        self.entries.iter().map(|&(_, epoch)| epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept_and_ties_go_to_the_earlier_epoch() {
        let mut best = BestEpochs::default();
        let mut insert = |value, epoch| {
            let insertion = best.insert(&Monitor::Accuracy, value, epoch, 2);
            (insertion.rank, insertion.dropped)
        };
        assert_eq!(insert(f64::NAN, 1), (Some(0), None));
        assert_eq!(insert(0.5, 2), (Some(0), None));
        assert_eq!(insert(0.5, 3), (Some(1), Some(1)));
        assert_eq!(insert(0.7, 4), (Some(0), Some(3)));
        assert_eq!(insert(0.1, 5), (None, None));
        assert_eq!(insert(f64::NAN, 6), (None, None));
        assert_eq!(best.epochs().collect::<Vec<_>>(), [4, 2]);
    }
}
