//! The product of a linear layer, `y = W x + b` for each row x.
//!
//! The result of a row does not depend on the other rows, in any bit. A head of few weights or few outputs
//! computes one dot product after another; a larger one multiplies with panels, in which each weight that is
//! loaded serves several rows.

use std::ops::Range;

use crate::element::Float;
use crate::gemm::product::{Lhs, Sums, product};
use crate::gemm::weight_panels::{PANEL_VECTORS, pack_transposed_panels};
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::level::SimdLevel;
use crate::simd::vector::Simd;
use crate::threads::num_threads::num_threads;
use crate::threads::team::Team;

/// The largest number of weights that are multiplied by dot products for any number of outputs.
const FEW_WEIGHTS: usize = 1 << 14;

/// The largest number of outputs that are computed by dot products for any number of weights.
const FEW_OUTPUTS: usize = 16;

/// The number of independent partial sums of a dot product.
const PARTIAL_SUMS: usize = 16;

/// Rows that a thread multiplies at once with a panel, so that they stay in its cache.
const ROWS_AT_ONCE: usize = 48;

/// The work for which one more thread pays.
const MULTIPLY_ADDS_PER_THREAD: usize = 250_000;

/// The weights of a linear layer in the order in which the product reads them.
#[derive(Debug, Clone)]
pub(crate) struct LinearWeights<T: Float> {
    pub(crate) input_size: usize,
    pub(crate) output_size: usize,
    pub(crate) level: SimdLevel,
    /// `[O]`.
    bias: Vec<T>,
    weight: Packing<T>,
}

#[derive(Debug, Clone)]
enum Packing<T: Float> {
    /// `[O, I]`, for dot products.
    Rows(Vec<T>),
    /// `[I, O]` in panels.
    Panels(PooledBuffer<T>),
}

impl<T: SimdFloat> LinearWeights<T> {
    /// Packs a weight `[O, I]` with the bias `[O]`. I is at least 1.
    pub(crate) fn pack(level: SimdLevel, input_size: usize, weight: &[T], bias: &[T]) -> Self {
        let output_size = bias.len();
        let few = weight.len() <= FEW_WEIGHTS || output_size <= FEW_OUTPUTS;
        let packed = match few {
            true => Packing::Rows(weight.to_vec()),
            false => {
                let team = Team::new(num_threads().min(weight.len() / MULTIPLY_ADDS_PER_THREAD));
                let (depth, columns) = (input_size, output_size);
                Packing::Panels(pack_transposed_panels(level, weight, depth, columns, &team))
            }
        };
        Self { input_size, output_size, level, bias: bias.to_vec(), weight: packed }
    }
}

/// Stores `W x + b` for the rows of `x` `[N, I]` in `y` `[N, O]`.
pub(crate) fn linear<T: SimdFloat>(weights: &LinearWeights<T>, x: &[T], y: &mut [T]) {
    let LinearWeights { input_size, output_size, level, bias, weight } = weights;
    let rows = x.len() / input_size;
    let threads =
        rows.saturating_mul(*input_size).saturating_mul(*output_size) / MULTIPLY_ADDS_PER_THREAD;
    let team = Team::new(num_threads().min(threads));
    let y = SyncPtr::new(y);
    match weight {
        Packing::Rows(weight) => {
            team.parallel_for(rows, team.num_threads(), &|range| {
                let x = &x[range.start * input_size..range.end * input_size];
                dispatch(
                    *level,
                    DotProducts { input_size: *input_size, weight, bias, x, y, first: range.start },
                );
            });
        }
        Packing::Panels(panels) => {
            let vectors = output_size.div_ceil(level.lanes(T::BYTES));
            let row_blocks = rows.div_ceil(ROWS_AT_ONCE);
            let pieces = vectors.div_ceil(PANEL_VECTORS) * row_blocks;
            team.parallel_for(pieces, team.num_threads(), &|range| {
                for piece in range {
                    let (panel, block) = (piece / row_blocks, piece % row_blocks);
                    let first = panel * PANEL_VECTORS;
                    let vectors = (first..vectors.min(first + PANEL_VECTORS), vectors);
                    let first = block * ROWS_AT_ONCE;
                    let rows = first..rows.min(first + ROWS_AT_ONCE);
                    dispatch(*level, PanelProducts { weights, panels, x, y, rows, vectors });
                }
            });
        }
    }
}

/// Some rows of a product by dot products.
struct DotProducts<'a, T> {
    input_size: usize,
    /// `[O, I]`.
    weight: &'a [T],
    bias: &'a [T],
    /// The rows.
    x: &'a [T],
    /// All rows of the result.
    y: SyncPtr<T>,
    /// The first row.
    first: usize,
}

impl<T: Float> Task<T> for DotProducts<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, _: S) {
        let Self { input_size, weight, bias, x, y, first } = self;
        let outputs = bias.len();
        for (row, x) in x.chunks_exact(input_size).enumerate() {
            // SAFETY: each row of the result is written by one task.
            let y = unsafe {
                std::slice::from_raw_parts_mut(y.get().add((first + row) * outputs), outputs)
            };
            for ((y, weight), &bias) in y.iter_mut().zip(weight.chunks_exact(input_size)).zip(bias)
            {
                *y = dot(x, weight) + bias;
            }
        }
    }
}

/// The dot product of two slices of one length, with the same bits at every level: its products and sums are
/// rounded one by one.
#[inline(always)]
fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<PARTIAL_SUMS>(), b.as_chunks::<PARTIAL_SUMS>());
    let mut sums = [T::default(); PARTIAL_SUMS];
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
    sums.into_iter().fold(T::default(), |sum, part| sum + part)
}

/// Some rows of a product with one panel.
struct PanelProducts<'a, T: Float> {
    weights: &'a LinearWeights<T>,
    panels: &'a PooledBuffer<T>,
    /// `[N, I]`.
    x: &'a [T],
    /// `[N, O]`.
    y: SyncPtr<T>,
    rows: Range<usize>,
    /// The vectors of the panel, and the number of all.
    vectors: (Range<usize>, usize),
}

impl<T: Float> Task<T> for PanelProducts<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { weights, panels, x, y, rows, vectors: (vectors, all) } = self;
        let inputs = weights.input_size;
        let lhs = Lhs {
            start: x.as_ptr(),
            row_stride: inputs,
            segments: 1,
            segment_stride: 0,
            segment_len: inputs,
            reversed: false,
        };
        let sums = Rows { bias: &weights.bias, y };
        // SAFETY: x is [N, I], and the panels have depth I; each row and vector is computed by one task.
        unsafe { product(s, lhs, rows, panels.as_ptr(), vectors, all, &sums) }
    }
}

/// Adds the bias to the sums and stores them in rows `[N, O]`.
struct Rows<'a, T> {
    bias: &'a [T],
    y: SyncPtr<T>,
}

impl<T: Float, S: Simd<T>> Sums<T, S> for Rows<'_, T> {
    #[inline(always)]
    unsafe fn store(&self, s: S, row: usize, vector: usize, sum: S::V) {
        let (outputs, first) = (self.bias.len(), vector * S::LANES);
        let count = S::LANES.min(outputs - first);
        // SAFETY: the row and the vector belong to the product; only columns that exist are read and stored.
        unsafe {
            let bias = s.load_first(self.bias.as_ptr().add(first), count);
            s.store_first(self.y.get().add(row * outputs + first), s.add(sum, bias), count);
        }
    }
}
