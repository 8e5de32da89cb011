//! Pooling, softmax and reversal of packed rows, compared with loops over each sequence.

use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;
use ragged_sequence::{
    Padding, Pooling, masked_softmax, pack_sequence, pad_sequence, pool, reverse_packed_sequence,
    reverse_padded_sequence, unpack_sequence,
};

const CPU: &Device = &Device::Cpu;

/// Sequences `[length, 2]` whose values all differ.
fn sequences(lengths: &[usize]) -> Vec<Tensor> {
    let value = |b: usize, k: usize| ((b * 131 + k * 37) % 101) as f64 / 10.0 - 5.0;
    let sequence = |(b, &length): (usize, &usize)| {
        let values: Vec<f64> = (0..length * 2).map(|k| value(b, k)).collect();
        Tensor::from_vec(values, (length, 2), CPU).unwrap()
    };
    lengths.iter().enumerate().map(sequence).collect()
}

/// The result of pooling for one column of one sequence.
fn pooled(column: &[f64], pooling: Pooling) -> f64 {
    let Some((first, last)) = column.first().zip(column.last()) else { return 0.0 };
    match pooling {
        Pooling::First => *first,
        Pooling::Last => *last,
        Pooling::Sum => column.iter().fold(0.0, |sum, v| sum + v),
        Pooling::Mean => column.iter().fold(0.0, |sum, v| sum + v) / column.len() as f64,
        Pooling::Max => column.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

const ALL: [Pooling; 5] =
    [Pooling::Last, Pooling::First, Pooling::Mean, Pooling::Max, Pooling::Sum];

proptest! {
    #[test]
    fn pooling_agrees_with_the_loop_bit_for_bit(lengths in prop::collection::vec(0..6usize, 1..6)) {
        let sequences = sequences(&lengths);
        let packed = pack_sequence(&sequences, false).unwrap();
        for pooling in ALL {
            let got = pool(&packed, pooling).unwrap().to_vec2::<f64>().unwrap();
            for (sequence, got) in sequences.iter().zip(got) {
                let rows = sequence.to_vec2::<f64>().unwrap();
                let column = |k: usize| rows.iter().map(|row| row[k]).collect::<Vec<_>>();
                let want = [pooled(&column(0), pooling), pooled(&column(1), pooling)];
                prop_assert_eq!(&got[..], &want[..], "{:?}", pooling);
            }
        }
    }

    #[test]
    fn reversal_stays_within_each_length(lengths in prop::collection::vec(0..6usize, 1..6)) {
        let sequences = sequences(&lengths);
        let packed = pack_sequence(&sequences, false).unwrap();
        let reversed = unpack_sequence(&reverse_packed_sequence(&packed).unwrap()).unwrap();
        let padding = Padding { value: 7.0, total_length: Some(6), ..Default::default() };
        let padded = pad_sequence(&sequences, &padding).unwrap();
        let turned = reverse_padded_sequence(&padded, &lengths).unwrap();
        let back = reverse_padded_sequence(&turned, &lengths).unwrap();
        prop_assert_eq!(back.to_vec3::<f64>().unwrap(), padded.to_vec3::<f64>().unwrap());
        let turned = turned.to_vec3::<f64>().unwrap();
        for (b, sequence) in sequences.iter().enumerate() {
            let mut want = sequence.to_vec2::<f64>().unwrap();
            want.reverse();
            prop_assert_eq!(&reversed[b].to_vec2::<f64>().unwrap(), &want);
            want.resize(6, vec![7.0; 2]);
            prop_assert_eq!(&turned[b], &want);
        }
    }

    #[test]
    fn softmax_sums_to_one_over_the_real_steps(lengths in prop::collection::vec(0..6usize, 1..6)) {
        let sequences = sequences(&lengths);
        // The values of the padding have no effect, even if they are NaN.
        let padding = Padding { value: f64::NAN, total_length: Some(6), ..Default::default() };
        let padded = pad_sequence(&sequences, &padding).unwrap();
        let got = masked_softmax(&padded, &lengths).unwrap().to_vec3::<f64>().unwrap();
        for (sequence, got) in sequences.iter().zip(got) {
            let rows = sequence.to_vec2::<f64>().unwrap();
            for k in 0..2 {
                let sum: f64 = rows.iter().map(|row| row[k].exp()).sum();
                for (t, got) in got.iter().enumerate() {
                    let want = rows.get(t).map_or(0.0, |row| row[k].exp() / sum);
                    prop_assert!((got[k] - want).abs() < 1e-14, "{} {}", got[k], want);
                }
            }
        }
    }
}

#[test]
fn sequences_without_steps_pool_to_zeros() {
    let empty = Tensor::zeros((0, 3), DType::F64, CPU).unwrap();
    let packed = pack_sequence(&[empty.clone(), empty], false).unwrap();
    for pooling in ALL {
        assert_eq!(pool(&packed, pooling).unwrap().to_vec2::<f64>().unwrap(), [[0.0; 3]; 2]);
    }
}

#[test]
fn the_maximum_of_whole_numbers() {
    let sequences = [Tensor::new(&[3u32, 9, 4], CPU).unwrap(), Tensor::new(&[2u32], CPU).unwrap()];
    let packed = pack_sequence(&sequences, false).unwrap();
    assert_eq!(pool(&packed, Pooling::Max).unwrap().to_vec1::<u32>().unwrap(), [9, 2]);
}

/// Compares with central differences of a weighted sum of all results.
#[test]
fn gradients_of_pooling_and_softmax() {
    let lengths = [2, 0, 4, 1];
    let x = Var::from_tensor(&pad_sequence(&sequences(&lengths), &Padding::default()).unwrap());
    let x = x.unwrap();
    let weigh = |t: Tensor| {
        let weights: Vec<f64> = (0..t.elem_count()).map(|k| (k % 7) as f64 - 2.5).collect();
        let weights = Tensor::from_vec(weights, t.shape(), CPU).unwrap();
        (t * weights).unwrap().sum_all().unwrap()
    };
    let loss = || {
        let packed = ragged_sequence::pack_padded_sequence(&x, &lengths, false).unwrap();
        let mut loss = weigh(masked_softmax(&x, &lengths).unwrap());
        loss = (loss + weigh(reverse_packed_sequence(&packed).unwrap().data().clone())).unwrap();
        for pooling in ALL {
            loss = (loss + weigh(pool(&packed, pooling).unwrap())).unwrap();
        }
        loss
    };
    let got = loss().backward().unwrap().get(&x).unwrap().flatten_all().unwrap();
    let got = got.to_vec1::<f64>().unwrap();
    let values = x.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    for k in 0..values.len() {
        let at = |delta: f64| {
            let mut values = values.clone();
            values[k] += delta;
            x.set(&Tensor::from_vec(values, x.shape(), CPU).unwrap()).unwrap();
            loss().to_scalar::<f64>().unwrap()
        };
        let want = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((got[k] - want).abs() < 1e-7, "{k}: {} against {want}", got[k]);
    }
}
