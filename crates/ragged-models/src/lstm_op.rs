//! One layer and direction as one candle operation, so that a long sequence is a handful of nodes
//! in the graph and not some per step (candle's backward pass recurses through the nodes).
//!
//! The operation reads every tensor where it lies, and sorts the states of the sequences itself
//! while it copies them: outside of it, there is only the caller's order.

use std::borrow::Cow;

use candle_core::{CpuStorage, DType, Layout, Shape, Storage, StorageRef, Tensor, WithDType};
use ragged_kernels::{
    Direction, Element, LstmCotangents, LstmGradients, LstmInput, LstmOutput, LstmTape,
    LstmWeights, PackedShape, lstm_backward, lstm_forward, lstm_infer,
};
use ragged_sequence::PackedLayout;

use crate::multi_op::{self, MultiOp};

type Result<T> = candle_core::Result<T>;

/// The parameters of one layer and direction, gates in the order i, f, g, o.
pub(crate) struct Weights {
    /// `[4H, I]`.
    pub(crate) weight_ih: Tensor,
    /// `[4H, H]`.
    pub(crate) weight_hh: Tensor,
    /// `bias_ih` and `bias_hh`, `[4H]` each.
    pub(crate) biases: Option<(Tensor, Tensor)>,
}

/// The hidden and the cell states of one layer and direction, `[B, H]` each, in the caller's order.
pub(crate) struct States {
    pub(crate) h: Tensor,
    pub(crate) c: Tensor,
}

/// What a layer and direction returns.
pub(crate) struct Outcome {
    /// `[N, H]`, packed.
    pub(crate) output: Tensor,
    /// `[B, H]`, in the caller's order.
    pub(crate) h_n: Tensor,
    /// `[B, H]`, in the caller's order.
    pub(crate) c_n: Tensor,
}

/// Runs one layer and direction over the packed rows `x` `[N, I]`, from `state`, or from zeros.
/// `record` says whether the result is to be differentiated.
pub(crate) fn lstm(
    x: &Tensor,
    layout: &PackedLayout,
    weights: &Weights,
    state: Option<&States>,
    direction: Direction,
    record: bool,
) -> Result<Outcome> {
    let mut inputs = vec![x, &weights.weight_ih, &weights.weight_hh];
    if let Some((ih, hh)) = &weights.biases {
        inputs.extend([ih, hh]);
    }
    if let Some(state) = state {
        inputs.extend([&state.h, &state.c]);
    }
    let inputs: Vec<Tensor> = inputs.into_iter().map(Tensor::contiguous).collect::<Result<_>>()?;
    let geometry = Geometry {
        layout: layout.clone(),
        direction,
        input_size: x.dim(1)?,
        hidden_size: weights.weight_hh.dim(1)?,
        biased: weights.biases.is_some(),
        stateful: state.is_some(),
    };
    let outputs = match x.dtype() {
        DType::F32 => multi_op::apply(LstmOp::<f32> { geometry, tape: None }, &inputs, record),
        DType::F64 => multi_op::apply(LstmOp::<f64> { geometry, tape: None }, &inputs, record),
        dtype => candle_core::bail!("lstm: expected f32 or f64, got {}", dtype.as_str()),
    }?;
    match <[Tensor; 3]>::try_from(outputs) {
        Ok([output, h_n, c_n]) => Ok(Outcome { output, h_n, c_n }),
        Err(outputs) => candle_core::bail!("lstm: {} outputs", outputs.len()),
    }
}

/// All that is fixed before the numbers come.
struct Geometry {
    layout: PackedLayout,
    direction: Direction,
    input_size: usize,
    hidden_size: usize,
    biased: bool,
    stateful: bool,
}

