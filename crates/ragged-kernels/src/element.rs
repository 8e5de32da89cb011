//! The two element types, `f32` and `f64`: their constants and bit-level functions.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// A floating-point type that the kernels compute with. Public only as the bound of
/// [`Element`](crate::Element); it cannot be named outside this crate.
pub trait Float:
    Copy
    + Send
    + Sync
    + PartialOrd
    + std::fmt::Debug
    + Default
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    /// The size of an element in bytes.
    const BYTES: usize = std::mem::size_of::<Self>();
    /// 1.
    const ONE: Self;
    /// log2(e).
    const LOG2_E: Self;
    /// ln(2) where one constant is precise enough for `simd::math`, `None` where it takes two.
    const LN_2: Option<Self>;
    /// ln(2) rounded to so few bits that its product with any exponent is exact.
    const LN_2_HIGH: Self;
    /// ln(2) - [`LN_2_HIGH`](Self::LN_2_HIGH).
    const LN_2_LOW: Self;
    /// 1.5 times 2 to the number of fraction bits: adding it rounds to an integer.
    const SHIFTER: Self;
    /// The largest magnitude of an argument of exp for which the result is a normal number.
    const EXP_LIMIT: Self;
    /// The magnitude from which on all values are integers: 2 to the number of fraction bits.
    const INTEGERS: Self;
    /// The exponent of subnormal numbers and of zero, as it is stored in the bits.
    const ZERO_EXPONENT: Self;
    /// The square root of the smallest normal number.
    const TINY: Self;
    /// Minus infinity.
    const NEG_INFINITY: Self;
    /// The coefficients of exp's polynomial, the highest first (see `simd::math`).
    const EXP_TERMS: &'static [Self];

    /// Returns `self b + c`, rounded once.
    fn fused_mul_add(self, b: Self, c: Self) -> Self;
    /// Returns the magnitude of `self` with the sign of `sign`.
    fn with_sign(self, sign: Self) -> Self;
    /// Returns the absolute value.
    fn magnitude(self) -> Self;
    /// Returns 2^n, where the lowest bits of `self` hold the integer n (see `simd::math`).
    fn power_of_two(self) -> Self;
    /// Returns m and k with `self = m 2^k` and 1 <= m < 2, for a positive normal number.
    fn mantissa_and_exponent(self) -> (Self, Self);
    /// Returns the value in double precision.
    fn to_f64(self) -> f64;
    /// Rounds a value in double precision.
    fn from_f64(value: f64) -> Self;
}

macro_rules! float {
    ($t:ident, fraction_bits $fraction_bits:literal, $($constants:tt)*) => {
        impl Float for $t {
            const ONE: Self = 1.0;
            const LOG2_E: Self = std::$t::consts::LOG2_E;
            const INTEGERS: Self = (1u64 << $fraction_bits) as Self;
            const ZERO_EXPONENT: Self = ($t::MIN_EXP - 2) as Self;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            $($constants)*

            #[inline(always)]
            fn fused_mul_add(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }
            #[inline(always)]
            fn with_sign(self, sign: Self) -> Self {
                self.copysign(sign)
            }
            #[inline(always)]
            fn magnitude(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn power_of_two(self) -> Self {
                let exponent = self.to_bits() << $fraction_bits;
                Self::from_bits(exponent.wrapping_add((1.0 as Self).to_bits()))
            }
            #[inline(always)]
            fn mantissa_and_exponent(self) -> (Self, Self) {
                let (bits, one) = (self.to_bits(), (1.0 as Self).to_bits());
                // The bits of the exponent become the lowest bits of a float, as in `power_of_two`.
                let shifted = Self::from_bits(Self::SHIFTER.to_bits() + (bits >> $fraction_bits));
                let mantissa = Self::from_bits(bits & ((1 << $fraction_bits) - 1) | one);
                (mantissa, shifted - Self::SHIFTER + Self::ZERO_EXPONENT)
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
        }
    };
}

float! {
    f32, fraction_bits 23,
    const LN_2: Option<Self> = Some(std::f32::consts::LN_2);
    // 355/512, which has nine bits.
    const LN_2_HIGH: Self = 0.693_359_4;
    const LN_2_LOW: Self = -2.121_944_4e-4;
    const SHIFTER: Self = 12_582_912.0;
    const EXP_LIMIT: Self = 87.0;
    const TINY: Self = 1.084_202_2e-19;
    // Found by `python validation/exp_coefficients.py`: the smallest maximal relative error of exp.
    const EXP_TERMS: &'static [Self] =
        &[1.381_454e-3, 8.368_745e-3, 4.166_839e-2, 1.666_652e-1, 0.499_999_94];
}
float! {
    f64, fraction_bits 52,
    const LN_2: Option<Self> = None;
    // The first 21 bits of ln(2).
    const LN_2_HIGH: Self = 0.693_145_751_953_125;
    const LN_2_LOW: Self = 1.428_606_820_309_417_3e-6;
    const SHIFTER: Self = 6_755_399_441_055_744.0;
    const EXP_LIMIT: Self = 708.0;
    const TINY: Self = 1.491_668_146_240_041_3e-154;
    // The Taylor series.
    const EXP_TERMS: &'static [Self] = &[
        1.0 / 6_227_020_800.0, 1.0 / 479_001_600.0, 1.0 / 39_916_800.0, 1.0 / 3_628_800.0,
        1.0 / 362_880.0, 1.0 / 40_320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0,
        1.0 / 6.0, 0.5,
    ];
}
