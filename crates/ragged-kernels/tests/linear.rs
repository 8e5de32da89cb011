//! Linear layers against sums in double precision, at every SIMD level.

use proptest::prelude::*;
use ragged_kernels::{Error, PreparedLinear, SimdLevel};

/// Values from -1 to 1 that look random.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|k| ((k * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn forward(level: SimdLevel, inputs: usize, weight: &[f32], bias: &[f32], x: &[f32]) -> Vec<f32> {
    let linear = PreparedLinear::at_level(level, inputs, weight, bias).unwrap();
    let mut y = vec![f32::NAN; x.len() / inputs * bias.len()];
    linear.forward(x, &mut y).unwrap();
    y
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    /// Sizes on both sides of the limits between dot products and panels; the last row alone has the same bits.
    #[test]
    fn values_are_those_of_plain_sums(
        rows in 0usize..60,
        inputs in 1usize..300,
        outputs in 0usize..150,
        seed in 0usize..1000,
    ) {
        let (weight, bias) = (values(outputs * inputs, seed), values(outputs, seed + 1));
        let x = values(rows * inputs, seed + 2);
        for level in SimdLevel::available() {
            let y = forward(level, inputs, &weight, &bias, &x);
            for (x, y) in x.chunks(inputs).zip(y.chunks(outputs.max(1))) {
                for ((y, weight), bias) in y.iter().zip(weight.chunks(inputs)).zip(&bias) {
                    let products = x.iter().zip(weight).map(|(&x, &w)| f64::from(x) * f64::from(w));
                    let want = f64::from(*bias) + products.sum::<f64>();
                    prop_assert!((f64::from(*y) - want).abs() < 1e-4, "{level:?}: {y}, {want}");
                }
            }
            if rows > 0 {
                let last = forward(level, inputs, &weight, &bias, &x[(rows - 1) * inputs..]);
                prop_assert_eq!(&last[..], &y[(rows - 1) * outputs..]);
            }
        }
    }
}

#[test]
fn a_size_that_does_not_fit_is_named() {
    let error =
        |inputs, weight: &[f32]| PreparedLinear::new(inputs, weight, &[0.0, 0.0]).unwrap_err();
    assert_eq!(error(0, &[]).to_string(), "input_size: expected at least 1, got 0");
    assert_eq!(error(3, &[0.0; 5]).to_string(), "weight: expected 6 elements (O x I), got 5");
    let linear = PreparedLinear::new(3, &[0.0f32; 6], &[0.0, 0.0]).unwrap();
    let forward = |x: &[f32], y: usize| linear.forward(x, &mut vec![0.0; y]).unwrap_err();
    assert!(matches!(forward(&[0.0; 4], 2), Error::Length { name: "x", got: 4, .. }));
    assert!(matches!(forward(&[0.0; 3], 3), Error::Length { name: "y", got: 3, .. }));
}
