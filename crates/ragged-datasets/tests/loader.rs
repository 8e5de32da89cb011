//! The loader: the same batches for any number of workers and from any position, and its errors.

use std::time::Duration;

use proptest::prelude::*;
use ragged_datasets::{
    Batch, BatchSteps, Batching, Collate, DataLoader, Dataset, Error, Example, LoaderConfig,
    Oversize, Result, Sampler, TargetKind, VariableLengthSums, VariableLengthSumsConfig,
};

fn sums(num_samples: usize, redraw: bool) -> VariableLengthSums {
    let config = VariableLengthSumsConfig { num_samples, redraw, ..Default::default() };
    VariableLengthSums::new(config).unwrap()
}

/// Everything in a batch.
type Content = (Vec<usize>, Vec<usize>, Vec<f32>, Vec<f32>);

fn content(batch: &Batch) -> Content {
    let values = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1().unwrap();
    let (lengths, input) = match &batch.input.steps {
        BatchSteps::Packed(packed) => (packed.lengths(), values(packed.data())),
        BatchSteps::Padded { input, lengths } => (lengths.clone(), values(input)),
        BatchSteps::Tokens(_) => panic!("features"),
    };
    (batch.indices.clone(), lengths, input, values(&batch.target))
}

fn contents<D: Dataset>(loader: &DataLoader<D>, epoch: usize, batch: usize) -> Vec<Content> {
    loader.epoch_from(epoch, batch).map(|batch| content(&batch.unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn batches_are_the_same_for_any_number_of_workers_and_from_any_position(
        examples in 1..60usize,
        size in 1..12usize,
        tokens: bool,
        bucket_size in prop::option::of(1..40usize),
        padded: bool,
        workers in 1..5usize,
        prefetch in 1..4usize,
        epoch in 0..3usize,
    ) {
        let batching = match tokens {
            true => Batching::Tokens { max_tokens: size * 20, oversize: Oversize::Alone },
            false => Batching::Sequences(size),
        };
        let config = LoaderConfig {
            batching,
            bucket_size,
            sampler: Sampler::Shuffle { seed: 7 },
            collate: if padded { Collate::Padded } else { Collate::Packed },
            prefetch,
            ..LoaderConfig::new(1)
        };
        let alone = DataLoader::new(sums(examples, true), config.clone()).unwrap();
        let all = contents(&alone, epoch, 0);
        prop_assert_eq!(all.len(), alone.plan(epoch).unwrap().len());
        let loader = DataLoader::new(sums(examples, true), LoaderConfig { workers, ..config }).unwrap();
        for batch in [0, 1, all.len() / 2, all.len().saturating_sub(1), all.len(), all.len() + 3] {
            prop_assert_eq!(loader.epoch_from(epoch, batch).len(), all.len().saturating_sub(batch));
            let rest = all.get(batch..).unwrap_or_default();
            prop_assert_eq!(&contents(&loader, epoch, batch)[..], rest, "from batch {}", batch);
        }
    }
}

/// A data set that fails at some examples in different ways, and is slow at others.
struct Faulty(VariableLengthSums);

impl Dataset for Faulty {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn features(&self) -> usize {
        self.0.features()
    }

    fn target_kind(&self) -> &TargetKind {
        self.0.target_kind()
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        match index {
            7 => return Err(Error::Empty("the seventh")),
            11 => panic!("no example {index}"),
            12 => std::panic::panic_any(3),
            _ if index.is_multiple_of(5) => std::thread::sleep(Duration::from_millis(5)),
            _ => {}
        }
        self.0.get(epoch, index)
    }
}

#[test]
fn a_failed_batch_is_an_error_in_its_place_with_the_index_of_the_example() {
    for workers in [0, 1, 3] {
        let config = LoaderConfig { workers, ..LoaderConfig::new(2) };
        let loader = DataLoader::new(Faulty(sums(20, false)), config).unwrap();
        let seen: Vec<_> = loader
            .epoch(0)
            .map(|batch| batch.map(|b| b.indices[0]).map_err(|error| error.to_string()))
            .collect();
        let lost = |index: usize, why: &str| Err(format!("example {index}: {why}"));
        assert_eq!(
            seen,
            [
                Ok(0),
                Ok(2),
                Ok(4),
                lost(7, "the seventh is empty: expected at least one example"),
                Ok(8),
                lost(11, "the data set panicked: no example 11"),
                lost(12, "the data set panicked: no message"),
                Ok(14),
                Ok(16),
                Ok(18)
            ],
            "{workers} workers"
        );
    }
}

#[test]
fn an_epoch_can_be_dropped_in_the_middle() {
    let config = LoaderConfig { workers: 3, prefetch: 1, ..LoaderConfig::new(1) };
    let loader = DataLoader::new(sums(500, false), config).unwrap();
    // The workers wait at full queues. Dropping the epoch must not wait for all its batches.
    for taken in [0, 1, 10] {
        let mut epoch = loader.epoch(0);
        assert_eq!(epoch.by_ref().take(taken).count(), taken);
        assert_eq!(epoch.len(), 500 - taken);
        drop(epoch);
    }
}

#[test]
fn a_failed_length_is_one_error() {
    struct NoLength(VariableLengthSums);
    impl Dataset for NoLength {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn features(&self) -> usize {
            self.0.features()
        }

        fn target_kind(&self) -> &TargetKind {
            self.0.target_kind()
        }

        fn get(&self, epoch: usize, index: usize) -> Result<Example> {
            self.0.get(epoch, index)
        }

        fn length(&self, epoch: usize, index: usize) -> Result<usize> {
            match epoch {
                0 => self.0.length(epoch, index),
                _ => Err(Error::Empty("what comes later")),
            }
        }
    }
    let batching = Batching::Tokens { max_tokens: 100, oversize: Oversize::Alone };
    let config = LoaderConfig { batching, workers: 2, ..LoaderConfig::new(1) };
    let loader = DataLoader::new(NoLength(sums(20, false)), config).unwrap();
    assert!(loader.epoch(0).all(|batch| batch.is_ok()));
    let mut epoch = loader.epoch(1);
    let message = "what comes later is empty: expected at least one example";
    assert_eq!(epoch.next().unwrap().unwrap_err().to_string(), message);
    assert!(epoch.next().is_none());
}
