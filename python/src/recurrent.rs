//! One layer and direction, forward and backward, on tensors that the caller allocates.
//!
//! States are in the caller's order; they are sorted here, where that takes no operation of the tensor library.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use ragged_kernels::{
    CellKind, Direction, Gradients, Input, OutputGradients, OutputSlices, PackedShape, Weights,
    backward_into, forward_into, set_num_threads, tape_len as kernel_tape_len,
};

use crate::batch::Batch;
use crate::dlpack::{DType, Element, View, view_option};

type Tensor<'py> = Bound<'py, PyAny>;
type OptionalTensor<'py> = Option<Bound<'py, PyAny>>;

/// `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` and `weight_hr`.
type WeightTensors<'py> =
    (Tensor<'py>, Tensor<'py>, OptionalTensor<'py>, OptionalTensor<'py>, OptionalTensor<'py>);

fn value_error(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The cell with PyTorch's name of the mode.
fn cell_kind(mode: &str) -> PyResult<CellKind> {
    match mode {
        "LSTM" => Ok(CellKind::Lstm),
        "GRU" => Ok(CellKind::Gru),
        "RNN_TANH" => Ok(CellKind::RnnTanh),
        "RNN_RELU" => Ok(CellKind::RnnRelu),
        _ => Err(PyValueError::new_err(format!("mode: got {mode}, which is no recurrent layer"))),
    }
}

/// A layer and direction: the cell, the sizes, and the tensors of its weights.
struct Layer<'py> {
    cell: CellKind,
    direction: Direction,
    weight_ih: View<'py>,
    weight_hh: View<'py>,
    bias_ih: Option<View<'py>>,
    bias_hh: Option<View<'py>>,
    weight_hr: Option<View<'py>>,
}

impl<'py> Layer<'py> {
    fn new(mode: &str, reverse: bool, weights: &WeightTensors<'py>) -> PyResult<Self> {
        let (weight_ih, weight_hh, bias_ih, bias_hh, weight_hr) = weights;
        let layer = Self {
            cell: cell_kind(mode)?,
            direction: if reverse { Direction::Reverse } else { Direction::Forward },
            weight_ih: View::new("weight_ih", weight_ih)?,
            weight_hh: View::new("weight_hh", weight_hh)?,
            bias_ih: view_option("bias_ih", bias_ih)?,
            bias_hh: view_option("bias_hh", bias_hh)?,
            weight_hr: view_option("weight_hr", weight_hr)?,
        };
        match (layer.weight_ih.shape(), layer.weight_hh.shape()) {
            ([_, _], [_, _]) => Ok(layer),
            _ => Err(PyValueError::new_err("weights: expected matrices")),
        }
    }

    fn shape<'a>(&self, batch: &'a Batch) -> PyResult<PackedShape<'a>> {
        let (batch_size, sizes) = (batch.layout.batch_size(), batch.layout.batch_sizes());
        let (input_size, gates) = (self.weight_ih.shape()[1], self.weight_ih.shape()[0]);
        let hidden_size = gates / self.cell.gates();
        let shape = PackedShape::new(batch_size, sizes, input_size, hidden_size, self.direction);
        let shape = shape.map_err(value_error)?;
        match &self.weight_hr {
            None => Ok(shape),
            Some(_) => shape.with_projection(self.weight_hh.shape()[1]).map_err(value_error),
        }
    }

    fn weights<T: Element>(&self) -> PyResult<Weights<'_, T>> {
        let mut weights = Weights::new(self.weight_ih.slice()?, self.weight_hh.slice()?);
        weights.bias_ih = slice_option(&self.bias_ih)?;
        weights.bias_hh = slice_option(&self.bias_hh)?;
        weights.weight_hr = slice_option(&self.weight_hr)?;
        Ok(weights)
    }
}

fn slice_option<'a, T: Element>(view: &'a Option<View>) -> PyResult<Option<&'a [T]>> {
    view.as_ref().map(View::slice).transpose()
}

fn slice_mut_option<'a, T: Element>(view: &'a mut Option<View>) -> PyResult<Option<&'a mut [T]>> {
    view.as_mut().map(View::slice_mut).transpose()
}

/// States `[B, columns]` in the sorted order: a copy only where the caller's order differs.
struct Sorted<'a, T> {
    caller: Option<&'a [T]>,
    copy: Option<Vec<T>>,
}

impl<'a, T: Element> Sorted<'a, T> {
    fn new(batch: &Batch, states: &'a Option<View>) -> PyResult<Self> {
        let caller = slice_option::<T>(states)?;
        let copy = match caller {
            Some(states) if !batch.is_sorted => {
                let sequences = batch.layout.batch_size();
                if sequences == 0 || !states.len().is_multiple_of(sequences) {
                    return Err(PyValueError::new_err("states: expected one row per sequence"));
                }
                Some(batch.sort(states))
            }
            _ => None,
        };
        Ok(Self { caller, copy })
    }

    fn get(&self) -> Option<&[T]> {
        self.copy.as_deref().or(self.caller)
    }
}

