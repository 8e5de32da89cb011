//! Packing of padded batches, and of the episodes of reinforcement learning.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use ragged_sequence::PackedLayout;

use crate::batch::Batch;
use crate::dlpack::{DType, Element, View};

/// Where the row of each step of a padded batch is, in rows.
struct PaddedRows {
    sequence_stride: usize,
    step_stride: usize,
}

impl PaddedRows {
    fn new(batch: usize, steps: usize, batch_first: bool) -> Self {
        match batch_first {
            true => Self { sequence_stride: steps, step_stride: 1 },
            false => Self { sequence_stride: 1, step_stride: batch },
        }
    }

    fn at(&self, (sequence, step): (usize, usize)) -> usize {
        sequence * self.sequence_stride + step * self.step_stride
    }
}

/// B, T and the features of a padded batch.
fn padded_sizes(padded: &View, batch_first: bool) -> PyResult<(usize, usize, usize)> {
    match *padded.shape() {
        [batch, steps, features] if batch_first => Ok((batch, steps, features)),
        [steps, batch, features] => Ok((batch, steps, features)),
        _ => Err(PyValueError::new_err("x: expected three dimensions")),
    }
}

/// Packs `x` [B, T, F], or [T, B, F], into `data` [N, F], and writes `batch_sizes` [T], `sorted_indices` and
/// `unsorted_indices` [B]. Returns the batch.
#[pyfunction]
pub(crate) fn pack<'py>(
    x: &Bound<'py, PyAny>,
    lengths: Vec<usize>,
    batch_first: bool,
    data: &Bound<'py, PyAny>,
    order: (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>),
) -> PyResult<Batch> {
    let (x, mut data) = (View::new("x", x)?, View::new("data", data)?);
    let (batch, steps, features) = padded_sizes(&x, batch_first)?;
    if lengths.len() != batch {
        let text = format!("lengths: expected {batch}, one per sequence, got {}", lengths.len());
        return Err(PyValueError::new_err(text));
    }
    if let Some(index) = lengths.iter().position(|length| !(1..=steps).contains(length)) {
        let got = lengths[index];
        let text = format!("lengths[{index}]: expected 1 to {steps}, the steps of x, got {got}");
        return Err(PyValueError::new_err(text));
    }
    let layout = PackedLayout::from_lengths(&lengths);
    for (name, values, tensor) in [
        ("batch_sizes", layout.batch_sizes(), &order.0),
        ("sorted_indices", layout.sorted_indices(), &order.1),
        ("unsorted_indices", layout.unsorted_indices(), &order.2),
    ] {
        write_indices(name, values, tensor)?;
    }
    let rows = PaddedRows::new(batch, steps, batch_first);
    match x.dtype {
        DType::F64 => gather(&layout, &rows, features, x.slice::<f64>()?, data.slice_mut()?)?,
        _ => gather(&layout, &rows, features, x.slice::<f32>()?, data.slice_mut()?)?,
    }
    Ok(Batch::new(layout))
}

/// Puts packed `rows` [N, F] in their places of `padded` [B, T, F], or [T, B, F], of which nothing else is written.
#[pyfunction]
pub(crate) fn unpack<'py>(
    rows: &Bound<'py, PyAny>,
    batch: &Batch,
    batch_first: bool,
    padded: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let (rows, mut padded) = (View::new("rows", rows)?, View::new("padded", padded)?);
    let (sequences, steps, features) = padded_sizes(&padded, batch_first)?;
    let layout = &batch.layout;
    if sequences != layout.batch_size() || steps < layout.max_length() {
        return Err(PyValueError::new_err("padded: expected the sizes that were packed"));
    }
    let places = PaddedRows::new(sequences, steps, batch_first);
    match rows.dtype {
        DType::F64 => scatter(layout, &places, features, rows.slice::<f64>()?, padded.slice_mut()?),
        _ => scatter(layout, &places, features, rows.slice::<f32>()?, padded.slice_mut()?),
    }
}

