//! Which examples form each batch.

use std::ops::Range;

use ragged_sequence::random::{Generator, Purpose};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::loader::sampler::Sampler;
use crate::loader::strata::Strata;

/// The size of the batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Batching {
    /// This number of sequences, whatever their lengths.
    Sequences(usize),
    /// As many sequences as have at most this number of steps together. Only real steps count, since a
    /// packed batch has no padding.
    Tokens {
        /// The largest number of steps in a batch.
        max_tokens: usize,
        /// What to do with a sequence that has more steps.
        oversize: Oversize,
    },
}

/// What to do with a sequence that has more steps than a batch may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oversize {
    /// It is a batch of its own.
    Alone,
    /// It is an error.
    Refuse,
}

/// The batches of an epoch, as indices of examples.
///
/// [`DataLoader::plan`](crate::DataLoader::plan) makes plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    order: Vec<usize>,
    batches: Vec<Range<usize>>,
}

/// The options by which an order of examples becomes batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchRule<'a> {
    pub(crate) sampler: &'a Sampler,
    pub(crate) batching: Batching,
    pub(crate) bucket_size: Option<usize>,
    pub(crate) drop_last: bool,
}

impl BatchPlan {
    /// Orders the examples of `epoch` and cuts the order into batches.
    ///
    /// `length` is called only if the rule depends on lengths.
    pub(crate) fn new(
        rule: &BatchRule,
        examples: usize,
        epoch: usize,
        length: impl Fn(usize) -> Result<usize>,
    ) -> Result<Self> {
        let mut order = rule.sampler.indices(examples, epoch)?;
        if let Some(bucket_size) = rule.bucket_size {
            sort_buckets(&mut order, bucket_size, rule.sampler.strata(), &length)?;
        }
        let mut batches = match rule.batching {
            Batching::Sequences(size) => by_count(order.len(), size, rule.drop_last),
            Batching::Tokens { max_tokens, oversize } => {
                let lengths: Result<Vec<usize>> = order.iter().map(|&i| length(i)).collect();
                let lengths = lengths?;
                if oversize == Oversize::Refuse {
                    refuse_oversize(&order, &lengths, max_tokens)?;
                }
                by_tokens(&lengths, max_tokens, rule.drop_last)
            }
        };
        // Without this shuffle, batches of long sequences would follow each other.
        if let (Some(_), Some(seed)) = (rule.bucket_size, rule.sampler.seed()) {
            let generator = &mut Generator::new(seed, Purpose::BatchOrder, Some(epoch), 0);
            let window = rule.sampler.window().unwrap_or(usize::MAX);
            // Batches that begin in one window are mixed.
            for near in batches.chunk_by_mut(|a, b| a.start / window == b.start / window) {
                near.shuffle(generator);
            }
        }
        Ok(Self { order, batches })
    }

    /// Creates a plan of these batches.
    pub(super) fn of_batches<'a>(all: impl IntoIterator<Item = &'a [usize]>) -> Self {
        let mut plan = Self { order: vec![], batches: vec![] };
        for batch in all {
            let start = plan.order.len();
            plan.order.extend_from_slice(batch);
            plan.batches.push(start..plan.order.len());
        }
        plan
    }

    /// Returns the number of batches.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Returns the examples of batch `batch`, or `None` beyond the last batch.
    pub fn get(&self, batch: usize) -> Option<&[usize]> {
        Some(&self.order[self.batches.get(batch)?.clone()])
    }

    /// Returns the examples of all batches in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        self.batches.iter().map(|batch| &self.order[batch.clone()])
    }
}

/// Sorts each stretch of `bucket_size` examples by length.
///
/// Every second bucket is sorted in decreasing order, so that a batch across two buckets has similar
/// lengths too. Equal lengths keep their random order. With strata, each class of a bucket is sorted
/// separately and spread evenly over the bucket, so that batches keep the shares of the classes.
fn sort_buckets(
    order: &mut [usize],
    bucket_size: usize,
    strata: Option<&Strata>,
    length: impl Fn(usize) -> Result<usize>,
) -> Result<()> {
    for (k, bucket) in order.chunks_mut(bucket_size).enumerate() {
        let keyed: Result<Vec<_>> = bucket.iter().map(|&i| Ok((length(i)?, i))).collect();
        let mut keyed = keyed?;
        keyed.sort_by_key(|&(length, _)| length);
        if k % 2 == 1 {
            keyed.reverse();
        }
        let sorted: Vec<usize> = keyed.into_iter().map(|(_, index)| index).collect();
        let sorted = strata.map_or(sorted.clone(), |strata| strata.interleave(&sorted));
        bucket.copy_from_slice(&sorted);
    }
    Ok(())
}

