//! Properties of padding and packing, on sequences of any lengths, shape and order.

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use ragged_sequence::*;

/// Lengths with zeros and ties, and a trailing shape: tensors of 1 to 4 dimensions.
fn batches() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    (prop::collection::vec(0..9usize, 1..12), prop::collection::vec(1..4usize, 0..4))
}

/// Sequences of consecutive numbers: all elements differ, so that a wrong order is always seen.
fn sequences(lengths: &[usize], trailing: &[usize]) -> Vec<Tensor> {
    let width: usize = trailing.iter().product();
    let mut next = 1i64;
    lengths
        .iter()
        .map(|&length| {
            let end = next + (length * width) as i64;
            let values: Vec<i64> = (next..end).collect();
            next = end;
            Tensor::from_vec(values, [&[length], trailing].concat(), &Device::Cpu).unwrap()
        })
        .collect()
}

fn values(tensor: &Tensor) -> Vec<i64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn assert_same(got: &[Tensor], want: &[Tensor]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert_eq!((got.dims(), values(got)), (want.dims(), values(want)));
    }
}

/// The packed rows by definition: for every step, the sequences that have the step, longest first.
fn naive_pack(sequences: &[Tensor]) -> (Vec<i64>, Vec<usize>) {
    let mut order: Vec<&Tensor> = sequences.iter().collect();
    order.sort_by(|a, b| b.dims()[0].cmp(&a.dims()[0]));
    let (mut data, mut batch_sizes) = (vec![], vec![]);
    for t in 0..order[0].dims()[0] {
        let running: Vec<_> = order.iter().filter(|s| t < s.dims()[0]).collect();
        batch_sizes.push(running.len());
        running.iter().for_each(|s| data.extend(values(&s.get(t).unwrap())));
    }
    (data, batch_sizes)
}

proptest! {
    #[test]
    fn unpad_inverts_pad((lengths, trailing) in batches(), left: bool, more in 0..3usize) {
        let side = if left { PaddingSide::Left } else { PaddingSide::Right };
        let sequences = sequences(&lengths, &trailing);
        let total = lengths.iter().max().unwrap() + more;
        let padding = Padding { value: -7.0, side, total_length: Some(total) };
        let padded = pad_sequence(&sequences, &padding).unwrap();
        prop_assert_eq!(padded.dims(), [&[lengths.len(), total], &trailing[..]].concat());
        let real: usize = lengths.iter().sum::<usize>() * trailing.iter().product::<usize>();
        let fill = values(&padded).iter().filter(|&&v| v == -7).count();
        prop_assert_eq!(fill, padded.elem_count() - real);
        assert_same(&unpad_sequence(&padded, &lengths, side).unwrap(), &sequences);
    }

    #[test]
    fn unpack_inverts_pack((lengths, trailing) in batches()) {
        let sequences = sequences(&lengths, &trailing);
        let packed = pack_sequence(&sequences, false).unwrap();
        let (data, batch_sizes) = naive_pack(&sequences);
        prop_assert_eq!(values(packed.data()), data);
        prop_assert_eq!(packed.batch_sizes(), &batch_sizes[..]);
        prop_assert_eq!(packed.lengths(), lengths);
        assert_same(&unpack_sequence(&packed).unwrap(), &sequences);
    }

    #[test]
    fn both_packing_functions_agree_and_padding_inverts_them((lengths, trailing) in batches(), more in 0..3usize) {
        let sequences = sequences(&lengths, &trailing);
        let total_length = Some(lengths.iter().max().unwrap() + more);
        let padding = Padding { value: -7.0, total_length, ..Padding::default() };
        let padded = pad_sequence(&sequences, &padding).unwrap();
        let packed = pack_padded_sequence(&padded, &lengths, false).unwrap();
        let direct = pack_sequence(&sequences, false).unwrap();
        prop_assert_eq!(values(packed.data()), values(direct.data()));
        prop_assert_eq!(packed.layout(), direct.layout());
        let (back, back_lengths) = pad_packed_sequence(&packed, &padding).unwrap();
        prop_assert_eq!(back_lengths, lengths);
        assert_same(&[back], &[padded]);
    }

    #[test]
    fn sorted_input_keeps_its_order((mut lengths, trailing) in batches()) {
        lengths.sort_by(|a, b| b.cmp(a));
        let packed = pack_sequence(&sequences(&lengths, &trailing), true).unwrap();
        prop_assert!(packed.layout().is_sorted());
    }

    #[test]
    fn batch_sizes_count_the_longer_sequences(lengths in prop::collection::vec(0..40usize, 0..20)) {
        let layout = PackedLayout::from_lengths(&lengths);
        let sizes = layout.batch_sizes();
        prop_assert_eq!(layout.rows(), lengths.iter().sum::<usize>());
        prop_assert_eq!(sizes.iter().sum::<usize>(), layout.rows());
        prop_assert_eq!(sizes.len(), lengths.iter().copied().max().unwrap_or(0));
        for (t, &size) in sizes.iter().enumerate() {
            prop_assert_eq!(size, lengths.iter().filter(|&&l| l > t).count());
        }
        prop_assert_eq!(layout.positions().count(), layout.rows());
        // The layout can be rebuilt from its parts.
        let parts = PackedLayout::new(sizes.to_vec(), layout.sorted_indices().to_vec());
        prop_assert_eq!(parts.unwrap(), layout);
    }

    #[test]
    fn inverting_a_permutation_twice_gives_the_permutation(
        permutation in (0..20usize).prop_flat_map(|n| Just((0..n).collect::<Vec<_>>()).prop_shuffle())
    ) {
        let inverse = invert_permutation(&permutation).unwrap();
        prop_assert!(permutation.iter().enumerate().all(|(i, &p)| inverse[p] == i));
        prop_assert_eq!(invert_permutation(&inverse).unwrap(), permutation);
    }

    #[test]
    fn masks_and_lengths_agree(lengths in prop::collection::vec(0..9usize, 0..8), more in 0..3usize) {
        let total = lengths.iter().copied().max().unwrap_or(0) + more;
        let mask = lengths_to_mask(&lengths, Some(total), &Device::Cpu).unwrap();
        prop_assert_eq!(mask.dims(), &[lengths.len(), total]);
        prop_assert_eq!(mask_to_lengths(&mask).unwrap(), lengths);
    }
}
