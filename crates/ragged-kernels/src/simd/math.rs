//! The logistic function and the hyperbolic tangent on vectors.
//!
//! Both use the exponential of f x, where the factor f is -1 or 2. Let n be the integer nearest to
//! f x log2(e), and r = x - n ln(2) / f. Then
//!
//! ```text
//! exp(f x) = 2^n (1 + r t(r)),    t(r) = (exp(f r) - 1) / r = f + f^2 r q(f r),
//! ```
//!
//! where |f r| is at most ln(2) / 2 = 0.347, so that the polynomial q needs few terms. For `f32` it has five,
//! whose coefficients `validation/exp_coefficients.py` finds: they minimise the largest relative error of
//! exp, 3.1e-9, which becomes 4.5e-9 when they are rounded (half a unit in the last place is 6e-8). For `f64`
//! it is the first twelve terms of the Taylor series, and the first omitted one, r^14 / 14!, is below
//! 4.2e-18. The powers of f are multiplied into the constants, which is exact.
//!
//! *ln 2.* In `f32`, the constant ln 2 is precise to 2e-9, and a fused multiply-add subtracts n ln 2 with one
//! rounding, which is good enough for |n| up to 126. In `f64`, and without fused multiply-adds, ln 2 is
//! subtracted in two parts, the first with so few bits that its product with n is exact (Cody and Waite
//! 1980).
//!
//! *n* needs no rounding instruction: adding 1.5 2^23 (`f64`: 1.5 2^52) leaves no bits for a fraction, so the
//! lowest bits of the sum are n, and subtracting the same constant again gives n as a float.
//!
//! *Range.* Arguments of exp are limited to +-87 (`f64`: +-708), where 2^n is a normal number; beyond, the
//! logistic function is 0 or 1 to within 2e-38. NaN gives NaN.

use crate::element::Float;
use crate::simd::vector::Simd;

/// Returns 2^n, r and t (see above), for |f x| up to 87 (`f64`: 708).
#[inline(always)]
fn exp_parts<T: Float, S: Simd<T>>(s: S, x: S::V, f: T) -> (S::V, S::V, S::V) {
    let shifted = s.mul_add(x, s.splat(f * T::LOG2_E), s.splat(T::SHIFTER));
    let n = s.sub(shifted, s.splat(T::SHIFTER));
    let r = match T::LN_2 {
        Some(ln_2) if S::FUSED => s.mul_add(n, s.splat(-ln_2 / f), x),
        _ => {
            let high = s.mul_add(n, s.splat(-T::LN_2_HIGH / f), x);
            s.mul_add(n, s.splat(-T::LN_2_LOW / f), high)
        }
    };
    // Horner's rule, the highest coefficient first: each has as many factors f as it has factors r.
    let mut power = f * f;
    for _ in 1..T::EXP_TERMS.len() {
        power = power * f;
    }
    let mut q = s.splat(T::EXP_TERMS[0] * power);
    for &term in &T::EXP_TERMS[1..] {
        power = power / f;
        q = s.mul_add(q, r, s.splat(term * power));
    }
    (s.power(shifted), r, s.mul_add(q, r, s.splat(f)))
}

/// Returns 1 / (1 + exp(-x)), to within 3 units in the last place.
#[inline(always)]
pub(crate) fn sigmoid<T: Float, S: Simd<T>>(s: S, x: S::V) -> S::V {
    let (one, limit) = (s.splat(T::ONE), T::EXP_LIMIT);
    let x = s.at_most(s.splat(limit), s.at_least(s.splat(-limit), x));
    let (power, r, t) = exp_parts(s, x, -T::ONE);
    s.recip(s.mul_add(power, s.mul_add(r, t, one), one))
}

