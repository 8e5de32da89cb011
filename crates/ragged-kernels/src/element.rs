//! The two number types that the kernels compute in.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};
use std::sync::Mutex;

use crate::backward::{Seen, backward_pass};
use crate::crew::Crew;
use crate::forward::{Activations, forward_pass};
use crate::layer::{Gradients, Input, Output, Weights};
use crate::layout::Geometry;
use crate::memory::Memory;
use crate::simd::{SimdLevel, Task, dispatch_to};

/// `f32` or `f64`.
pub trait Element: Number {}

impl Element for f32 {}
impl Element for f64 {}

/// What the kernels ask of a number type; not for use outside.
#[doc(hidden)]
pub trait Number:
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
    + private::Internal
    + 'static
{
}

impl Number for f32 {}
impl Number for f64 {}

pub(crate) mod private {
    use super::*;

    /// Constants and bit-level functions, see `math` for their meaning.
    pub trait Internal: Sized + Copy + 'static {
        const BYTES: usize = std::mem::size_of::<Self>();
        const ONE: Self;
        const LOG2_E: Self;
        const LN_2: Option<Self>;
        const LN_2_HIGH: Self;
        const LN_2_LOW: Self;
        const SHIFTER: Self;
        const EXP_LIMIT: Self;
        const EXP_TERMS: &'static [Self];

        fn fused(self, b: Self, c: Self) -> Self;
        fn with_sign(self, sign: Self) -> Self;
        fn magnitude(self) -> Self;
        fn power(self) -> Self;
        fn pool() -> &'static Mutex<Vec<Memory<Self>>>;
        // Nobody outside can name this trait, so what it shows stays inside.
        #[allow(private_interfaces, private_bounds)]
        fn dispatch<K: Task<Self>>(level: SimdLevel, task: K)
        where
            Self: Element;
        // Both passes here, not generic: so they are compiled with this crate, once, and not with
        // every crate that calls them.
        #[allow(private_interfaces)]
        fn forward_pass(
            geometry: &Geometry,
            weights: &Weights<Self>,
            input: &Input<Self>,
            cells: bool,
            record: bool,
            crew: &Crew,
        ) -> (Output<Self>, Activations<Self>)
        where
            Self: Element;
        #[allow(private_interfaces)]
        fn backward_pass(
            geometry: &Geometry,
            weights: &Weights<Self>,
            input: &Input<Self>,
            seen: Seen<Self>,
            wanted: &Gradients<bool>,
            crew: &Crew,
        ) -> Gradients<Option<Vec<Self>>>
        where
            Self: Element;
    }
}

macro_rules! internal {
    ($t:ident, $fraction:literal, $($constants:tt)*) => {
        impl private::Internal for $t {
            const ONE: Self = 1.0;
            const LOG2_E: Self = std::$t::consts::LOG2_E;
            $($constants)*

            #[inline(always)]
            fn fused(self, b: Self, c: Self) -> Self {
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
            fn power(self) -> Self {
                Self::from_bits((self.to_bits() << $fraction).wrapping_add((1.0 as Self).to_bits()))
            }
            fn pool() -> &'static Mutex<Vec<Memory<Self>>> {
                static POOL: Mutex<Vec<Memory<$t>>> = Mutex::new(Vec::new());
                &POOL
            }
            #[allow(private_interfaces, private_bounds)]
            #[inline]
            fn dispatch<K: Task<Self>>(level: SimdLevel, task: K) {
                dispatch_to!($t, level, task)
            }
            #[allow(private_interfaces)]
            fn forward_pass(
                geometry: &Geometry,
                weights: &Weights<Self>,
                input: &Input<Self>,
                cells: bool,
                record: bool,
                crew: &Crew,
            ) -> (Output<Self>, Activations<Self>) {
                forward_pass(geometry, weights, input, cells, record, crew)
            }
            #[allow(private_interfaces)]
            fn backward_pass(
                geometry: &Geometry,
                weights: &Weights<Self>,
                input: &Input<Self>,
                seen: Seen<Self>,
                wanted: &Gradients<bool>,
                crew: &Crew,
            ) -> Gradients<Option<Vec<Self>>> {
                backward_pass(geometry, weights, input, seen, wanted, crew)
            }
        }
    };
}

internal! {
    f32, 23,
    const LN_2: Option<Self> = Some(std::f32::consts::LN_2);
    // 355/512, so that n times it is exact for the n that come; ln 2 less it.
    const LN_2_HIGH: Self = 0.693_359_4;
    const LN_2_LOW: Self = -2.121_944_4e-4;
    const SHIFTER: Self = 12_582_912.0; // 1.5 2^23
    const EXP_LIMIT: Self = 87.0;
    // Least largest relative error of exp on +-ln(2)/2, found by Lawson's iteration: 3.1e-9.
    const EXP_TERMS: &'static [Self] =
        &[1.381_454e-3, 8.368_745e-3, 4.166_839e-2, 1.666_652e-1, 0.499_999_94];
}
internal! {
    f64, 52,
    const LN_2: Option<Self> = None;
    // The first 21 bits of ln 2, so that n times it is exact; ln 2 less it.
    const LN_2_HIGH: Self = 0.693_145_751_953_125;
    const LN_2_LOW: Self = 1.428_606_820_309_417_3e-6;
    const SHIFTER: Self = 6_755_399_441_055_744.0; // 1.5 2^52
    const EXP_LIMIT: Self = 708.0;
    // The series.
    const EXP_TERMS: &'static [Self] = &[
        1.0 / 6_227_020_800.0, 1.0 / 479_001_600.0, 1.0 / 39_916_800.0, 1.0 / 3_628_800.0,
        1.0 / 362_880.0, 1.0 / 40_320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0,
        1.0 / 6.0, 0.5,
    ];
}
