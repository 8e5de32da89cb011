//! Gradients flow through every function; the gradient of padding is exactly zero, even if it is NaN.

use candle_core::{Device, Result, Tensor, Var};
use ragged_sequence::*;

const CPU: &Device = &Device::Cpu;

fn weights(like: &Tensor) -> Result<Tensor> {
    let count = like.elem_count();
    Tensor::arange(1f64, count as f64 + 1.0, CPU)?.reshape(like.dims())
}

/// The gradient of `sum(weights * f(input))`: for each element, the weight of its place in the output.
fn gradient(input: &Var, f: impl Fn(&Tensor) -> Result<Tensor>) -> Vec<f64> {
    let output = f(input.as_tensor()).unwrap();
    let loss = (weights(&output).unwrap() * &output).unwrap().sum_all().unwrap();
    let grads = loss.backward().unwrap();
    grads.get(input).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn padded_with_nan() -> Var {
    let nan = f64::NAN;
    Var::from_tensor(
        &Tensor::new(&[[1.0, 2.0, nan], [nan, nan, nan], [3.0, nan, nan]], CPU).unwrap(),
    )
    .unwrap()
}

#[test]
fn packing_gives_padding_a_zero_gradient() {
    let got = gradient(&padded_with_nan(), |x| {
        Ok(pack_padded_sequence(x, &[2, 0, 1], false)?.data().clone())
    });
    // Packed rows: (0,0) (2,0) (0,1).
    assert_eq!(got, [1.0, 3.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
}

#[test]
fn unpadding_gives_padding_a_zero_gradient() {
    let got = gradient(&padded_with_nan(), |x| {
        Tensor::cat(&unpad_sequence(x, &[2, 0, 1], PaddingSide::Right)?, 0)
    });
    assert_eq!(got, [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0]);
}

#[test]
fn padding_passes_on_the_gradients_of_the_steps() {
    let rows = Var::from_tensor(&Tensor::new(&[1.0, 2.0, 3.0], CPU).unwrap()).unwrap();
    // Sequences [1, 3] and [2] packed; padded [[1, 3, pad], [2, pad, pad]] under weights 1..=6.
    let got = gradient(&rows, |data| {
        let packed = PackedSequence::new(data.clone(), vec![2, 1], vec![0, 1])?;
        let padding = Padding { total_length: Some(3), ..Padding::default() };
        Ok(pad_packed_sequence(&packed, &padding)?.0)
    });
    assert_eq!(got, [1.0, 4.0, 2.0]);

    let got = gradient(&rows, |data| {
        let sequences = [data.narrow(0, 0, 1)?, data.narrow(0, 1, 2)?];
        let padding = Padding { side: PaddingSide::Left, ..Padding::default() };
        Ok(pad_sequence(&sequences, &padding)?)
    });
    assert_eq!(got, [2.0, 3.0, 4.0]);
}

#[test]
fn packing_and_unpacking_pass_gradients() {
    let rows = Var::from_tensor(&Tensor::new(&[1.0, 2.0, 3.0], CPU).unwrap()).unwrap();
    let got = gradient(&rows, |data| {
        let sequences = [data.narrow(0, 0, 1)?, data.narrow(0, 1, 2)?];
        let packed = pack_sequence(&sequences, false)?;
        // The rows of sequence 1, [2, 3], then those of sequence 0, then those of sequence 1 again.
        let unpacked = unpack_sequence(&packed)?;
        Tensor::cat(&[&unpacked[1], &unpacked[0], &unpacked[1]], 0)
    });
    assert_eq!(got, [3.0, 1.0 + 4.0, 2.0 + 5.0]);
}
