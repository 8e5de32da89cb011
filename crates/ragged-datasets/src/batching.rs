//! Which examples go into a batch together.

use std::ops::Range;

use ragged_sequence::random::{Generator, Purpose};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Sampler};

/// How many examples a batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Batching {
    /// So many sequences, whatever their lengths.
    Sequences(usize),
    /// As many sequences as have this many steps together. Only real steps count: a packed batch has
    /// no others.
    Tokens {
        /// The most steps of a batch.
        max_tokens: usize,
        /// What becomes of a sequence that is longer than a batch.
        over_long: OverLong,
    },
}

/// What becomes of a sequence with more steps than a batch may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverLong {
    /// It gets a batch of its own.
    Alone,
    /// It is an error that names it.
    Refuse,
}

/// The batches of an epoch, as indices of examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    order: Vec<usize>,
    batches: Vec<Range<usize>>,
}

/// How an order of examples becomes batches.
#[derive(Clone, Copy)]
pub(crate) struct Batcher<'a> {
    pub(crate) sampler: &'a Sampler,
    pub(crate) batching: Batching,
    pub(crate) bucket_size: Option<usize>,
    pub(crate) drop_last: bool,
}

impl BatchPlan {
    /// Orders and cuts the examples of `epoch`; `length` is asked only where lengths matter.
    pub(crate) fn new(
        batcher: &Batcher,
        examples: usize,
        epoch: usize,
        length: impl Fn(usize) -> Result<usize>,
    ) -> Result<Self> {
        let mut order = batcher.sampler.indices(examples, epoch)?;
        if let Some(bucket_size) = batcher.bucket_size {
            sort_buckets(&mut order, bucket_size, &length)?;
        }
        let mut batches = match batcher.batching {
            Batching::Sequences(size) => by_count(order.len(), size, batcher.drop_last),
            Batching::Tokens { max_tokens, over_long } => {
                let lengths: Result<Vec<usize>> = order.iter().map(|&i| length(i)).collect();
                let lengths = lengths?;
                if over_long == OverLong::Refuse {
                    refuse_over_long(&order, &lengths, max_tokens)?;
                }
                by_tokens(&lengths, max_tokens, batcher.drop_last)
            }
        };
        // Sorted buckets would show long sequences together in time.
        if let (Some(_), Some(seed)) = (batcher.bucket_size, batcher.sampler.seed()) {
            batches.shuffle(&mut Generator::new(seed, Purpose::BatchOrder, Some(epoch), 0));
        }
        Ok(Self { order, batches })
    }

    /// The number of batches.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The examples of batch `batch`, `None` beyond the last.
    pub fn get(&self, batch: usize) -> Option<&[usize]> {
        Some(&self.order[self.batches.get(batch)?.clone()])
    }

    /// All batches in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        self.batches.iter().map(|batch| &self.order[batch.clone()])
    }
}

/// Sorts each stretch of `bucket_size` examples by length. Every second one goes downwards, so that
/// a batch across two buckets has similar lengths too. Equal lengths keep their (random) order.
fn sort_buckets(
    order: &mut [usize],
    bucket_size: usize,
    length: impl Fn(usize) -> Result<usize>,
) -> Result<()> {
    for (k, bucket) in order.chunks_mut(bucket_size).enumerate() {
        let keyed: Result<Vec<_>> = bucket.iter().map(|&i| Ok((length(i)?, i))).collect();
        let mut keyed = keyed?;
        keyed.sort_by_key(|&(length, _)| length);
        if k % 2 == 1 {
            keyed.reverse();
        }
        bucket.iter_mut().zip(keyed).for_each(|(place, (_, index))| *place = index);
    }
    Ok(())
}

fn by_count(examples: usize, size: usize, drop_last: bool) -> Vec<Range<usize>> {
    let batches = count(examples, size, drop_last);
    (0..batches).map(|b| b * size..examples.min(b.saturating_add(1).saturating_mul(size))).collect()
}

/// The number of batches of `size` sequences.
pub(crate) fn count(examples: usize, size: usize, drop_last: bool) -> usize {
    if drop_last { examples / size } else { examples.div_ceil(size) }
}

/// Cuts greedily: a batch ends where the next sequence would not fit. The last one counts as whole,
/// for `drop_last`, only where nothing more would have fitted.
fn by_tokens(lengths: &[usize], max_tokens: usize, drop_last: bool) -> Vec<Range<usize>> {
    let (mut batches, mut begin, mut tokens) = (vec![], 0, 0usize);
    for (place, &length) in lengths.iter().enumerate() {
        if place > begin && tokens.saturating_add(length) > max_tokens {
            batches.push(begin..place);
            (begin, tokens) = (place, 0);
        }
        tokens = tokens.saturating_add(length);
    }
    if begin < lengths.len() && !(drop_last && tokens < max_tokens) {
        batches.push(begin..lengths.len());
    }
    batches
}

