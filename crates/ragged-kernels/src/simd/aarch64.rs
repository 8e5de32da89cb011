//! The portable level for `f32` on aarch64.

use std::arch::aarch64::*;

use crate::simd::pair::pair;

/// The portable level in the instructions of NEON, which all these processors have.
#[derive(Clone, Copy)]
pub(crate) struct Neon;

pair! {
    Neon, float32x4_t, rows 2, fused true, vdupq_n_f32, vld1q_f32, vst1q_f32, vaddq_f32, vsubq_f32,
    vmulq_f32, vdivq_f32, vsqrtq_f32, |a, b, c| vfmaq_f32(c, a, b),
    // These instructions return NaN where either is NaN.
    vminq_f32, vmaxq_f32, vabsq_f32,
    |a, b| vreinterpretq_f32_u32(vcltq_f32(a, b)),
    |bits, yes, no| vbslq_f32(vreinterpretq_u32_f32(bits), yes, no),
    |x| vreinterpretq_f32_s32(vaddq_s32(
        vshlq_n_s32::<23>(vreinterpretq_s32_f32(x)),
        vreinterpretq_s32_f32(vdupq_n_f32(1.0)),
    )),
    swap |a, b| {
        vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)))
    },
    |a, b| vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b))),
    vtrn1q_f32, vtrn2q_f32
}
