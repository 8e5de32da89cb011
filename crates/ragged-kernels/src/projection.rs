//! The LSTM's projection `h = W_hr m`, `m = o tanh(c)`: its weights in order, and their gradient.

use std::ops::Range;

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::crew::Crew;
use crate::fresh::Fresh;
use crate::layout::Geometry;
use crate::pack::panels;
use crate::simd::{Simd, Task, dispatch};
use crate::tile::{Strided, accumulate, for_tiles, zero};

/// `W_hr` `[P, H]` for the product `m W_hr^T`: depth H, filled up to whole vectors.
pub(crate) fn forward_panels<T: Element>(
    geometry: &Geometry,
    weight_hr: &[T],
    crew: &Crew,
) -> Buffer<T> {
    let (h, lanes) = (geometry.hidden, geometry.lanes);
    panels(lanes, geometry.vectors() * lanes, geometry.width, crew, |unit, from, row| {
        for (column, to) in (from..).zip(row) {
            *to = if unit < h { weight_hr[column * h + unit] } else { T::default() };
        }
    })
}

/// `W_hr` `[P, H]` for the product `dh W_hr`: depth P.
pub(crate) fn backward_panels<T: Element>(
    geometry: &Geometry,
    weight_hr: &[T],
    crew: &Crew,
) -> Buffer<T> {
    let h = geometry.hidden;
    panels(geometry.lanes, geometry.width, h, crew, |k, from, row| {
        row.copy_from_slice(&weight_hr[k * h + from..][..row.len()]);
    })
}

/// `dW_hr = sum dh m^T`, `[P, H]`, from `dh` `[N, P]` and the units `[vector][row][lane]`.
pub(crate) fn weight_gradient<T: Element>(
    geometry: &Geometry,
    dh: &Buffer<T>,
    units: &Buffer<T>,
    crew: &Crew,
) -> Vec<T> {
    let mut fresh = Fresh::new(geometry.width * geometry.hidden);
    let to = fresh.shared();
    crew.split(geometry.hidden.div_ceil(geometry.lanes), crew.parts(), &|vectors| {
        let task = Gradient { geometry, dh, units, to, vectors };
        dispatch(geometry.level, task);
    });
    // SAFETY: the tasks hold all vectors of units, and each writes their place in all P rows.
    unsafe { fresh.written() }
}

struct Gradient<'a, T: Element> {
    geometry: &'a Geometry,
    dh: &'a Buffer<T>,
    units: &'a Buffer<T>,
    to: Shared<T>,
    vectors: Range<usize>,
}

impl<T: Element> Task<T> for Gradient<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        for vector in self.vectors.clone() {
            let columns = 0..self.geometry.width;
            for_tiles!(<S as Simd<T>>::ROWS, columns, |R, p| self.tile::<S, R>(s, vector, p));
        }
    }
}

impl<T: Element> Gradient<'_, T> {
    /// `R` rows of the gradient from `p` on, one vector of units.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(&self, s: S, vector: usize, p: usize) {
        let Geometry { rows, hidden, width, .. } = *self.geometry;
        // SAFETY: dh is [N, P], a vector of the units [N][LANES]; these places of the gradient are
        // this task's alone, and only units that exist are stored.
        unsafe {
            let dh = Strided { at: self.dh.as_ptr().add(p), row: 1, column: width };
            let units = self.units.as_ptr().add(self.geometry.carry_at(vector, 0));
            let sums = zero::<T, S, R, 1>(s);
            let sums = accumulate::<T, S, R, 1>(s, sums, 0..rows, dh, units);
            for (r, [sum]) in sums.into_iter().enumerate() {
                let to = self.to.get().add((p + r) * hidden + vector * S::LANES);
                s.store_first(to, sum, self.geometry.units(vector));
            }
        }
    }
}
