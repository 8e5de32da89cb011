//! What the passes keep of each row: the statistics of the forward pass and the coefficients of the backward pass.

use crate::element::Float;
use crate::layer_norm::groups::Groups;
use crate::layout::kernel_layout::KernelLayout;
use crate::simd::vector::Simd;

/// What is added to the variance, as in PyTorch's `nn.LayerNorm`.
const EPS: f64 = 1e-5;

/// The statistics that the forward pass saves for each row, `[SAVED][N]`, in this order: the reciprocal standard
/// deviations of the two groups of the input's product and of the hidden state's, and the mean and the reciprocal
/// standard deviation of the cell state.
pub(crate) const SAVED: usize = 6;

/// The first of the input's, of the hidden state's and of the cell state's statistics.
pub(crate) const INPUT: usize = 0;
pub(crate) const HIDDEN: usize = 2;
pub(crate) const CELL: usize = 4;

/// The coefficients of each row and side in the gradient through a normalisation (see [`product_gradient`]),
/// `[COEFFICIENTS][N]`: the shifts of both groups, then their slopes.
pub(crate) const COEFFICIENTS: usize = 4;

/// The first of the shifts and of the slopes.
pub(crate) const SHIFT: usize = 0;
pub(crate) const SLOPE: usize = 2;

/// Values of rows, `[k][row]`.
#[derive(Clone, Copy)]
pub(crate) struct RowValues<T> {
    pub(crate) start: *const T,
    pub(crate) stride: usize,
}

impl<T: Float> RowValues<T> {
    /// Returns value `k` of a row in all lanes.
    ///
    /// # Safety
    /// The row has this value.
    #[inline(always)]
    pub(crate) unsafe fn splat<S: Simd<T>>(self, s: S, k: usize, row: usize) -> S::V {
        // SAFETY: the caller's.
        s.splat(unsafe { *self.start.add(k * self.stride + row) })
    }

    /// Returns for each slot the value of its group of a row, of which `k` is that of the first group; any value for a
    /// slot that the side does not have.
    ///
    /// # Safety
    /// The row has these values.
    #[inline(always)]
    pub(crate) unsafe fn of_groups<S: Simd<T>>(
        self,
        s: S,
        groups: Groups,
        k: usize,
        row: usize,
    ) -> [S::V; 4] {
        let mut slots = [s.splat(T::default()); 4];
        for (slot, value) in slots.iter_mut().enumerate() {
            if groups.has(slot) {
                // SAFETY: the caller's.
                *value = unsafe { self.splat(s, k + groups.0[slot], row) };
            }
        }
        slots
    }
}

/// Returns 1 / H.
#[inline(always)]
pub(crate) fn reciprocal_units<T: Float, S: Simd<T>>(s: S, layout: &KernelLayout) -> S::V {
    s.splat(T::from_f64(1.0 / layout.hidden_size as f64))
}

/// Returns 1 / sqrt(var + eps) of each row from the mean of the squares of its elements, whose mean is zero.
#[inline(always)]
pub(crate) fn reciprocal_deviations<T: Float, S: Simd<T>>(s: S, variances: S::V) -> S::V {
    let deviations = s.sqrt(s.add(variances, s.splat(T::from_f64(EPS))));
    s.div(s.splat(T::ONE), deviations)
}

/// Returns the coefficients of each row from its reciprocal deviation and from the means of `g` and of `g a` over a
/// group.
///
/// ```text
/// shift = -mean g / deviation      slope = -mean(g a) / deviation^3
/// ```
#[inline(always)]
pub(crate) fn row_coefficients<T: Float, S: Simd<T>>(
    s: S,
    deviations: S::V,
    mean: S::V,
    product: S::V,
) -> [S::V; 2] {
    let negative = s.sub(s.splat(T::default()), deviations);
    let slope = s.mul(s.mul(s.mul(product, deviations), deviations), negative);
    [s.mul(mean, negative), slope]
}

/// Returns the gradient with respect to the slots of a side's product before its normalisation, from the gradient `da`
/// with respect to its normalised and scaled elements, their weights and the product itself, and from the reciprocal
/// deviations, shifts and slopes of the row. Lanes beyond H become any numbers.
///
/// ```text
/// g = da w      (g - mean g - n mean(g n)) / deviation = g / deviation + shift + slope a      with n = a / deviation
/// ```
#[inline(always)]
pub(crate) fn product_gradient<T: Float, S: Simd<T>>(
    s: S,
    groups: Groups,
    [da, weight, product]: [[S::V; 4]; 3],
    [deviations, shifts, slopes]: [[S::V; 4]; 3],
) -> [S::V; 4] {
    let mut gradient = [s.splat(T::default()); 4];
    for slot in 0..4 {
        if groups.has(slot) {
            let rest = s.mul_add(slopes[slot], product[slot], shifts[slot]);
            let g = s.mul(da[slot], weight[slot]);
            gradient[slot] = s.mul_add(g, deviations[slot], rest);
        }
    }
    gradient
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
