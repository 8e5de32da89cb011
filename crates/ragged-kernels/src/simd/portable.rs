//! Vectors as plain arrays, which the compiler keeps in the registers of the target.

use crate::element::Float;
use crate::simd::vector::Simd;

/// The level that every processor has.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// Eight elements: two registers of NEON or SSE for `f32`, four for `f64`.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<T>([T; 8]);

#[inline(always)]
fn zip<T: Float>(a: Lanes<T>, b: Lanes<T>, f: impl Fn(T, T) -> T) -> Lanes<T> {
    let mut out = a;
    for (out, b) in out.0.iter_mut().zip(b.0) {
        *out = f(*out, b);
    }
    out
}

impl<T: Float> Simd<T> for Portable {
    type V = Lanes<T>;
    type Block = [Lanes<T>; 8];
    const LANES: usize = 8;
    const ROWS: usize = 2;
    // Without the instruction, a fused multiply-add is a call of a slow function.
    const FUSED: bool = cfg!(target_arch = "aarch64");

    #[inline(always)]
    fn splat(self, value: T) -> Lanes<T> {
        Lanes([value; 8])
    }
    #[inline(always)]
    fn block(self, v: Lanes<T>) -> [Lanes<T>; 8] {
        [v; 8]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const T) -> Lanes<T> {
        // SAFETY: the caller guarantees eight elements; an array has the alignment of its elements.
        Lanes(unsafe { from.cast::<[T; 8]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T, v: Lanes<T>) {
        // SAFETY: the caller guarantees room for eight elements.
        unsafe { to.cast::<[T; 8]>().write(v.0) }
    }
    #[inline(always)]
    fn add(self, a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn sqrt(self, x: Lanes<T>) -> Lanes<T> {
        // The same as a square root in single precision, since rounding twice makes no difference here.
        zip(x, x, |x, _| T::from_f64(x.to_f64().sqrt()))
    }
    #[inline(always)]
    fn mul_add(self, a: Lanes<T>, b: Lanes<T>, c: Lanes<T>) -> Lanes<T> {
        let mut out = c;
        for ((out, a), b) in out.0.iter_mut().zip(a.0).zip(b.0) {
            *out = if <Self as Simd<T>>::FUSED { a.fused_mul_add(b, *out) } else { a * b + *out };
        }
        out
    }
    #[inline(always)]
    fn at_most(self, limit: Lanes<T>, x: Lanes<T>) -> Lanes<T> {
        zip(limit, x, |limit, x| if x > limit { limit } else { x })
    }
    #[inline(always)]
    fn at_least(self, limit: Lanes<T>, x: Lanes<T>) -> Lanes<T> {
        zip(limit, x, |limit, x| if x < limit { limit } else { x })
    }
    #[inline(always)]
    fn abs(self, x: Lanes<T>) -> Lanes<T> {
        zip(x, x, |x, _| x.magnitude())
    }
    #[inline(always)]
    fn copysign(self, x: Lanes<T>, sign: Lanes<T>) -> Lanes<T> {
        zip(x, sign, |x, sign| x.with_sign(sign))
    }
    #[inline(always)]
    fn select_less(self, a: Lanes<T>, b: Lanes<T>, yes: Lanes<T>, no: Lanes<T>) -> Lanes<T> {
        let mut out = no;
        for (((out, yes), a), b) in out.0.iter_mut().zip(yes.0).zip(a.0).zip(b.0) {
            *out = if a < b { yes } else { *out };
        }
        out
    }
    #[inline(always)]
    fn exchange(self, mut a: Lanes<T>, mut b: Lanes<T>, distance: usize) -> (Lanes<T>, Lanes<T>) {
        for lane in (0..8).filter(|lane| lane & distance == 0) {
            std::mem::swap(&mut a.0[lane + distance], &mut b.0[lane]);
        }
        (a, b)
    }
    #[inline(always)]
    fn power(self, shifted: Lanes<T>) -> Lanes<T> {
        zip(shifted, shifted, |shifted, _| shifted.power_of_two())
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const T, count: usize) -> Lanes<T> {
        let mut lanes = [T::default(); 8];
        for (lane, to) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: the caller guarantees `count` elements.
            *to = unsafe { from.add(lane).read() };
        }
        Lanes(lanes)
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, v: Lanes<T>, count: usize) {
        for (lane, &value) in v.0.iter().enumerate().take(count) {
            // SAFETY: the caller guarantees room for `count` elements.
            unsafe { to.add(lane).write(value) };
        }
    }
    #[inline(always)]
    fn first(self, mut v: Lanes<T>, count: usize) -> Lanes<T> {
        v.0.iter_mut().skip(count).for_each(|lane| *lane = T::default());
        v
    }
}