impl Geometry {
    fn shape(&self) -> Result<PackedShape<'_>> {
        PackedShape::new(
            self.layout.batch_size(),
            self.layout.batch_sizes(),
            self.input_size,
            self.hidden_size,
            self.direction,
        )
        .map_err(candle_core::Error::wrap)
    }

    /// `[B, H]` in the caller's order, in sorted order.
    fn sorted<'a, T: Copy>(&self, states: &'a [T]) -> Cow<'a, [T]> {
        match self.layout.is_sorted() {
            true => Cow::Borrowed(states),
            false => Cow::Owned(self.reordered(states, self.layout.sorted_indices())),
        }
    }

    /// The way back.
    fn unsorted<T: Copy>(&self, states: Vec<T>) -> Vec<T> {
        match self.layout.is_sorted() {
            true => states,
            false => self.reordered(&states, self.layout.unsorted_indices()),
        }
    }

    fn reordered<T: Copy>(&self, states: &[T], order: &[usize]) -> Vec<T> {
        let mut reordered = Vec::with_capacity(states.len());
        for &index in order {
            reordered.extend_from_slice(&states[index * self.hidden_size..][..self.hidden_size]);
        }
        reordered
    }
}

struct LstmOp<T: Element> {
    geometry: Geometry,
    /// What the forward pass leaves to the backward pass, which only reads it.
    tape: Option<LstmTape<T>>,
}

/// The inputs as the kernel reads them.
struct Read<'a, T: Element> {
    weights: LstmWeights<'a, T>,
    x: &'a [T],
    h_0: Cow<'a, [T]>,
    c_0: Cow<'a, [T]>,
}

impl<T: Element> Read<'_, T> {
    fn input(&self) -> LstmInput<'_, T> {
        LstmInput { x: self.x, h_0: &self.h_0, c_0: &self.c_0 }
    }
}

impl<T: Element + WithDType> LstmOp<T> {
    /// Takes the inputs apart, in the order in which [`lstm`] puts them together.
    fn read<'a>(&self, inputs: &'a [(StorageRef<'a>, &'a Layout)]) -> Result<Read<'a, T>> {
        let geometry = &self.geometry;
        let mut slices = inputs.iter().map(slice::<T>);
        let mut next = || match slices.next() {
            Some(slice) => slice,
            None => candle_core::bail!("lstm: too few inputs"),
        };
        let (x, weight_ih, weight_hh) = (next()?, next()?, next()?);
        let (bias_ih, bias_hh) = match geometry.biased {
            true => (Some(next()?), Some(next()?)),
            false => (None, None),
        };
        let (h_0, c_0) = match geometry.stateful {
            true => (geometry.sorted(next()?), geometry.sorted(next()?)),
            false => {
                let zeros = vec![T::default(); geometry.layout.batch_size() * geometry.hidden_size];
                (Cow::Owned(zeros.clone()), Cow::Owned(zeros))
            }
        };
        let weights = LstmWeights { weight_ih, weight_hh, bias_ih, bias_hh };
        Ok(Read { weights, x, h_0, c_0 })
    }
}

