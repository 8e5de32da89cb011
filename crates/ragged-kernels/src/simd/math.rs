//! The logistic function and the hyperbolic tangent on vectors.
//!
//! Both rest on the exponential of f x, where the factor f is -1 or 2. With n the whole number next to
//! f x log2(e) and r = x - n ln(2) / f, exp(f x) = 2^n (1 + r t(r)) with t(r) = (exp(f r) - 1) / r =
//! f + f^2 r q(f r), where |f r| is at most ln(2) / 2 = 0.347 and q needs few terms: five for `f32`, with a
//! relative error of 3.1e-9 (half a unit in the last place is 6e-8), twelve of the series for `f64`, the
//! first one lhs out being r^14 / 14! < 4.2e-18. Scaling by f is exact, so it costs nothing to have it
//! in the constants.
//!
//! In `f32`, ln 2 is a number to within 2e-9, so n ln 2, which a fused multiply-add subtracts exactly, is
//! good enough for the n that come, up to 126. In `f64`, or where there is no fused multiply-add, ln 2 is
//! subtracted in two parts, the first with so few bits that n times it is exact (Cody and Waite 1980).
//!
//! n comes without a rounding instruction: adding 1.5 2^23 (2^52) leaves no bits for a fraction, so
//! the sum's lowest bits are n, and subtracting the same again gives n as a float.
//!
//! Arguments of exp are held within +-87 (+-708), where 2^n is a normal number; beyond that the
//! logistic function is 0 or 1 to within 2e-38. NaN passes through.

use crate::element::Float;
use crate::simd::vector::Simd;

/// The parts of exp(f x) = s (1 + r t): the power of two s, r and t, for |f x| up to 87 (708).
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

/// 1 / (1 + exp(-x)), within 3 units in the last place.
#[inline(always)]
pub(crate) fn sigmoid<T: Float, S: Simd<T>>(s: S, x: S::V) -> S::V {
    let (one, limit) = (s.splat(T::ONE), T::EXP_LIMIT);
    let x = s.at_most(s.splat(limit), s.at_least(s.splat(-limit), x));
    let (power, r, t) = exp_parts(s, x, -T::ONE);
    s.recip(s.mul_add(power, s.mul_add(r, t, one), one))
}

/// tanh(x) = e / (e + 2) with e = exp(2 x) - 1 for positive x, within 3 units in the last place.
///
/// e keeps its digits where x is small: there s is one and e is r t. Rounding must neither exceed one,
/// which would turn the sign of the derivative, nor lose that of a zero.
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
                // SAFETY: `count` numbers are lhs in each of the three slices.
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

    /// From -30 to 30, and closely around zero.
    fn arguments() -> impl Iterator<Item = f64> {
        (-30_000..30_000).flat_map(|k| [f64::from(k) * 1e-3, f64::from(k) * 1e-6])
    }

    #[test]
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
