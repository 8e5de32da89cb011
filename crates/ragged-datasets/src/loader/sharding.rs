//! Batches cut into shards: parts that processes train on, each with about the same number of time steps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Into how many shards each batch is cut, and which of them are made.
///
/// ```
/// use ragged_datasets::{
///     DataLoader, LoaderConfig, Sharding, VariableLengthSums, VariableLengthSumsConfig,
/// };
///
/// let sums = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
/// let loader = DataLoader::new(sums, LoaderConfig::new(64))?;
/// let (first, second) = (Sharding { count: 2, own: 0..1 }, Sharding { count: 2, own: 1..2 });
/// for (one, other) in loader.shards(0, 0, &first)?.zip(loader.shards(0, 0, &second)?) {
///     let steps = |shards: Vec<Option<ragged_datasets::Batch>>| {
///         shards.iter().flatten().map(|batch| batch.real_steps()).sum::<usize>()
///     };
///     assert!(steps(one?).abs_diff(steps(other?)) <= 10);
/// }
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharding {
    /// The number of shards of each batch; at least 1.
    pub count: usize,
    /// The shards that are made, counted from 0.
    pub own: Range<usize>,
}

impl Sharding {
    /// All of `count` shards.
    pub fn all(count: usize) -> Self {
        Self { count, own: 0..count }
    }
}

/// Distributes examples, given by their lengths, over shards: the longest first, each to the shard with the fewest
/// steps so far (Graham 1969). Returns the positions of each shard, in their order.
pub(super) fn balanced(lengths: &[usize], count: usize) -> Vec<Vec<usize>> {
    let mut shards = vec![vec![]; count];
    let mut longest_first: Vec<usize> = (0..lengths.len()).collect();
    longest_first.sort_by_key(|&position| Reverse(lengths[position]));
    let mut loads: BinaryHeap<_> = (0..count).map(|shard| Reverse((0, 0, shard))).collect();
    for position in longest_first {
        if let Some(Reverse((steps, sequences, shard))) = loads.pop() {
            shards[shard].push(position);
            loads.push(Reverse((steps + lengths[position], sequences + 1usize, shard)));
        }
    }
    shards.iter_mut().for_each(|shard| shard.sort_unstable());
    shards
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_balanced_and_the_order_is_kept() {
        // 5 and 4 begin, 2 joins 4, and 1 joins 5.
        assert_eq!(balanced(&[1, 5, 2, 4], 2), [[0, 1], [2, 3]]);
        assert_eq!(balanced(&[3], 4), [vec![0], vec![], vec![], vec![]]);
        assert_eq!(balanced(&[0, 0, 0], 2), [vec![0, 2], vec![1]]);
    }

    proptest! {
        #[test]
        fn every_example_is_in_one_shard(
            lengths in prop::collection::vec(0usize..50, 0..40),
            count in 1usize..9,
        ) {
            let shards = balanced(&lengths, count);
            let steps = |shard: &Vec<usize>| shard.iter().map(|&k| lengths[k]).sum::<usize>();
            let loads: Vec<usize> = shards.iter().map(steps).collect();
            let longest = lengths.iter().max().copied().unwrap_or(0);
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= longest);
            prop_assert!(shards.iter().all(|shard| shard.is_sorted()));
            let mut all = shards.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        }
    }
}
