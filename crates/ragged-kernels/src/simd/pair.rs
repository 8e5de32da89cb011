//! The portable level for `f32` in the registers of a target that has no other: two of 128 bits, since the sums of one
//! would wait for each other. The lanes and the operations are those of [`Portable`](super::portable::Portable).

/// Implements [`Simd`](super::vector::Simd) for a type `$level`. The targets differ in the names of the intrinsics.
macro_rules! pair {
    (
        $level:ident, $v:ty, rows $rows:literal, fused $fused:literal, $splat:expr, $load:expr, $store:expr, $add:expr,
        $sub:expr, $mul:expr, $div:expr, $sqrt:expr, $mul_add:expr, $at_most:expr, $at_least:expr, $abs:expr,
        $less:expr, $select:expr, $power:expr, swap $low:expr, $high:expr, $even:expr,
        $odd:expr
    ) => {
        /// Eight elements.
        #[derive(Clone, Copy)]
        pub(crate) struct Pair($v, $v);

        // SAFETY of every intrinsic below: all processors of the target have its instructions, which need no
        // alignment; the callers guarantee that the memory is valid.
        #[allow(clippy::undocumented_unsafe_blocks, unused_unsafe)]
        impl crate::simd::vector::Simd<f32> for $level {
            type V = Pair;
            type Block = [Pair; 8];
            const LANES: usize = 8;
            const ROWS: usize = $rows;
            const FUSED: bool = $fused;

            #[inline(always)]
            fn splat(self, value: f32) -> Pair {
                unsafe { Pair($splat(value), $splat(value)) }
            }
            #[inline(always)]
            fn block(self, v: Pair) -> [Pair; 8] {
                [v; 8]
            }
            #[inline(always)]
            unsafe fn load(self, from: *const f32) -> Pair {
                unsafe { Pair($load(from), $load(from.add(4))) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32, v: Pair) {
                unsafe {
                    $store(to, v.0);
                    $store(to.add(4), v.1);
                }
            }
            #[inline(always)]
            fn add(self, a: Pair, b: Pair) -> Pair {
                unsafe { Pair($add(a.0, b.0), $add(a.1, b.1)) }
            }
            #[inline(always)]
            fn sub(self, a: Pair, b: Pair) -> Pair {
                unsafe { Pair($sub(a.0, b.0), $sub(a.1, b.1)) }
            }
            #[inline(always)]
            fn mul(self, a: Pair, b: Pair) -> Pair {
                unsafe { Pair($mul(a.0, b.0), $mul(a.1, b.1)) }
            }
            #[inline(always)]
            fn div(self, a: Pair, b: Pair) -> Pair {
                unsafe { Pair($div(a.0, b.0), $div(a.1, b.1)) }
            }
            #[inline(always)]
            fn sqrt(self, x: Pair) -> Pair {
                unsafe { Pair($sqrt(x.0), $sqrt(x.1)) }
            }
            #[inline(always)]
            fn mul_add(self, a: Pair, b: Pair, c: Pair) -> Pair {
                unsafe { Pair($mul_add(a.0, b.0, c.0), $mul_add(a.1, b.1, c.1)) }
            }
            #[inline(always)]
            fn at_most(self, limit: Pair, x: Pair) -> Pair {
                unsafe { Pair($at_most(limit.0, x.0), $at_most(limit.1, x.1)) }
            }
            #[inline(always)]
            fn at_least(self, limit: Pair, x: Pair) -> Pair {
                unsafe { Pair($at_least(limit.0, x.0), $at_least(limit.1, x.1)) }
            }
            #[inline(always)]
            fn abs(self, x: Pair) -> Pair {
                unsafe { Pair($abs(x.0), $abs(x.1)) }
            }
            #[inline(always)]
            fn copysign(self, x: Pair, sign: Pair) -> Pair {
                unsafe {
                    let bit = $splat(-0.0);
                    Pair($select(bit, sign.0, x.0), $select(bit, sign.1, x.1))
                }
            }
            #[inline(always)]
            fn select_less(self, a: Pair, b: Pair, yes: Pair, no: Pair) -> Pair {
                unsafe {
                    let less = ($less(a.0, b.0), $less(a.1, b.1));
                    Pair($select(less.0, yes.0, no.0), $select(less.1, yes.1, no.1))
                }
            }
            #[inline(always)]
            fn exchange(self, a: Pair, b: Pair, distance: usize) -> (Pair, Pair) {
                unsafe {
                    match distance {
                        4 => (Pair(a.0, b.0), Pair(a.1, b.1)),
                        2 => (
                            Pair($low(a.0, b.0), $low(a.1, b.1)),
                            Pair($high(a.0, b.0), $high(a.1, b.1)),
                        ),
                        _ => (
                            Pair($even(a.0, b.0), $even(a.1, b.1)),
                            Pair($odd(a.0, b.0), $odd(a.1, b.1)),
                        ),
                    }
                }
            }
            #[inline(always)]
            fn power(self, shifted: Pair) -> Pair {
                unsafe { Pair($power(shifted.0), $power(shifted.1)) }
            }
            #[inline(always)]
            unsafe fn load_first(self, from: *const f32, count: usize) -> Pair {
                if count == 8 {
                    return unsafe { self.load(from) };
                }
                let mut lanes = [0.0; 8];
                unsafe {
                    std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
                    self.load(lanes.as_ptr())
                }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut f32, v: Pair, count: usize) {
                if count == 8 {
                    return unsafe { self.store(to, v) };
                }
                let mut lanes = [0.0; 8];
                unsafe {
                    self.store(lanes.as_mut_ptr(), v);
                    std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
                }
            }
            #[inline(always)]
            fn first(self, v: Pair, count: usize) -> Pair {
                let numbers = [0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
                unsafe {
                    let (numbers, count) = (self.load(numbers.as_ptr()), self.splat(count as f32));
                    self.select_less(numbers, count, v, self.splat(0.0))
                }
            }
        }
    };
}
pub(crate) use pair;