/// Memory for states in the sorted order, which are stored in the caller's order afterwards.
struct Unsorted<T>(Vec<T>);

impl<T: Element + Default> Unsorted<T> {
    fn new(batch: &Batch, to: Option<&[T]>) -> Option<Self> {
        to.filter(|_| !batch.is_sorted).map(|to| Self(vec![T::default(); to.len()]))
    }

    fn store(this: Option<Self>, batch: &Batch, to: Option<&mut [T]>) {
        if let (Some(Self(rows)), Some(to)) = (this, to) {
            batch.unsort(&rows, to);
        }
    }
}

/// The memory that a pass writes: that in the sorted order, if there is one.
fn target<'a, T>(
    memory: &'a mut Option<Unsorted<T>>,
    to: Option<&'a mut [T]>,
) -> Option<&'a mut [T]> {
    match memory {
        Some(Unsorted(rows)) => Some(rows),
        None => to,
    }
}

/// Returns the number of elements of the tape per packed row.
#[pyfunction]
pub(crate) fn tape_len(
    mode: &str,
    hidden_size: usize,
    proj_size: usize,
    double: bool,
) -> PyResult<usize> {
    let cell = cell_kind(mode)?;
    let shape = PackedShape::new(1, &[1], 1, hidden_size, Direction::Forward);
    let mut shape = shape.map_err(value_error)?;
    if proj_size > 0 {
        shape = shape.with_projection(proj_size).map_err(value_error)?;
    }
    Ok(match double {
        true => kernel_tape_len::<f64>(cell, &shape, false),
        false => kernel_tape_len::<f32>(cell, &shape, false),
    })
}

/// Runs the forward pass of one layer and direction, and writes `output` [N, P], `h_n` [B, P], `c_n` [B, H] and, if it
/// is given, the tape.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub(crate) fn forward<'py>(
    py: Python<'py>,
    mode: &str,
    reverse: bool,
    threads: usize,
    batch: &Batch,
    x: &Tensor<'py>,
    states: (OptionalTensor<'py>, OptionalTensor<'py>),
    weights: WeightTensors<'py>,
    outputs: (Tensor<'py>, Tensor<'py>, OptionalTensor<'py>, OptionalTensor<'py>),
) -> PyResult<()> {
    let layer = Layer::new(mode, reverse, &weights)?;
    let views = ForwardViews {
        x: View::new("x", x)?,
        h_0: view_option("h_0", &states.0)?,
        c_0: view_option("c_0", &states.1)?,
        output: View::new("output", &outputs.0)?,
        h_n: View::new("h_n", &outputs.1)?,
        c_n: view_option("c_n", &outputs.2)?,
        tape: view_option("tape", &outputs.3)?,
    };
    set_num_threads(threads);
    match views.x.dtype {
        DType::F64 => run_forward::<f64>(py, &layer, batch, views),
        _ => run_forward::<f32>(py, &layer, batch, views),
    }
}

struct ForwardViews<'py> {
    x: View<'py>,
    h_0: Option<View<'py>>,
    c_0: Option<View<'py>>,
    output: View<'py>,
    h_n: View<'py>,
    c_n: Option<View<'py>>,
    tape: Option<View<'py>>,
}

fn run_forward<T: Element + ragged_kernels::Element>(
    py: Python,
    layer: &Layer,
    batch: &Batch,
    mut views: ForwardViews,
) -> PyResult<()> {
    let (shape, weights) = (layer.shape(batch)?, layer.weights::<T>()?);
    let h_0 = Sorted::<T>::new(batch, &views.h_0)?;
    let c_0 = Sorted::<T>::new(batch, &views.c_0)?;
    let mut input = Input::new(views.x.slice()?);
    (input.h_0, input.c_0) = (h_0.get(), c_0.get());
    let (output, h_n) = (views.output.slice_mut()?, views.h_n.slice_mut::<T>()?);
    let mut c_n = slice_mut_option::<T>(&mut views.c_n)?;
    let tape = slice_mut_option::<T>(&mut views.tape)?;
    let mut sorted_h_n = Unsorted::new(batch, Some(&*h_n));
    let mut sorted_c_n = Unsorted::new(batch, c_n.as_deref());
    let h_n_target = target(&mut sorted_h_n, Some(&mut *h_n)).unwrap_or_default();
    let mut to = OutputSlices::new(output, h_n_target);
    to.c_n = target(&mut sorted_c_n, c_n.as_deref_mut());
    let cell = layer.cell;
    py.detach(|| forward_into(cell, &shape, &weights, &input, to, tape)).map_err(value_error)?;
    Unsorted::store(sorted_h_n, batch, Some(h_n));
    Unsorted::store(sorted_c_n, batch, c_n);
    Ok(())
}

/// `x`, `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`, `weight_hr`, `h_0` and `c_0`, where wanted.
type GradientTensors<'py> = (
    OptionalTensor<'py>,
    OptionalTensor<'py>,
    OptionalTensor<'py>,
    OptionalTensor<'py>,
    OptionalTensor<'py>,
    OptionalTensor<'py>,
    OptionalTensor<'py>,
    OptionalTensor<'py>,
);

