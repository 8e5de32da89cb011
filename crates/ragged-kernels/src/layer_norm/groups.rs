//! Which gates are normalised together, and the sums over them.

use crate::element::Float;
use crate::simd::vector::Simd;

/// The most lanes of a vector.
const MAX_LANES: usize = 16;

/// The group of each of the four slots, which are normalised together: 0 or 1, or 2 for a slot that a side does not
/// have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Groups(pub(crate) [usize; 4]);

impl Groups {
    /// 1 / n for the n elements of each group.
    pub(super) fn reciprocal_sizes<T: Float>(self, hidden_size: usize) -> [T; 2] {
        let mut sizes = [0; 3];
        for group in self.0 {
            sizes[group] += hidden_size;
        }
        [0, 1].map(|group| T::from_f64(1.0 / sizes[group].max(1) as f64))
    }

    /// Adds the vectors of each group.
    #[inline(always)]
    pub(super) fn add<T: Float, S: Simd<T>>(self, s: S, slots: [S::V; 4]) -> [T; 2] {
        let mut sums = [s.splat(T::default()); 3];
        for (group, slot) in self.0.into_iter().zip(slots) {
            sums[group] = s.add(sums[group], slot);
        }
        [add_lanes(s, sums[0]), add_lanes(s, sums[1])]
    }

    /// One vector per slot from a value per group, zero for slots without a group.
    #[inline(always)]
    pub(super) fn spread<T: Float, S: Simd<T>>(self, s: S, [first, second]: [T; 2]) -> [S::V; 4] {
        let mut slots = [s.splat(T::default()); 4];
        for (slot, group) in slots.iter_mut().zip(self.0) {
            *slot = s.splat([first, second, T::default()][group]);
        }
        slots
    }
}

/// Adds the lanes of a vector, in halves.
#[inline(always)]
pub(super) fn add_lanes<T: Float, S: Simd<T>>(s: S, v: S::V) -> T {
    let mut lanes = [T::default(); MAX_LANES];
    // SAFETY: no vector has more lanes.
    unsafe { s.store(lanes.as_mut_ptr(), v) };
    let mut count = S::LANES;
    while count > 1 {
        count /= 2;
        for lane in 0..count {
            lanes[lane] += lanes[lane + count];
        }
    }
    lanes[0]
}
