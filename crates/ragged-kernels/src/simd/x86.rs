//! The vectors of x86-64: 256 bits with AVX2 and FMA, 512 bits with AVX-512 F.

use std::arch::x86_64::*;

use crate::simd::level::SimdLevel;
use crate::simd::vector::Simd;

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Proof that the processor has AVX-512 F, AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx2 {
    /// Returns the proof if `level` is this one and the processor has its instructions.
    #[inline]
    pub(crate) fn new(level: SimdLevel) -> Option<Self> {
        let there = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        (level == SimdLevel::Avx2 && there).then_some(Self(()))
    }
}

impl Avx512 {
    /// Returns the proof if `level` is this one and the processor has its instructions.
    #[inline]
    pub(crate) fn new(level: SimdLevel) -> Option<Self> {
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        (level == SimdLevel::Avx512 && there).then_some(Self(()))
    }
}

/// Implements [`Simd`] for one type of register. The implementations differ in the names of the intrinsics.
macro_rules! simd {
    (
        $level:ty, $t:ty, $v:ty, lanes $lanes:literal, rows $rows:literal, $splat:ident, $load:ident,
        $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $sqrt:ident, $fma:ident, $min:ident,
        $max:ident, sign $and:expr, $andnot:expr, $or:expr, less $less:expr, exchange $exchange:expr,
        power $power:expr, recip $recip:expr, first $mask:expr, $load_first:expr, $store_first:expr,
        $first:expr
    ) => {
        // SAFETY of every intrinsic below: a value of the level proves that the processor has its
        // instructions. Loads and stores need no alignment; their callers guarantee that the memory is
        // valid, and masked ones access only the lanes of the mask.
        #[allow(clippy::undocumented_unsafe_blocks)]
        impl Simd<$t> for $level {
            type V = $v;
            type Block = [$v; $lanes];
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            const FUSED: bool = true;

            #[inline(always)]
            fn splat(self, value: $t) -> $v {
                unsafe { $splat(value) }
            }
            #[inline(always)]
            fn block(self, v: $v) -> [$v; $lanes] {
                [v; $lanes]
            }
            #[inline(always)]
            unsafe fn load(self, from: *const $t) -> $v {
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t, v: $v) {
                unsafe { $store(to, v) }
            }
            #[inline(always)]
            fn add(self, a: $v, b: $v) -> $v {
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            fn sub(self, a: $v, b: $v) -> $v {
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            fn mul(self, a: $v, b: $v) -> $v {
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            fn div(self, a: $v, b: $v) -> $v {
                unsafe { $div(a, b) }
            }
            #[inline(always)]
            fn sqrt(self, x: $v) -> $v {
                unsafe { $sqrt(x) }
            }
            #[inline(always)]
            fn mul_add(self, a: $v, b: $v, c: $v) -> $v {
                unsafe { $fma(a, b, c) }
            }
            // These instructions return their second operand where either is NaN.
            #[inline(always)]
            fn at_most(self, limit: $v, x: $v) -> $v {
                unsafe { $min(limit, x) }
            }
            #[inline(always)]
            fn at_least(self, limit: $v, x: $v) -> $v {
                unsafe { $max(limit, x) }
            }
            #[inline(always)]
            fn abs(self, x: $v) -> $v {
                unsafe { $andnot($splat(-0.0), x) }
            }
            #[inline(always)]
            fn copysign(self, x: $v, sign: $v) -> $v {
                unsafe {
                    let bit = $splat(-0.0);
                    $or($andnot(bit, x), $and(bit, sign))
                }
            }
            #[inline(always)]
            fn select_less(self, a: $v, b: $v, yes: $v, no: $v) -> $v {
                unsafe { $less(a, b, yes, no) }
            }
            #[inline(always)]
            fn exchange(self, a: $v, b: $v, distance: usize) -> ($v, $v) {
                unsafe { $exchange(a, b, distance) }
            }
            #[inline(always)]
            fn power(self, shifted: $v) -> $v {
                unsafe { $power(shifted) }
            }
            #[inline(always)]
            fn prefetch(self, at: *const $t) {
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }
            #[inline(always)]
            fn recip(self, x: $v) -> $v {
                unsafe { $recip(x) }
            }
            #[inline(always)]
            unsafe fn load_first(self, from: *const $t, count: usize) -> $v {
                if count == $lanes {
                    return unsafe { $load(from) };
                }
                unsafe { $load_first(from, $mask(count)) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $t, v: $v, count: usize) {
                // Most vectors are whole, and a masked store is slow on some processors.
                if count == $lanes {
                    return unsafe { $store(to, v) };
                }
                unsafe { $store_first(to, $mask(count), v) }
            }
            #[inline(always)]
            fn first(self, v: $v, count: usize) -> $v {
                unsafe { $first($mask(count), v) }
            }
        }
    };
}

/// `MASK.0[8 - count..]` begins with `count` lanes of ones, followed by zeros.
#[repr(align(64))]
struct Mask([i32; 16]);

static MASK: Mask = Mask([-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0]);

/// Bitwise functions on floats, which AVX-512 F has on integers only.
macro_rules! wide {
    ($cast:ident, $back:ident, $op:ident) => {
        |a, b| $back($op($cast(a), $cast(b)))
    };
}

// `Simd::exchange` of each vector. They are functions with the features of their level: intrinsics in a closure
// of this size are not inlined, which made packing ten times as slow.

#[inline]
#[target_feature(enable = "avx2")]
fn exchange_f32x8(a: __m256, b: __m256, distance: usize) -> (__m256, __m256) {
    match distance {
        1 => (
            _mm256_blend_ps::<0xaa>(a, _mm256_moveldup_ps(b)),
            _mm256_blend_ps::<0xaa>(_mm256_movehdup_ps(a), b),
        ),
        2 => {
            let (a, b) = (_mm256_castps_pd(a), _mm256_castps_pd(b));
            let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            (_mm256_castpd_ps(low), _mm256_castpd_ps(high))
        }
        _ => (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b)),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn exchange_f64x4(a: __m256d, b: __m256d, distance: usize) -> (__m256d, __m256d) {
    match distance {
        1 => (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)),
        _ => (_mm256_permute2f128_pd::<0x20>(a, b), _mm256_permute2f128_pd::<0x31>(a, b)),
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn exchange_f32x16(a: __m512, b: __m512, distance: usize) -> (__m512, __m512) {
    match distance {
        1 => (_mm512_mask_moveldup_ps(a, 0xaaaa, b), _mm512_mask_movehdup_ps(b, 0x5555, a)),
        _ => {
            let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
            let (a, b) = exchange_f64x8(a, b, distance / 2);
            (_mm512_castpd_ps(a), _mm512_castpd_ps(b))
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn exchange_f64x8(a: __m512d, b: __m512d, distance: usize) -> (__m512d, __m512d) {
    match distance {
        1 => (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b)),
        2 => {
            let low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
            let high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
            (_mm512_permutex2var_pd(a, low, b), _mm512_permutex2var_pd(a, high, b))
        }
        _ => (_mm512_shuffle_f64x2::<0x44>(a, b), _mm512_shuffle_f64x2::<0xee>(a, b)),
    }
}

simd!(
    Avx2, f32, __m256, lanes 8, rows 3, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps,
    _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_div_ps, _mm256_sqrt_ps, _mm256_fmadd_ps, _mm256_min_ps,
    _mm256_max_ps, sign _mm256_and_ps, _mm256_andnot_ps, _mm256_or_ps,
    less |a, b, yes, no| _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)),
    exchange exchange_f32x8,
    power |n| {
        let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(n));
        _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(_mm256_set1_ps(1.0)), exponent))
    },
    recip |x| _mm256_div_ps(_mm256_set1_ps(1.0), x),
    first |count: usize| _mm256_loadu_si256(MASK.0.as_ptr().add(8 - count.min(8)).cast()),
    |from, mask| _mm256_maskload_ps(from, mask), |to, mask, v| _mm256_maskstore_ps(to, mask, v),
    |mask, v| _mm256_and_ps(_mm256_castsi256_ps(mask), v)
);
simd!(
    Avx2, f64, __m256d, lanes 4, rows 3, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd,
    _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd, _mm256_div_pd, _mm256_sqrt_pd, _mm256_fmadd_pd, _mm256_min_pd,
    _mm256_max_pd, sign _mm256_and_pd, _mm256_andnot_pd, _mm256_or_pd,
    less |a, b, yes, no| _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_LT_OQ>(a, b)),
    exchange exchange_f64x4,
    power |n| {
        let exponent = _mm256_slli_epi64::<52>(_mm256_castpd_si256(n));
        _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(_mm256_set1_pd(1.0)), exponent))
    },
    recip |x| _mm256_div_pd(_mm256_set1_pd(1.0), x),
    first |count: usize| _mm256_loadu_si256(MASK.0.as_ptr().add(8 - 2 * count.min(4)).cast()),
    |from, mask| _mm256_maskload_pd(from, mask), |to, mask, v| _mm256_maskstore_pd(to, mask, v),
    |mask, v| _mm256_and_pd(_mm256_castsi256_pd(mask), v)
);
simd!(
    Avx512, f32, __m512, lanes 16, rows 6, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps,
    _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_div_ps, _mm512_sqrt_ps, _mm512_fmadd_ps, _mm512_min_ps,
    _mm512_max_ps, sign wide!(_mm512_castps_si512, _mm512_castsi512_ps, _mm512_and_si512),
    wide!(_mm512_castps_si512, _mm512_castsi512_ps, _mm512_andnot_si512),
    wide!(_mm512_castps_si512, _mm512_castsi512_ps, _mm512_or_si512),
    less |a, b, yes, no| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), no, yes),
    exchange exchange_f32x16,
    power |n| {
        let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(n));
        _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(_mm512_set1_ps(1.0)), exponent))
    },
    recip |x| {
        // An approximation of 14 bits, and one step of Newton's iteration, r (2 - x r), which doubles
        // them. A division takes ten times as long.
        let r = _mm512_rcp14_ps(x);
        _mm512_mul_ps(r, _mm512_fnmadd_ps(x, r, _mm512_set1_ps(2.0)))
    },
    first |count: usize| ((1u32 << count.min(16)) - 1) as __mmask16,
    |from, mask| _mm512_maskz_loadu_ps(mask, from),
    |to, mask, v| _mm512_mask_storeu_ps(to, mask, v), |mask, v| _mm512_maskz_mov_ps(mask, v)
);
simd!(
    Avx512, f64, __m512d, lanes 8, rows 6, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd,
    _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd, _mm512_div_pd, _mm512_sqrt_pd, _mm512_fmadd_pd, _mm512_min_pd,
    _mm512_max_pd, sign wide!(_mm512_castpd_si512, _mm512_castsi512_pd, _mm512_and_si512),
    wide!(_mm512_castpd_si512, _mm512_castsi512_pd, _mm512_andnot_si512),
    wide!(_mm512_castpd_si512, _mm512_castsi512_pd, _mm512_or_si512),
    less |a, b, yes, no| _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b), no, yes),
    exchange exchange_f64x8,
    power |n| {
        let exponent = _mm512_slli_epi64::<52>(_mm512_castpd_si512(n));
        _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(_mm512_set1_pd(1.0)), exponent))
    },
    recip |x| _mm512_div_pd(_mm512_set1_pd(1.0), x),
    first |count: usize| ((1u32 << count.min(8)) - 1) as __mmask8,
    |from, mask| _mm512_maskz_loadu_pd(mask, from),
    |to, mask, v| _mm512_mask_storeu_pd(to, mask, v), |mask, v| _mm512_maskz_mov_pd(mask, v)
);