/// Runs the backward pass of one layer and direction, and writes the gradients for which there are tensors.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub(crate) fn backward<'py>(
    py: Python<'py>,
    mode: &str,
    reverse: bool,
    threads: usize,
    batch: &Batch,
    x: &Tensor<'py>,
    states: (OptionalTensor<'py>, OptionalTensor<'py>),
    weights: WeightTensors<'py>,
    saved: (Tensor<'py>, Tensor<'py>),
    output_gradients: (OptionalTensor<'py>, OptionalTensor<'py>, OptionalTensor<'py>),
    gradients: GradientTensors<'py>,
) -> PyResult<()> {
    let layer = Layer::new(mode, reverse, &weights)?;
    let (d_output, d_h_n, d_c_n) = output_gradients;
    let (dx, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, h_0, c_0) = gradients;
    let views = BackwardViews {
        x: View::new("x", x)?,
        h_0: view_option("h_0", &states.0)?,
        c_0: view_option("c_0", &states.1)?,
        output: View::new("output", &saved.0)?,
        tape: View::new("tape", &saved.1)?,
        d_output: view_option("gradient of output", &d_output)?,
        d_h_n: view_option("gradient of h_n", &d_h_n)?,
        d_c_n: view_option("gradient of c_n", &d_c_n)?,
        gradients: [
            view_option("gradient of x", &dx)?,
            view_option("gradient of weight_ih", &weight_ih)?,
            view_option("gradient of weight_hh", &weight_hh)?,
            view_option("gradient of bias_ih", &bias_ih)?,
            view_option("gradient of bias_hh", &bias_hh)?,
            view_option("gradient of weight_hr", &weight_hr)?,
            view_option("gradient of h_0", &h_0)?,
            view_option("gradient of c_0", &c_0)?,
        ],
    };
    set_num_threads(threads);
    match views.x.dtype {
        DType::F64 => run_backward::<f64>(py, &layer, batch, views),
        _ => run_backward::<f32>(py, &layer, batch, views),
    }
}

struct BackwardViews<'py> {
    x: View<'py>,
    h_0: Option<View<'py>>,
    c_0: Option<View<'py>>,
    output: View<'py>,
    tape: View<'py>,
    d_output: Option<View<'py>>,
    d_h_n: Option<View<'py>>,
    d_c_n: Option<View<'py>>,
    /// In the order of [`GradientTensors`].
    gradients: [Option<View<'py>>; 8],
}

fn run_backward<T: Element + ragged_kernels::Element>(
    py: Python,
    layer: &Layer,
    batch: &Batch,
    mut views: BackwardViews,
) -> PyResult<()> {
    let (shape, weights) = (layer.shape(batch)?, layer.weights::<T>()?);
    let h_0 = Sorted::<T>::new(batch, &views.h_0)?;
    let c_0 = Sorted::<T>::new(batch, &views.c_0)?;
    let d_h_n = Sorted::<T>::new(batch, &views.d_h_n)?;
    let d_c_n = Sorted::<T>::new(batch, &views.d_c_n)?;
    let mut input = Input::new(views.x.slice()?);
    (input.h_0, input.c_0) = (h_0.get(), c_0.get());
    let (output, tape) = (views.output.slice()?, views.tape.slice()?);
    let mut output_gradients = OutputGradients::default();
    output_gradients.output = slice_option(&views.d_output)?;
    (output_gradients.h_n, output_gradients.c_n) = (d_h_n.get(), d_c_n.get());

    let [x, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, dh_0, dc_0] = &mut views.gradients;
    let mut dh_0 = slice_mut_option::<T>(dh_0)?;
    let mut dc_0 = slice_mut_option::<T>(dc_0)?;
    let mut sorted_dh_0 = Unsorted::new(batch, dh_0.as_deref());
    let mut sorted_dc_0 = Unsorted::new(batch, dc_0.as_deref());
    let mut to = Gradients::default();
    to.x = slice_mut_option(x)?;
    to.weight_ih = slice_mut_option(weight_ih)?;
    to.weight_hh = slice_mut_option(weight_hh)?;
    to.bias_ih = slice_mut_option(bias_ih)?;
    to.bias_hh = slice_mut_option(bias_hh)?;
    to.weight_hr = slice_mut_option(weight_hr)?;
    to.h_0 = target(&mut sorted_dh_0, dh_0.as_deref_mut());
    to.c_0 = target(&mut sorted_dc_0, dc_0.as_deref_mut());
    let cell = layer.cell;
    py.detach(|| {
        backward_into(cell, &shape, &weights, &input, output, tape, &output_gradients, to)
    })
    .map_err(value_error)?;
    Unsorted::store(sorted_dh_0, batch, dh_0);
    Unsorted::store(sorted_dc_0, batch, dc_0);
    Ok(())
}