fn refuse_over_long(order: &[usize], lengths: &[usize], max_tokens: usize) -> Result<()> {
    match lengths.iter().position(|&length| length > max_tokens) {
        None => Ok(()),
        Some(place) => Err(Error::Example {
            index: order[place],
            got: format!("{} steps", lengths[place]),
            expected: format!("at most {max_tokens} (max_tokens)"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(lengths: &[usize], batcher: &Batcher, epoch: usize) -> Result<BatchPlan> {
        BatchPlan::new(batcher, lengths.len(), epoch, |i| Ok(lengths[i]))
    }

    fn tokens(max_tokens: usize, over_long: OverLong) -> Batching {
        Batching::Tokens { max_tokens, over_long }
    }

    fn batches(plan: &BatchPlan) -> Vec<Vec<usize>> {
        plan.iter().map(<[usize]>::to_vec).collect()
    }

    const IN_ORDER: Batcher = Batcher {
        sampler: &Sampler::Sequential,
        batching: Batching::Sequences(2),
        bucket_size: None,
        drop_last: false,
    };

    #[test]
    fn a_batch_ends_where_the_next_sequence_would_not_fit() {
        #[track_caller]
        fn check(lengths: &[usize], drop_last: bool, expected: &[&[usize]]) {
            let batching = tokens(5, OverLong::Alone);
            let plan = plan(lengths, &Batcher { batching, drop_last, ..IN_ORDER }, 0).unwrap();
            assert_eq!(batches(&plan), expected);
        }
        check(&[2, 3, 1, 4, 4], false, &[&[0, 1], &[2, 3], &[4]]);
        check(&[2, 3, 1, 4, 4], true, &[&[0, 1], &[2, 3]]);
        check(&[2, 9, 1], false, &[&[0], &[1], &[2]]);
        check(&[9, 9], true, &[&[0], &[1]]);
        check(&[0, 0, 5, 0, 1], false, &[&[0, 1, 2, 3], &[4]]);
        check(&[usize::MAX, usize::MAX, 1], false, &[&[0], &[1], &[2]]);
        check(&[], false, &[]);
        let refuse = Batcher { batching: tokens(5, OverLong::Refuse), ..IN_ORDER };
        let error = plan(&[5, 1, 6], &refuse, 0).unwrap_err().to_string();
        assert_eq!(error, "example 2 has 6 steps: expected at most 5 (max_tokens)");
    }

    /// The padding of a plan: steps of the rectangles that are not real.
    fn padding(plan: &BatchPlan, lengths: &[usize]) -> usize {
        let waste = |batch: &[usize]| {
            let longest = batch.iter().map(|&i| lengths[i]).max().unwrap_or(0);
            batch.iter().map(|&i| longest - lengths[i]).sum::<usize>()
        };
        plan.iter().map(waste).sum()
    }

    #[test]
    fn buckets_take_the_padding_and_leave_the_randomness() {
        let lengths: Vec<usize> = (0..1000).map(|i| 1 + i * 7 % 50).collect();
        let sampler = Sampler::Shuffle { seed: 1 };
        let plain = Batcher { sampler: &sampler, batching: Batching::Sequences(20), ..IN_ORDER };
        let bucketed = Batcher { bucket_size: Some(200), ..plain };
        let of = |batcher, epoch| plan(&lengths, batcher, epoch).unwrap();
        let (without, with) =
            (padding(&of(&plain, 0), &lengths), padding(&of(&bucketed, 0), &lengths));
        assert!(with * 5 < without, "{with} of {without} steps of padding are left");
        let lengths_in_time = |epoch| -> Vec<usize> {
            of(&bucketed, epoch).iter().map(|batch| lengths[batch[0]]).collect()
        };
        assert!(!lengths_in_time(0).is_sorted() && lengths_in_time(0) != lengths_in_time(1));
        // An example's batch mates change from epoch to epoch, those of other lengths too.
        let mates = |epoch| {
            let plan = of(&bucketed, epoch);
            let mut batch = plan.iter().find(|batch| batch.contains(&3)).unwrap().to_vec();
            batch.sort_unstable();
            batch
        };
        assert_ne!(mates(0), mates(1));
    }

    proptest! {
        #[test]
        fn every_example_comes_once_and_no_batch_is_too_large(
            lengths in prop::collection::vec(0..40usize, 0..80),
            size in 1..50usize,
            bucket_size in prop::option::of(1..50usize),
            by_tokens: bool,
            epoch in 0..3usize,
        ) {
            let batching =
                if by_tokens { tokens(size, OverLong::Alone) } else { Batching::Sequences(size) };
            let sampler = Sampler::Shuffle { seed: 5 };
            let batcher = Batcher { sampler: &sampler, batching, bucket_size, drop_last: false };
            let whole = plan(&lengths, &batcher, epoch).unwrap();
            let mut all = batches(&whole).concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            for batch in whole.iter() {
                let steps: usize = batch.iter().map(|&i| lengths[i]).sum();
                let fits = if by_tokens { steps <= size || batch.len() == 1 } else { batch.len() <= size };
                prop_assert!(fits && !batch.is_empty(), "{:?}", batch);
            }
            prop_assert_eq!(&plan(&lengths, &batcher, epoch).unwrap(), &whole);
            let cut = plan(&lengths, &Batcher { drop_last: true, ..batcher }, epoch).unwrap();
            prop_assert!(whole.len() - cut.len() <= 1);
            if !by_tokens {
                prop_assert!(cut.iter().all(|batch| batch.len() == size));
                prop_assert_eq!(cut.len(), count(lengths.len(), size, true));
            }
        }
    }
}