fn by_count(examples: usize, size: usize, drop_last: bool) -> Vec<Range<usize>> {
    let batches = batch_count(examples, size, drop_last);
    (0..batches).map(|b| b * size..examples.min(b.saturating_add(1).saturating_mul(size))).collect()
}

/// Returns the number of batches of `size` sequences.
pub(crate) fn batch_count(examples: usize, size: usize, drop_last: bool) -> usize {
    if drop_last { examples / size } else { examples.div_ceil(size) }
}

/// Cuts greedily: a batch ends before the next sequence that does not fit.
///
/// For `drop_last`, the last batch counts as full only if not a single step more would fit.
fn by_tokens(lengths: &[usize], max_tokens: usize, drop_last: bool) -> Vec<Range<usize>> {
    let (mut batches, mut begin, mut tokens) = (vec![], 0, 0usize);
    for (position, &length) in lengths.iter().enumerate() {
        if position > begin && tokens.saturating_add(length) > max_tokens {
            batches.push(begin..position);
            (begin, tokens) = (position, 0);
        }
        tokens = tokens.saturating_add(length);
    }
    if begin < lengths.len() && !(drop_last && tokens < max_tokens) {
        batches.push(begin..lengths.len());
    }
    batches
}

fn refuse_oversize(order: &[usize], lengths: &[usize], max_tokens: usize) -> Result<()> {
    match lengths.iter().position(|&length| length > max_tokens) {
        None => Ok(()),
        Some(position) => {
            let (index, got) = (order[position], lengths[position]);
            Err(Error::TooLong { index, got, max_tokens })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(lengths: &[usize], rule: &BatchRule, epoch: usize) -> Result<BatchPlan> {
        BatchPlan::new(rule, lengths.len(), epoch, |i| Ok(lengths[i]))
    }

    fn tokens(max_tokens: usize, oversize: Oversize) -> Batching {
        Batching::Tokens { max_tokens, oversize }
    }

    fn batches(plan: &BatchPlan) -> Vec<Vec<usize>> {
        plan.iter().map(<[usize]>::to_vec).collect()
    }

    const IN_ORDER: BatchRule = BatchRule {
        sampler: &Sampler::Sequential,
        batching: Batching::Sequences(2),
        bucket_size: None,
        drop_last: false,
    };

    #[test]
    fn a_batch_ends_before_the_sequence_that_does_not_fit() {
        #[track_caller]
        fn check(lengths: &[usize], drop_last: bool, expected: &[&[usize]]) {
            let batching = tokens(5, Oversize::Alone);
            let plan = plan(lengths, &BatchRule { batching, drop_last, ..IN_ORDER }, 0).unwrap();
            assert_eq!(batches(&plan), expected);
        }
        check(&[2, 3, 1, 4, 4], false, &[&[0, 1], &[2, 3], &[4]]);
        check(&[2, 3, 1, 4, 4], true, &[&[0, 1], &[2, 3]]);
        check(&[2, 9, 1], false, &[&[0], &[1], &[2]]);
        check(&[9, 9], true, &[&[0], &[1]]);
        check(&[0, 0, 5, 0, 1], false, &[&[0, 1, 2, 3], &[4]]);
        check(&[usize::MAX, usize::MAX, 1], false, &[&[0], &[1], &[2]]);
        check(&[], false, &[]);
        let refuse = BatchRule { batching: tokens(5, Oversize::Refuse), ..IN_ORDER };
        let error = plan(&[5, 1, 6], &refuse, 0).unwrap_err().to_string();
        assert_eq!(error, "example 2 has 6 steps: expected at most 5 (max_tokens)");
    }

    /// The padding of a plan: the steps of the rectangles that are not real.
    fn padding(plan: &BatchPlan, lengths: &[usize]) -> usize {
        let padding = |batch: &[usize]| {
            let longest = batch.iter().map(|&i| lengths[i]).max().unwrap_or(0);
            batch.iter().map(|&i| longest - lengths[i]).sum::<usize>()
        };
        plan.iter().map(padding).sum()
    }

    #[test]
    fn buckets_remove_most_padding_and_keep_the_order_random() {
        let lengths: Vec<usize> = (0..1000).map(|i| 1 + i * 7 % 50).collect();
        let sampler = Sampler::Shuffle { seed: 1 };
        let plain = BatchRule { sampler: &sampler, batching: Batching::Sequences(20), ..IN_ORDER };
        let bucketed = BatchRule { bucket_size: Some(200), ..plain };
        let of = |rule, epoch| plan(&lengths, rule, epoch).unwrap();
        let (without, with) =
            (padding(&of(&plain, 0), &lengths), padding(&of(&bucketed, 0), &lengths));
        assert!(with * 5 < without, "{with} of {without} steps of padding remain");
        let lengths_in_time = |epoch| -> Vec<usize> {
            of(&bucketed, epoch).iter().map(|batch| lengths[batch[0]]).collect()
        };
        assert!(!lengths_in_time(0).is_sorted() && lengths_in_time(0) != lengths_in_time(1));
        // The other examples of a batch change from epoch to epoch.
        let mates = |epoch| {
            let plan = of(&bucketed, epoch);
            let mut batch = plan.iter().find(|batch| batch.contains(&3)).unwrap().to_vec();
            batch.sort_unstable();
            batch
        };
        assert_ne!(mates(0), mates(1));
    }

    /// 90 examples of class 0 and 10 of class 1, which are much longer.
    #[test]
    fn stratified_batches_keep_the_shares_of_the_classes_in_buckets() {
        let is_rare = |index: usize| index.is_multiple_of(10);
        let lengths: Vec<usize> =
            (0..100).map(|i| if is_rare(i) { 500 + i } else { 1 + i * 7 % 50 }).collect();
        let strata = Strata::new((0..100).map(|i| u32::from(is_rare(i))).collect());
        let sampler = Sampler::Stratified { strata, seed: 2 };
        let rule = BatchRule {
            sampler: &sampler,
            batching: Batching::Sequences(20),
            bucket_size: Some(50),
            drop_last: false,
        };
        let unsorted = BatchRule { bucket_size: None, ..rule };
        for epoch in 0..20 {
            let sorted = plan(&lengths, &rule, epoch).unwrap();
            for batch in sorted.iter() {
                // The share is 2; a batch can cut the part of one example at each end.
                let rare = batch.iter().filter(|&&index| is_rare(index)).count();
                assert!((1..=3).contains(&rare), "epoch {epoch}: {rare} of 20");
            }
            let mut all = batches(&sorted).concat();
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>());
            // The many are still sorted by length within the stretches of each bucket.
            let spread = |plan: &BatchPlan| -> usize {
                let of = |batch: &[usize]| {
                    let many = batch.iter().filter(|&&index| !is_rare(index));
                    let many: Vec<usize> = many.map(|&index| lengths[index]).collect();
                    many.iter().max().unwrap() - many.iter().min().unwrap()
                };
                plan.iter().map(of).sum()
            };
            let without = plan(&lengths, &unsorted, epoch).unwrap();
            assert!(spread(&sorted) < spread(&without), "epoch {epoch}");
        }
    }

    proptest! {
        #[test]
        fn every_example_occurs_once_and_no_batch_is_too_large(
            lengths in prop::collection::vec(0..40usize, 0..80),
            size in 1..50usize,
            bucket_size in prop::option::of(1..50usize),
            by_tokens: bool,
            epoch in 0..3usize,
        ) {
            let batching =
                if by_tokens { tokens(size, Oversize::Alone) } else { Batching::Sequences(size) };
            let sampler = Sampler::Shuffle { seed: 5 };
            let rule = BatchRule { sampler: &sampler, batching, bucket_size, drop_last: false };
            let whole = plan(&lengths, &rule, epoch).unwrap();
            let mut all = batches(&whole).concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            for batch in whole.iter() {
                let steps: usize = batch.iter().map(|&i| lengths[i]).sum();
                let fits = if by_tokens { steps <= size || batch.len() == 1 } else { batch.len() <= size };
                prop_assert!(fits && !batch.is_empty(), "{:?}", batch);
            }
            prop_assert_eq!(&plan(&lengths, &rule, epoch).unwrap(), &whole);
            let cut = plan(&lengths, &BatchRule { drop_last: true, ..rule }, epoch).unwrap();
            prop_assert!(whole.len() - cut.len() <= 1);
            if !by_tokens {
                prop_assert!(cut.iter().all(|batch| batch.len() == size));
                prop_assert_eq!(cut.len(), batch_count(lengths.len(), size, true));
            }
        }
    }
}
