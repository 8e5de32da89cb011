//! The best epochs so far.

use serde::{Deserialize, Serialize};

use crate::Monitor;

/// The best epochs so far by the monitored metric, the best one first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranking {
    /// Value and epoch, counted from 1.
    entries: Vec<(f64, usize)>,
}

/// What an epoch's value changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The epoch's place, 0 the best; `None` where it is not among them.
    pub(crate) place: Option<usize>,
    /// The epoch that it drove out.
    pub(crate) dropped: Option<usize>,
}

impl Ranking {
    /// Takes in an epoch; at most `keep` stay. Of equal values the earlier epoch is the better one.
    pub(crate) fn place(
        &mut self,
        monitor: Monitor,
        value: f64,
        epoch: usize,
        keep: usize,
    ) -> Placed {
        // A metric that is not a number is worse than any, but better than no checkpoint at all.
        let beats = |&(other, _): &(f64, usize)| monitor.better(value, other, 0.0);
        let place = self.entries.iter().position(beats).unwrap_or(self.entries.len());
        if place >= keep || (value.is_nan() && !self.entries.is_empty()) {
            return Placed { place: None, dropped: None };
        }
        let value = if value.is_finite() { value } else { self.worst(monitor) };
        self.entries.insert(place, (value, epoch));
        let dropped = if self.entries.len() > keep { self.entries.pop() } else { None };
        Placed { place: Some(place), dropped: dropped.map(|(_, epoch)| epoch) }
    }

    /// What JSON can hold of the worst value there is.
    fn worst(&self, monitor: Monitor) -> f64 {
        if monitor.smaller_is_better() { f64::MAX } else { f64::MIN }
    }

    /// The best epoch, counted from 1.
    pub fn best(&self) -> Option<usize> {
        self.entries.first().map(|&(_, epoch)| epoch)
    }

    /// All of them, the best one first.
    pub fn epochs(&self) -> impl Iterator<Item = usize> {
        self.entries.iter().map(|&(_, epoch)| epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_stay_and_ties_go_to_the_earlier() {
        let mut ranking = Ranking::default();
        let mut place = |value, epoch| {
            let placed = ranking.place(Monitor::Accuracy, value, epoch, 2);
            (placed.place, placed.dropped)
        };
        assert_eq!(place(f64::NAN, 1), (Some(0), None));
        assert_eq!(place(0.5, 2), (Some(0), None));
        assert_eq!(place(0.5, 3), (Some(1), Some(1)));
        assert_eq!(place(0.7, 4), (Some(0), Some(3)));
        assert_eq!(place(0.1, 5), (None, None));
        assert_eq!(place(f64::NAN, 6), (None, None));
        assert_eq!(ranking.epochs().collect::<Vec<_>>(), [4, 2]);
    }
}
