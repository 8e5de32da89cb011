//! One row: its mean and deviation, and the gradient through both.

use crate::element::Float;
use crate::layer_norm::groups::{Groups, add_lanes};
use crate::layout::kernel_layout::KernelLayout;
use crate::simd::vector::Simd;

/// What is added to the variance, as in PyTorch's `nn.LayerNorm`.
const EPS: f64 = 1e-5;

/// The statistics that the forward pass saves for each row, in this order: the reciprocal standard deviations of the
/// two groups of the input's product and of the hidden state's, and the mean and the reciprocal standard deviation of
/// the cell state.
pub(crate) const SAVED: usize = 6;

fn reciprocal_deviation<T: Float>(variance: T) -> T {
    T::from_f64(1.0 / (variance.to_f64() + EPS).sqrt())
}

/// Loads the four slots of a block.
///
/// # Safety
/// `from` points to four vectors.
#[inline(always)]
pub(crate) unsafe fn load_slots<T: Float, S: Simd<T>>(s: S, from: *const T) -> [S::V; 4] {
    let mut slots = [s.splat(T::default()); 4];
    for (slot, to) in slots.iter_mut().enumerate() {
        // SAFETY: the caller's.
        *to = unsafe { s.load(from.add(slot * S::LANES)) };
    }
    slots
}

/// Normalises a row of `[block][row][slot][lane]`, in place, and returns the reciprocal deviations of its groups. Lanes
/// beyond H become zero.
///
/// # Safety
/// The row, whose first block is at `row`, belongs to the caller alone, and has zeros in the lanes beyond H.
#[inline(always)]
pub(crate) unsafe fn normalize<T: Float, S: Simd<T>>(
    s: S,
    layout: &KernelLayout,
    groups: Groups,
    row: *mut T,
) -> [T; 2] {
    let zeros = [s.splat(T::default()); 4];
    let sizes = groups.reciprocal_sizes::<T>(layout.hidden_size);
    let block_at = |block: usize| row.wrapping_add(layout.gates_at(block, 0));
    // SAFETY: the caller's.
    unsafe {
        let mut sums = zeros;
        for block in 0..layout.blocks {
            let slots = load_slots(s, block_at(block).cast_const());
            for (sum, slot) in sums.iter_mut().zip(slots) {
                *sum = s.add(*sum, slot);
            }
        }
        let [first, second] = groups.add(s, sums);
        let means = groups.spread(s, [first * sizes[0], second * sizes[1]]);
        let mut sums = zeros;
        for block in 0..layout.blocks {
            let units = layout.units(block);
            let slots = load_slots(s, block_at(block).cast_const());
            for ((sum, slot), mean) in sums.iter_mut().zip(slots).zip(means) {
                let deviation = s.first(s.sub(slot, mean), units);
                *sum = s.mul_add(deviation, deviation, *sum);
            }
        }
        let [first, second] = groups.add(s, sums);
        let deviations =
            [reciprocal_deviation(first * sizes[0]), reciprocal_deviation(second * sizes[1])];
        let factors = groups.spread(s, deviations);
        for block in 0..layout.blocks {
            let (units, at) = (layout.units(block), block_at(block));
            let slots = load_slots(s, at.cast_const());
            for (slot, value) in slots.into_iter().enumerate() {
                let value = s.mul(s.sub(value, means[slot]), factors[slot]);
                s.store(at.add(slot * S::LANES), s.first(value, units));
            }
        }
        deviations
    }
}

/// Stores in `to` the gradient with respect to a row before its normalisation, from the gradient `da` with respect to
/// its normalised and scaled elements. `normalized` is what [`normalize`] stored, `weight` is `[block][slot][lane]`,
/// and `deviations` what it returned. Slots without a group and lanes beyond H become zero.
///
/// ```text
/// g = da w      to = (g - mean g - n mean(g n)) / deviation      with the normalised elements n
/// ```
///
/// # Safety
/// The rows, which begin at these pointers, can be read, `to` written, and `weight` read for all blocks.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(crate) unsafe fn gradient<T: Float, S: Simd<T>>(
    s: S,
    layout: &KernelLayout,
    groups: Groups,
    da: *const T,
    normalized: *const T,
    weight: *const T,
    deviations: [T; 2],
    to: *mut T,
) {
    let zeros = [s.splat(T::default()); 4];
    let sizes = groups.reciprocal_sizes::<T>(layout.hidden_size);
    let weight_at = |block: usize| weight.wrapping_add(block * 4 * S::LANES);
    // SAFETY: the caller's.
    unsafe {
        let (mut sums, mut products) = (zeros, zeros);
        for block in 0..layout.blocks {
            let at = layout.gates_at(block, 0);
            let (da, n) = (load_slots(s, da.add(at)), load_slots(s, normalized.add(at)));
            let w = load_slots(s, weight_at(block));
            for slot in 0..4 {
                let g = s.mul(da[slot], w[slot]);
                sums[slot] = s.add(sums[slot], g);
                products[slot] = s.mul_add(g, n[slot], products[slot]);
            }
        }
        let mean = |[first, second]: [T; 2]| [first * sizes[0], second * sizes[1]];
        let means = groups.spread(s, mean(groups.add(s, sums)));
        let products = groups.spread(s, mean(groups.add(s, products)));
        let factors = groups.spread(s, deviations);
        for block in 0..layout.blocks {
            let (units, at) = (layout.units(block), layout.gates_at(block, 0));
            let (da, n) = (load_slots(s, da.add(at)), load_slots(s, normalized.add(at)));
            let w = load_slots(s, weight_at(block));
            for slot in 0..4 {
                let g = s.sub(s.mul(da[slot], w[slot]), means[slot]);
                let g = s.sub(g, s.mul(n[slot], products[slot]));
                let count = if groups.0[slot] < 2 { units } else { 0 };
                let value = s.first(s.mul(g, factors[slot]), count);
                s.store(to.add(at + slot * S::LANES), value);
            }
        }
    }
}

/// Returns the mean and the reciprocal deviation of a state `[vector][stride]`.
///
/// # Safety
/// `state` points to a vector at each multiple of `stride` elements, for all vectors of units, with zeros in the lanes
/// beyond H.
#[inline(always)]
pub(crate) unsafe fn state_moments<T: Float, S: Simd<T>>(
    s: S,
    layout: &KernelLayout,
    state: *const T,
    stride: usize,
) -> (T, T) {
    let size = T::from_f64(1.0 / layout.hidden_size as f64);
    let zero = s.splat(T::default());
    let (mut sum, mut squares) = (zero, zero);
    // SAFETY: the caller's.
    unsafe {
        for vector in 0..layout.vectors() {
            sum = s.add(sum, s.load(state.add(vector * stride)));
        }
        let mean = add_lanes(s, sum) * size;
        for vector in 0..layout.vectors() {
            let deviation = s.sub(s.load(state.add(vector * stride)), s.splat(mean));
            let deviation = s.first(deviation, layout.units(vector));
            squares = s.mul_add(deviation, deviation, squares);
        }
        (mean, reciprocal_deviation(add_lanes(s, squares) * size))
    }
}

/// The mean of the lanes of a sum over all units.
#[inline(always)]
pub(crate) fn mean_of_units<T: Float, S: Simd<T>>(s: S, layout: &KernelLayout, sum: S::V) -> S::V {
    s.splat(add_lanes(s, sum) * T::from_f64(1.0 / layout.hidden_size as f64))
}