impl<T: Element + WithDType> MultiOp for LstmOp<T> {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn forward(&mut self, inputs: &[Tensor], record: bool) -> Result<Vec<(CpuStorage, Shape)>> {
        let geometry = &self.geometry;
        let (n, b) = (geometry.layout.rows(), geometry.layout.batch_size());
        let (h, shape) = (geometry.hidden_size, geometry.shape()?);
        let inputs: Vec<_> = inputs.iter().map(Tensor::storage_and_layout).collect();
        let read = self.read(&inputs)?;
        let zeros = |rows: usize| vec![T::default(); rows * h];
        let (mut output, mut h_n, mut c_n) = (zeros(n), zeros(b), zeros(b));
        let into = LstmOutput { output: &mut output, h_n: &mut h_n, c_n: &mut c_n };
        let tape = match record {
            true => lstm_forward(&shape, &read.weights, &read.input(), into).map(Some),
            false => lstm_infer(&shape, &read.weights, &read.input(), into).map(|()| None),
        };
        let outputs = [(output, n), (geometry.unsorted(h_n), b), (geometry.unsorted(c_n), b)];
        self.tape = tape.map_err(candle_core::Error::wrap)?;
        Ok(outputs.map(|(data, rows)| (T::to_cpu_storage_owned(data), (rows, h).into())).into())
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        outputs: &[Tensor],
        cotangents: &[Option<Tensor>],
        wanted: &[bool],
    ) -> Result<Vec<Option<Tensor>>> {
        let geometry = &self.geometry;
        let (n, b) = (geometry.layout.rows(), geometry.layout.batch_size());
        let (i, h, shape) = (geometry.input_size, geometry.hidden_size, geometry.shape()?);
        let (Some(tape), [output, ..], [d_output, d_h_n, d_c_n]) =
            (&self.tape, outputs, cotangents)
        else {
            candle_core::bail!("lstm: no forward pass was recorded");
        };
        let device = inputs[0].device();
        let state_at = if geometry.biased { 5 } else { 3 };
        let zeros = |wanted: bool, count: usize| wanted.then(|| vec![T::default(); count]);
        let asked = |at: usize| wanted.get(at).copied().unwrap_or(false);
        let (mut d_x, mut d_bias) = (zeros(asked(0), n * i), vec![T::default(); 4 * h]);
        let mut d_weight_ih = vec![T::default(); 4 * h * i];
        let mut d_weight_hh = vec![T::default(); 4 * h * h];
        let mut d_h_0 = zeros(asked(state_at), b * h);
        let mut d_c_0 = zeros(asked(state_at + 1), b * h);
        {
            let given = |tensor: &Option<Tensor>| tensor.as_ref().map(Tensor::contiguous);
            let (d_output, d_h_n, d_c_n) = (
                given(d_output).transpose()?,
                given(d_h_n).transpose()?,
                given(d_c_n).transpose()?,
            );
            let inputs: Vec<_> = inputs.iter().map(Tensor::storage_and_layout).collect();
            let output = output.storage_and_layout();
            let [d_output, d_h_n, d_c_n] = [&d_output, &d_h_n, &d_c_n]
                .map(|tensor| tensor.as_ref().map(Tensor::storage_and_layout));
            let d_h_n = d_h_n.as_ref().map(slice).transpose()?.map(|d| geometry.sorted(d));
            let d_c_n = d_c_n.as_ref().map(slice).transpose()?.map(|d| geometry.sorted(d));
            let read = self.read(&inputs)?;
            let cotangents = LstmCotangents {
                output: d_output.as_ref().map(slice).transpose()?,
                h_n: d_h_n.as_deref(),
                c_n: d_c_n.as_deref(),
            };
            let gradients = LstmGradients {
                x: d_x.as_deref_mut(),
                weight_ih: &mut d_weight_ih,
                weight_hh: &mut d_weight_hh,
                bias: &mut d_bias,
                h_0: d_h_0.as_deref_mut(),
                c_0: d_c_0.as_deref_mut(),
            };
            let (weights, input, output) = (&read.weights, &read.input(), slice(&output)?);
            lstm_backward(&shape, weights, input, output, tape, &cotangents, gradients)
                .map_err(candle_core::Error::wrap)?;
        }
        let tensor = |data: Vec<T>, dims: &[usize]| Tensor::from_vec(data, dims, device).map(Some);
        let state = |data: Option<Vec<T>>| match data {
            Some(data) => tensor(geometry.unsorted(data), &[b, h]),
            None => Ok(None),
        };
        let d_x = d_x.map(|data| tensor(data, &[n, i])).transpose()?.flatten();
        let mut gradients = vec![d_x, tensor(d_weight_ih, &[4 * h, i])?];
        gradients.push(tensor(d_weight_hh, &[4 * h, h])?);
        if geometry.biased {
            let d_bias = tensor(d_bias, &[4 * h])?;
            gradients.extend([d_bias.clone(), d_bias]);
        }
        if geometry.stateful {
            gradients.extend([state(d_h_0)?, state(d_c_0)?]);
        }
        Ok(gradients)
    }
}

/// The numbers of a contiguous tensor on the CPU.
fn slice<'a, T: WithDType>((storage, layout): &'a (StorageRef, &Layout)) -> Result<&'a [T]> {
    let (Storage::Cpu(storage), Some((start, end))) = (&**storage, layout.contiguous_offsets())
    else {
        candle_core::bail!("lstm: expected contiguous tensors on the CPU");
    };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}
