//! Which gates are normalised together, and the sums over them.

use crate::element::Float;
use crate::layer_norm::row_sums::RowSums;
use crate::simd::vector::Simd;

/// The group of each of the four slots, which are normalised together: 0 or 1, or [`NONE`](Groups::NONE) for a slot
/// that a side does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Groups(pub(crate) [usize; 4]);

impl Groups {
    /// The group of a slot that a side does not have.
    pub(crate) const NONE: usize = 2;

    /// Whether a side has a slot.
    #[inline(always)]
    pub(crate) fn has(self, slot: usize) -> bool {
        self.0[slot] != Self::NONE
    }

    /// The number of groups.
    #[inline(always)]
    pub(crate) fn count(self) -> usize {
        if self.0.contains(&1) { 2 } else { 1 }
    }

    /// 1 / n for the n elements of a group.
    #[inline(always)]
    pub(crate) fn reciprocal_size<T: Float>(self, group: usize, hidden_size: usize) -> T {
        let gates = self.0.into_iter().filter(|&of| of == group).count();
        T::from_f64(1.0 / (gates * hidden_size).max(1) as f64)
    }
}

/// The sums of each group over the units of as many rows as a vector has lanes.
#[derive(Clone, Copy)]
pub(crate) struct GroupSums<T: Float, S: Simd<T>>([RowSums<T, S>; 2]);

impl<T: Float, S: Simd<T>> GroupSums<T, S> {
    #[inline(always)]
    pub(crate) fn zero(s: S) -> Self {
        Self([RowSums::zero(s), RowSums::zero(s)])
    }

    /// Adds the slots of a row.
    #[inline(always)]
    pub(crate) fn add(&mut self, s: S, groups: Groups, row: usize, slots: [S::V; 4]) {
        for group in 0..2 {
            let mut sum = None;
            for (of, slot) in groups.0.into_iter().zip(slots) {
                if of == group {
                    sum = Some(match sum {
                        None => slot,
                        Some(sum) => s.add(sum, slot),
                    });
                }
            }
            if let Some(sum) = sum {
                self.0[group].add(s, row, sum);
            }
        }
    }

    /// Adds `a b`.
    #[inline(always)]
    pub(crate) fn add_products(
        &mut self,
        s: S,
        groups: Groups,
        row: usize,
        a: [S::V; 4],
        b: [S::V; 4],
    ) {
        for group in 0..2 {
            let mut sum = None;
            for slot in 0..4 {
                if groups.0[slot] == group {
                    sum = Some(match sum {
                        None => s.mul(a[slot], b[slot]),
                        Some(sum) => s.mul_add(a[slot], b[slot], sum),
                    });
                }
            }
            if let Some(sum) = sum {
                self.0[group].add(s, row, sum);
            }
        }
    }

    /// Returns the sum of each row over a group, in the lane with its number.
    #[inline(always)]
    pub(crate) fn totals(&self, s: S, group: usize) -> S::V {
        self.0[group].totals(s)
    }
}