fn check_rows(layout: &PackedLayout, features: usize, got: usize) -> PyResult<()> {
    let expected = layout.rows() * features;
    if got == expected {
        return Ok(());
    }
    let text = format!("packed rows: expected {expected} elements, got {got}");
    Err(PyValueError::new_err(text))
}

fn gather<T: Element>(
    layout: &PackedLayout,
    places: &PaddedRows,
    features: usize,
    padded: &[T],
    rows: &mut [T],
) -> PyResult<()> {
    check_rows(layout, features, rows.len())?;
    for (row, position) in rows.chunks_exact_mut(features.max(1)).zip(layout.positions()) {
        row.copy_from_slice(&padded[places.at(position) * features..][..features]);
    }
    Ok(())
}

fn scatter<T: Element>(
    layout: &PackedLayout,
    places: &PaddedRows,
    features: usize,
    rows: &[T],
    padded: &mut [T],
) -> PyResult<()> {
    check_rows(layout, features, rows.len())?;
    for (row, position) in rows.chunks_exact(features.max(1)).zip(layout.positions()) {
        padded[places.at(position) * features..][..features].copy_from_slice(row);
    }
    Ok(())
}

fn write_indices(name: &'static str, values: &[usize], tensor: &Bound<PyAny>) -> PyResult<()> {
    let mut view = View::new(name, tensor)?;
    let to = view.slice_mut::<i64>()?;
    if to.len() != values.len() {
        let text = format!("{name}: expected {} elements, got {}", values.len(), to.len());
        return Err(PyValueError::new_err(text));
    }
    to.iter_mut().zip(values).for_each(|(to, &value)| *to = value as i64);
    Ok(())
}

/// The sequences into which `pack_at_starts` cuts a batch.
#[derive(IntoPyObject)]
pub(crate) struct Cut {
    batch_sizes: Vec<usize>,
    sorted_indices: Vec<usize>,
    unsorted_indices: Vec<usize>,
    /// The environment of each sequence.
    environments: Vec<usize>,
    /// Whether each sequence begins with the state of its environment and not with zeros.
    continues: Vec<bool>,
    /// The last sequence of each environment.
    last: Vec<usize>,
}

/// Cuts the steps [T, B] of B environments where `starts` [T, B] is true. Writes the row of [T B, ..] of each packed
/// row to `rows` [T B], and the packed row of each row to `places` [T B].
#[pyfunction]
pub(crate) fn cut_at_starts(
    starts: &Bound<PyAny>,
    rows: &Bound<PyAny>,
    places: &Bound<PyAny>,
) -> PyResult<Cut> {
    let starts = View::new("starts", starts)?;
    let &[steps, batch] = starts.shape() else {
        return Err(PyValueError::new_err("starts: expected two dimensions"));
    };
    let starts = starts.booleans()?;
    let (mut lengths, mut begins) = (vec![], vec![]);
    let (mut environments, mut continues, mut last) = (vec![], vec![], vec![]);
    for environment in 0..batch {
        for step in 0..steps {
            let is_start = starts[step * batch + environment];
            if step == 0 || is_start {
                lengths.push(0);
                begins.push(step);
                environments.push(environment);
                continues.push(!is_start);
            }
            if let Some(length) = lengths.last_mut() {
                *length += 1;
            }
        }
        last.push(lengths.len().saturating_sub(1));
    }
    let layout = PackedLayout::from_lengths(&lengths);
    let row = |(sequence, step): (usize, usize)| {
        (begins[sequence] + step) * batch + environments[sequence]
    };
    let packed: Vec<usize> = layout.positions().map(row).collect();
    let mut inverse = vec![0; packed.len()];
    packed.iter().enumerate().for_each(|(k, &row)| inverse[row] = k);
    write_indices("rows", &packed, rows)?;
    write_indices("places", &inverse, places)?;
    Ok(Cut {
        batch_sizes: layout.batch_sizes().to_vec(),
        sorted_indices: layout.sorted_indices().to_vec(),
        unsorted_indices: layout.unsorted_indices().to_vec(),
        environments,
        continues,
        last,
    })
}
