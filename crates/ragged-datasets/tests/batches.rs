//! Batches do not depend on earlier requests, and packed and padded batches hold the same steps.

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use ragged_datasets::{
    Batch, BatchSteps, Collate, DataLoader, Dataset, Example, LoaderConfig, Sampler, Sequence,
    Target, VariableLengthSums, VariableLengthSumsConfig,
};
use ragged_sequence::{Padding, pad_packed_sequence};

fn loader(redraw: bool) -> DataLoader<VariableLengthSums> {
    let config = VariableLengthSumsConfig { num_samples: 50, redraw, ..Default::default() };
    let sampler = Sampler::Shuffle { seed: 3 };
    let sums = VariableLengthSums::new(config).unwrap();
    DataLoader::new(sums, LoaderConfig { sampler, ..LoaderConfig::new(8) }).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Everything in a packed batch.
fn content(batch: &Batch) -> (Vec<usize>, Vec<usize>, Vec<f32>, Vec<f32>) {
    let BatchSteps::Packed(packed) = &batch.input.steps else { panic!("packed") };
    let (input, target) = (values(packed.data()), values(&batch.target));
    (batch.indices.clone(), packed.lengths(), input, target)
}

#[test]
fn an_epoch_does_not_depend_on_earlier_requests() {
    for redraw in [false, true] {
        let epochs = |order: [usize; 3]| {
            let loader = loader(redraw);
            let mut all = order.map(|epoch| {
                let batches = loader.epoch(epoch).map(|batch| content(&batch.unwrap()));
                (epoch, batches.collect::<Vec<_>>())
            });
            all.sort_by_key(|(epoch, _)| *epoch);
            all
        };
        let all = epochs([0, 1, 2]);
        assert_eq!(all, epochs([2, 0, 1]));
        assert_ne!(all[0].1, all[1].1);
        // Two epochs at the same time do not affect each other.
        let loader = loader(redraw);
        for (k, (a, b)) in loader.epoch(0).zip(loader.epoch(1)).enumerate() {
            assert_eq!((content(&a.unwrap()), content(&b.unwrap())), {
                (all[0].1[k].clone(), all[1].1[k].clone())
            });
        }
    }
}

#[test]
fn threads_see_the_same_examples() {
    let loader = loader(true);
    let data = loader.dataset();
    let one: Vec<_> = (0..data.len()).map(|i| data.get(4, i).unwrap()).collect();
    std::thread::scope(|scope| {
        let last = scope.spawn(|| (25..50).map(|i| data.get(4, i).unwrap()).collect::<Vec<_>>());
        let first: Vec<_> = (0..25).map(|i| data.get(4, i).unwrap()).collect();
        assert_eq!([first, last.join().unwrap()].concat(), one);
    });
}

proptest! {
    #[test]
    fn packed_and_padded_hold_the_same_steps(
        lengths in prop::collection::vec(0..7usize, 1..9),
        features in 1..4usize,
    ) {
        let mut next = 0.0;
        let examples: Vec<(usize, Example)> = lengths.iter().enumerate().map(|(index, length)| {
            let values = (0..length * features).map(|_| { next += 1.0; next }).collect();
            let sequence = Sequence::new(values, features).unwrap();
            (index, Example::new(sequence, Target::Class(index as u32)))
        }).collect();
        let collate = |how: Collate| how.collate(&examples, &Device::Cpu).unwrap();
        let (packed, padded) = (collate(Collate::Packed), collate(Collate::Padded));
        prop_assert_eq!(packed.real_steps(), padded.real_steps());
        let (BatchSteps::Packed(packed), BatchSteps::Padded { input, lengths: same }) =
            (packed.input.steps, padded.input.steps) else { panic!("one of each") };
        prop_assert_eq!(&same, &lengths);
        let (unpacked, back) = pad_packed_sequence(&packed, &Padding::default()).unwrap();
        prop_assert_eq!(unpacked.dims(), input.dims());
        prop_assert_eq!(values(&unpacked), values(&input));
        prop_assert_eq!(back, lengths);
        let classes: Vec<u32> = (0..same.len() as u32).collect();
        prop_assert_eq!(padded.target.to_vec1::<u32>().unwrap(), classes);
    }
}
