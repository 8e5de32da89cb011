//! Matrix products on slices: the one door to the `gemm` crate.

use crate::Element;

/// A row-major matrix in a slice, possibly read transposed.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    transposed: bool,
}

impl<'a, T> Matrix<'a, T> {
    /// `data` as `[rows, cols]`.
    pub(crate) fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a matrix of {rows} x {cols}");
        Self { data, rows, cols, transposed: false }
    }

    /// The same numbers as `[cols, rows]`.
    pub(crate) fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn dims(&self) -> (usize, usize) {
        if self.transposed { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }

    /// Row stride and column stride.
    fn strides(&self) -> (isize, isize) {
        let cols = self.cols as isize;
        if self.transposed { (1, cols) } else { (cols, 1) }
    }
}

/// `out += a b`, with `out` row-major.
pub(crate) fn matmul_add<T: Element>(out: &mut [T], a: Matrix<'_, T>, b: Matrix<'_, T>) {
    let ((m, k), (k_b, n)) = (a.dims(), b.dims());
    assert_eq!(k, k_b, "inner dimensions");
    assert_eq!(out.len(), m * n, "a product of {m} x {n}");
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    let ((a_rs, a_cs), (b_rs, b_cs)) = (a.strides(), b.strides());
    // SAFETY: the asserts above tie each pointer to a slice of exactly rows x cols elements, read
    // with that slice's own strides, and `out` is borrowed mutably, so it overlaps neither.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            true,
            a.data.as_ptr(),
            a_cs,
            a_rs,
            b.data.as_ptr(),
            b_cs,
            b_rs,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
