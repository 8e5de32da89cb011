//! The order of the rows of a batch.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use ragged_sequence::PackedLayout;

use crate::dlpack::{View, view_option};

/// The lengths of a batch: which packed row is which step of which sequence.
#[pyclass(frozen, module = "ragged._ragged")]
pub(crate) struct Batch {
    pub(crate) layout: PackedLayout,
    pub(crate) is_sorted: bool,
}

impl Batch {
    pub(crate) fn new(layout: PackedLayout) -> Self {
        Self { is_sorted: layout.is_sorted(), layout }
    }

    /// Puts rows `[B, columns]` in the caller's order into the sorted order.
    pub(crate) fn sort<T: Copy>(&self, rows: &[T]) -> Vec<T> {
        let sorted = self.layout.sorted_indices();
        let columns = rows.len() / sorted.len().max(1);
        sorted.iter().flat_map(|&b| &rows[b * columns..(b + 1) * columns]).copied().collect()
    }

    /// Puts rows `[B, columns]` in the sorted order into the caller's order.
    pub(crate) fn unsort<T: Copy>(&self, rows: &[T], to: &mut [T]) {
        let sorted = self.layout.sorted_indices();
        let columns = rows.len() / sorted.len().max(1);
        for (row, &b) in rows.chunks_exact(columns.max(1)).zip(sorted) {
            to[b * columns..(b + 1) * columns].copy_from_slice(row);
        }
    }
}

#[pymethods]
impl Batch {
    /// The batch of a PackedSequence: `batch_sizes` [T] and `sorted_indices` [B] or None.
    #[new]
    #[pyo3(signature = (batch_sizes, sorted_indices=None))]
    fn from_packed<'py>(
        batch_sizes: &Bound<'py, PyAny>,
        sorted_indices: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let batch_sizes = indices(&View::new("batch_sizes", batch_sizes)?)?;
        let sorted = match view_option("sorted_indices", &sorted_indices)? {
            Some(sorted) => indices(&sorted)?,
            None => (0..batch_sizes.first().copied().unwrap_or(0)).collect(),
        };
        let layout = PackedLayout::new(batch_sizes, sorted);
        Ok(Self::new(layout.map_err(|error| PyValueError::new_err(error.to_string()))?))
    }

    /// A batch of `batch_size` sequences of `steps` steps each.
    #[staticmethod]
    fn padded(steps: usize, batch_size: usize) -> PyResult<Self> {
        let sizes = vec![batch_size; if batch_size == 0 { 0 } else { steps }];
        let layout = PackedLayout::new(sizes, (0..batch_size).collect());
        Ok(Self::new(layout.map_err(|error| PyValueError::new_err(error.to_string()))?))
    }

    /// N, the number of packed rows.
    #[getter]
    fn rows(&self) -> usize {
        self.layout.rows()
    }

    /// [T], the number of sequences that have each step.
    #[getter]
    fn batch_sizes(&self) -> Vec<usize> {
        self.layout.batch_sizes().to_vec()
    }

    /// [B], the caller's index of the sequence at each sorted position.
    #[getter]
    fn sorted_indices(&self) -> Vec<usize> {
        self.layout.sorted_indices().to_vec()
    }

    /// [B], the lengths in the caller's order.
    #[getter]
    fn lengths(&self) -> Vec<usize> {
        self.layout.lengths()
    }

    /// B, the number of sequences.
    #[getter]
    fn batch_size(&self) -> usize {
        self.layout.batch_size()
    }
}

/// Reads a tensor of indices.
pub(crate) fn indices(view: &View) -> PyResult<Vec<usize>> {
    let to_usize = |&value: &i64| usize::try_from(value);
    let values: Result<_, _> = view.slice::<i64>()?.iter().map(to_usize).collect();
    values.map_err(|_| PyValueError::new_err("expected indices and lengths of at least 0"))
}