/// Returns tanh(x), to within 3 units in the last place: e / (e + 2) with e = exp(2 |x|) - 1, and the sign of x.
///
/// e has no cancellation for small |x|: n is 0 there, and e is r t. The result is at most one, since a rounding
/// above one would change the sign of the derivative, 1 - tanh(x)^2. The sign of a zero is kept.
#[inline(always)]
pub(crate) fn tanh<T: Float, S: Simd<T>>(s: S, x: S::V) -> S::V {
    let (one, two) = (s.splat(T::ONE), T::ONE + T::ONE);
    let size = s.at_most(s.splat(T::EXP_LIMIT / two), s.abs(x));
    let (power, r, t) = exp_parts(s, size, two);
    let e = s.mul_add(power, s.mul(r, t), s.sub(power, one));
    let size = s.mul(e, s.recip(s.add(e, s.splat(two))));
    s.copysign(s.at_most(one, size), x)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use rayon::prelude::*;

    use super::*;
    use crate::simd::dispatch::{SimdFloat, Task, dispatch};
    use crate::simd::level::SimdLevel;

    struct Both<'a, T> {
        x: &'a [T],
        sigmoid: &'a mut [T],
        tanh: &'a mut [T],
    }

    impl<T: Float> Task<T> for Both<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, s: S) {
            for k in (0..self.x.len()).step_by(S::LANES) {
                let count = S::LANES.min(self.x.len() - k);
                // SAFETY: each of the three slices has `count` elements from `k` on.
                unsafe {
                    let x = s.load_first(self.x[k..].as_ptr(), count);
                    s.store_first(self.sigmoid[k..].as_mut_ptr(), sigmoid(s, x), count);
                    s.store_first(self.tanh[k..].as_mut_ptr(), tanh(s, x), count);
                }
            }
        }
    }

    fn both<T: SimdFloat>(level: SimdLevel, x: &[T]) -> (Vec<T>, Vec<T>) {
        let mut out = (vec![T::default(); x.len()], vec![T::default(); x.len()]);
        dispatch(level, Both { x, sigmoid: &mut out.0, tanh: &mut out.1 });
        out
    }

    /// From -30 to 30, and more densely around zero.
    fn arguments() -> impl Iterator<Item = f64> {
        let step = if cfg!(miri) { 997 } else { 1 };
        (-30_000..30_000).step_by(step).flat_map(|k| [f64::from(k) * 1e-3, f64::from(k) * 1e-6])
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri's own exp and tanh, the reference, are inexact on purpose")]
    fn both_are_within_three_units_in_the_last_place() {
        for level in SimdLevel::available() {
            let x: Vec<f32> = arguments().map(|x| x as f32).collect();
            let (sigmoid, tanh) = both(level, &x);
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let (sigmoid64, tanh64) = both(level, &wide);
            for k in 0..x.len() {
                let check = |what: &str, got: f64, want: f64, epsilon: f64| {
                    let error = (got - want).abs() / (want.abs() * epsilon).max(1e-300);
                    assert!(error <= 3.0, "{level:?} {what}({}): {error} ulp", wide[k]);
                };
                let want = 1.0 / (1.0 + (-wide[k]).exp());
                check("sigmoid", f64::from(sigmoid[k]), want, f64::from(f32::EPSILON));
                check("sigmoid64", sigmoid64[k], want, f64::EPSILON);
                let want = wide[k].tanh();
                check("tanh", f64::from(tanh[k]), want, f64::from(f32::EPSILON));
                check("tanh64", tanh64[k], want, f64::EPSILON);
            }
        }
    }

    /// Checks all `f32` whose results are not 0.5, 0, 1 or x itself to within rounding, and every 1009th of the
    /// others. The reference is the `f64` code, whose error is far smaller (see above).
    #[test]
    #[cfg_attr(miri, ignore = "takes hours")]
    fn all_f32_are_within_three_units_in_the_last_place() {
        let (smallest, small, large) =
            (f32::MIN_POSITIVE.to_bits(), 2f32.powi(-13).to_bits(), 90f32.to_bits());
        let sparse = |bits: Range<u32>| bits.step_by(1009).map(f32::from_bits).collect::<Vec<_>>();
        let others = [sparse(smallest..small), sparse(large..f32::INFINITY.to_bits())].concat();
        for level in SimdLevel::available() {
            check_f32(level, &others);
            (small..large).step_by(1 << 16).collect::<Vec<_>>().into_par_iter().for_each(|begin| {
                let bits = begin..large.min(begin + (1 << 16));
                check_f32(level, &bits.map(f32::from_bits).collect::<Vec<_>>());
            });
        }
    }

    /// Checks positive arguments, and their negatives.
    fn check_f32(level: SimdLevel, x: &[f32]) {
        for sign in [1.0, -1.0] {
            let x: Vec<f32> = x.iter().map(|x| sign * x).collect();
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let (got, want) = (both(level, &x), both(level, &wide));
            let check = |what: &str, got: &[f32], want: &[f64]| {
                for (k, (&got, &want)) in got.iter().zip(want).enumerate() {
                    // Beyond the limit of the exponent, the results are below 2e-38.
                    let unit = (want.abs() * f64::from(f32::EPSILON)).max(1e-38);
                    let error = (f64::from(got) - want).abs() / unit;
                    assert!(error <= 3.0, "{level:?} {what}({:e}) is {got:e}: {error} ulp", x[k]);
                }
            };
            check("sigmoid", &got.0, &want.0);
            check("tanh", &got.1, &want.1);
        }
    }

    /// A value above one would make the derivative, 1 - tanh(x)^2, negative.
    #[test]
    fn tanh_is_at_most_one() {
        for level in SimdLevel::available() {
            let x: Vec<f64> = arguments().collect();
            assert!(both(level, &x).1.iter().all(|y| y.abs() <= 1.0), "{level:?}");
            let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            assert!(both(level, &x).1.iter().all(|y| y.abs() <= 1.0), "{level:?}");
        }
    }

    #[test]
    fn extremes_saturate_and_nan_stays() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        for level in SimdLevel::available() {
            let x = [1e4, -1e4, inf, -inf, nan, 0.0, -0.0, 3e38];
            let (sigmoid, tanh) = both(level, &x);
            assert!(sigmoid[4].is_nan() && tanh[4].is_nan(), "{level:?}");
            assert_eq!((tanh[0], tanh[1], tanh[2], tanh[3], tanh[7]), (1.0, -1.0, 1.0, -1.0, 1.0));
            assert_eq!((sigmoid[0], sigmoid[2], sigmoid[5], sigmoid[7]), (1.0, 1.0, 0.5, 1.0));
            assert!(sigmoid[1] < 1e-37 && sigmoid[3] < 1e-37);
            assert_eq!((tanh[5], tanh[6].to_bits()), (0.0, (-0.0f32).to_bits()));
        }
    }
}
