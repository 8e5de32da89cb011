//! The portable level for `f32` on wasm32 that is compiled with SIMD128.

use std::arch::wasm32::*;

use crate::simd::pair::pair;

/// The portable level in the instructions of SIMD128, without which such a module cannot be loaded.
#[derive(Clone, Copy)]
pub(crate) struct Simd128;

pair! {
    Simd128, v128, rows 1, fused false, f32x4_splat, |from: *const f32| v128_load(from.cast()),
    |to: *mut f32, v| v128_store(to.cast(), v), f32x4_add, f32x4_sub, f32x4_mul, f32x4_div, f32x4_sqrt,
    |a, b, c| f32x4_add(f32x4_mul(a, b), c),
    // These instructions return their first operand where either is NaN.
    |limit, x| f32x4_pmin(x, limit), |limit, x| f32x4_pmax(x, limit), f32x4_abs, f32x4_lt,
    |bits, yes, no| v128_bitselect(yes, no, bits),
    |x| i32x4_add(i32x4_shl(x, 23), f32x4_splat(1.0)),
    swap i32x4_shuffle::<0, 1, 4, 5>, i32x4_shuffle::<2, 3, 6, 7>, i32x4_shuffle::<0, 4, 2, 6>,
    i32x4_shuffle::<1, 5, 3, 7>
}
