//! Numbers of extended range, in which the forward and backward variables of sequence losses are kept.
//!
//! The probability of all alignments up to some step shrinks by orders of magnitude with every step, and those of
//! two states of one step differ by more than a float can express. The usual remedy is to keep logarithms, which
//! costs an exponential per term and a logarithm per sum. Here a number is m 2^e instead, where the *mantissa* m is
//! zero or 1 <= m < 2, and the *exponent* e is an integer that is stored as a float. Two numbers are added by shifting
//! both to the larger exponent, which takes a few cheap vector instructions.
//!
//! *Precision.* A mantissa has the full relative precision of its type, which a logarithm of -1000 in `f32` lacks (it
//! is precise to 6e-5). An exponent above 2^24 (`f64`: 2^53) is rounded, which is the relative precision that
//! logarithms have everywhere.
//!
//! Zero is m = 0 with e = minus infinity. Additions take its factor as zero: the comparisons below also send the NaN
//! of a difference of infinities there. NaN in the input must be detected by the caller in the mantissas of [`exp`].

use crate::element::Float;
use crate::simd::vector::Simd;

/// The multiply-add of a level, on single elements, in loops that the compiler vectorises.
#[inline(always)]
pub(crate) fn mul_add<T: Float, S: Simd<T>>(_: S, a: T, b: T, c: T) -> T {
    if S::FUSED { a.fused_mul_add(b, c) } else { a * b + c }
}

/// Returns the larger one; `b` if either is NaN.
#[inline(always)]
pub(crate) fn larger<T: Float>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

/// Returns (m, e) with exp(x) = m 2^e and 0.6 < m < 1.7, for x <= 0. NaN gives a mantissa of NaN, minus infinity
/// gives zero.
///
/// The polynomial and the constants are those of `simd::math`.
#[inline(always)]
pub(crate) fn exp<T: Float, S: Simd<T>>(s: S, x: T) -> (T, T) {
    let (zero, half) = (T::default(), T::ONE / (T::ONE + T::ONE));
    let y = x * T::LOG2_E;
    // The nearest integer. Beyond the limit, every value is one.
    let n = if y > -T::INTEGERS { (y - T::INTEGERS) + T::INTEGERS } else { y };
    let r = mul_add(s, n, -T::LN_2_LOW, mul_add(s, n, -T::LN_2_HIGH, x));
    // For |x| of thousands, r has the rounding error of x.
    let r = if r < -half { -half } else { r };
    let r = if r > half { half } else { r };
    let mut q = T::EXP_TERMS[0];
    for &term in &T::EXP_TERMS[1..] {
        q = mul_add(s, q, r, term);
    }
    let m = mul_add(s, r, mul_add(s, r, q, T::ONE), T::ONE);
    if x == T::NEG_INFINITY { (zero, T::NEG_INFINITY) } else { (m, n) }
}

/// Returns 2^n for an integer n, which may be infinite: zero where that is below the smallest normal number. The
/// difference of two infinities gives zero.
#[inline(always)]
pub(crate) fn power<T: Float>(n: T) -> T {
    (larger(n, T::ZERO_EXPONENT) + T::SHIFTER).power_of_two()
}

/// Returns m and e with a mantissa in the permitted range, for m >= 0.
#[inline(always)]
pub(crate) fn normalize<T: Float>(m: T, e: T) -> (T, T) {
    let zero = T::default();
    let (mantissa, exponent) = m.mantissa_and_exponent();
    if m > zero { (mantissa, e + exponent) } else { (zero, T::NEG_INFINITY) }
}

/// Returns the natural logarithm of m 2^e.
pub(crate) fn ln<T: Float>(m: T, e: T) -> f64 {
    match m.to_f64() {
        0.0 => f64::NEG_INFINITY,
        m => m.ln() + e.to_f64() * std::f64::consts::LN_2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::portable::Portable;

    #[test]
    fn exp_is_precise_far_beyond_the_range_of_floats() {
        for x in [0.0, -0.3, -1.0, -87.5, -104.0, -700.0, -2000.0] {
            let (m, e) = exp(Portable, x as f32);
            let want = (x as f32).to_f64();
            assert!((ln(m, e) - want).abs() < 3e-7 + want.abs() * 1e-7, "{x}: {}", ln(m, e));
            let (m, e) = exp(Portable, x);
            assert!((ln(m, e) - x).abs() < 1e-15 + x.abs() * 3e-16, "{x}: {}", ln(m, e));
        }
        // Beyond the precision of the fraction, the logarithm is as precise as its argument.
        for x in [-1e6f32, -1e9, -1e30] {
            let (m, e) = exp(Portable, x);
            assert!((ln(m, e) / x.to_f64() - 1.0).abs() < 3e-7, "{x}: {}", ln(m, e));
        }
    }

    #[test]
    fn extremes_have_a_meaning() {
        let inf = f32::INFINITY;
        assert_eq!(exp(Portable, -inf), (0.0, -inf));
        assert!(exp(Portable, f32::NAN).0.is_nan());
        assert_eq!(power(-3.0f32), 0.125);
        for n in [-127.0, -1e9, -inf, -inf + inf] {
            assert_eq!(power(n).to_bits(), 0, "{n}");
        }
        assert_eq!(power(-1023f64).to_bits(), 0);
        assert_eq!(power(-1022f64), f64::MIN_POSITIVE);
        assert_eq!(normalize(0.0f32, 7.0), (0.0, -inf));
        assert_eq!(normalize(12.0f32, -7.0), (1.5, -4.0));
        assert_eq!(normalize(0.375f64, 2.0), (1.5, 0.0));
        assert_eq!(ln(0.0f32, -inf), f64::NEG_INFINITY);
    }
}
