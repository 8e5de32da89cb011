//! Inputs that PyTorch accepts silently, or rejects with an unclear message, are errors that say where.

use candle_core::{DType, Device, Tensor};
use ragged_sequence::*;

const CPU: &Device = &Device::Cpu;

#[track_caller]
fn check<T>(result: Result<T>, message: &str) {
    let Err(error) = result else { panic!("expected the error: {message}") };
    assert_eq!(error.to_string(), message);
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, CPU).unwrap()
}

#[test]
fn a_length_beyond_the_padded_steps() {
    let message = "length at index 1 is 5: expected 0 to 4, the padded steps";
    let padded = zeros(&[2, 4, 3]);
    check(pack_padded_sequence(&padded, &[4, 5], false), message);
    check(unpad_sequence(&padded, &[4, 5], PaddingSide::Left), message);
}

#[test]
fn a_wrong_number_of_lengths() {
    let message = "got 3 lengths: expected 2, one per sequence";
    check(pack_padded_sequence(&zeros(&[2, 4]), &[1, 1, 1], false), message);
    check(unpad_sequence(&zeros(&[2, 4]), &[1, 1, 1], PaddingSide::Right), message);
}

#[test]
fn unsorted_lengths_where_order_is_enforced() {
    let message = "length at index 2 is 3, above the 1 before it: expected lengths sorted from \
                   longest to shortest (enforce_sorted)";
    check(pack_padded_sequence(&zeros(&[3, 4]), &[2, 1, 3], true), message);
    check(pack_sequence(&[zeros(&[2]), zeros(&[1]), zeros(&[3])], true), message);
}

#[test]
fn sequences_that_do_not_match() {
    let f64s = Tensor::zeros(2, DType::F64, CPU).unwrap();
    let message = "sequence at index 1 has dtype f64: expected f32, as at index 0";
    check(pad_sequence(&[zeros(&[2]), f64s.clone()], &Padding::default()), message);
    check(pack_sequence(&[zeros(&[2]), f64s], false), message);
    let shapes = [zeros(&[2, 3]), zeros(&[1, 3]), zeros(&[2, 4])];
    let message = "sequence at index 2 has trailing shape [4]: expected [3], as at index 0";
    check(pad_sequence(&shapes, &Padding::default()), message);
    check(pack_sequence(&shapes, false), message);
    let scalar = Tensor::new(1f32, CPU).unwrap();
    let message = "sequence: expected a tensor [length, ...], got shape []";
    check(pad_sequence(&[scalar], &Padding::default()), message);
    check(pad_sequence(&[], &Padding::default()), "got 0 sequences: expected at least 1");
    check(pack_sequence(&[], false), "got 0 sequences: expected at least 1");
}

#[test]
fn a_padding_value_that_the_dtype_cannot_represent() {
    let bytes = Tensor::new(&[1u8, 2], CPU).unwrap();
    let padding = Padding { value: -1.0, ..Padding::default() };
    let message = "padding value -1 cannot be represented by dtype u8";
    check(pad_sequence(std::slice::from_ref(&bytes), &padding), message);
    let packed = pack_sequence(&[bytes], true).unwrap();
    check(pad_packed_sequence(&packed, &padding), message);
}

#[test]
fn a_total_length_below_the_longest() {
    let padding = Padding { total_length: Some(2), ..Padding::default() };
    let message = "total length 2 is below the length 3 of sequence 1";
    let sequences = [zeros(&[1]), zeros(&[3])];
    check(pad_sequence(&sequences, &padding), message);
    check(pad_packed_sequence(&pack_sequence(&sequences, false).unwrap(), &padding), message);
    check(lengths_to_mask(&[1, 3], Some(2), CPU), message);
}

#[test]
fn a_mask_with_a_one_after_a_zero() {
    let mask = Tensor::new(&[[1u8, 1, 0], [1, 0, 1]], CPU).unwrap();
    let message = "mask at row 1, step 2 is 1: expected ones, then zeros, in every row";
    check(mask_to_lengths(&mask), message);
    let mask = Tensor::new(&[[1f32, 0.5]], CPU).unwrap();
    let message = "mask at row 0, step 1 is 0.5: expected ones, then zeros, in every row";
    check(mask_to_lengths(&mask), message);
}

#[test]
fn lengths_that_are_not_whole_numbers() {
    let lengths = |values: &[f64]| lengths_from_tensor(&Tensor::new(values, CPU).unwrap());
    assert_eq!(lengths(&[3.0, 0.0]).unwrap(), [3, 0]);
    let bad = |index, got| {
        format!("length at index {index} is {got}: expected a whole number of at least 0")
    };
    check(lengths(&[3.0, 2.7]), &bad(1, "2.7"));
    check(lengths(&[-1.0]), &bad(0, "-1"));
    check(lengths(&[f64::NAN]), &bad(0, "NaN"));
    check(lengths_from_tensor(&Tensor::new(&[1i64, -2], CPU).unwrap()), &bad(1, "-2"));
    check(lengths_from_tensor(&zeros(&[1, 1])), "lengths: expected a tensor [B], got shape [1, 1]");
}

#[test]
fn inconsistent_packed_parts() {
    let new =
        |rows, sizes: &[usize]| PackedSequence::new(zeros(&[rows, 2]), sizes.into(), vec![0, 1]);
    check(new(4, &[2, 1]), "packed data: expected 3 rows, got shape [4, 2]");
    check(new(4, &[3, 1]), "batch_sizes: expected 1 to 2 at step 0, got 3");
    let packed = new(3, &[2, 1]).unwrap();
    check(
        packed.map(|rows| rows.narrow(0, 0, 2)),
        "packed data: expected 3 rows, got shape [2, 2]",
    );
    let message = "padded input: expected a tensor [B, T, ...], got shape [4]";
    check(pack_padded_sequence(&zeros(&[4]), &[1], false), message);
}
