//! One layer and direction as one candle operation, so that a long sequence is one node of the
//! graph and not one per step (candle's backward pass recurses through the nodes).
//!
//! An operation takes at most three tensors and returns one, so the weights travel flat, and the
//! two final states lie behind the output's rows.

use std::sync::{Mutex, PoisonError};

use candle_core::{
    CpuStorage, CustomOp3, DType, Layout, Shape, Storage, StorageRef, Tensor, WithDType,
};
use ragged_kernels::{
    Direction, Element, LstmCotangents, LstmGradients, LstmInput, LstmOutput, LstmTape,
    LstmWeights, PackedShape, lstm_backward, lstm_forward, lstm_infer,
};
use ragged_sequence::PackedLayout;

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

impl Weights {
    fn flat(&self) -> Result<Tensor> {
        let mut parts = vec![self.weight_ih.flatten_all()?, self.weight_hh.flatten_all()?];
        if let Some((ih, hh)) = &self.biases {
            parts.extend([ih.clone(), hh.clone()]);
        }
        Tensor::cat(&parts, 0)
    }
}

/// What a layer and direction returns, in sorted order.
pub(crate) struct Outcome {
    /// `[N, H]`.
    pub(crate) output: Tensor,
    /// `[B, H]`.
    pub(crate) h_n: Tensor,
    /// `[B, H]`.
    pub(crate) c_n: Tensor,
}

/// Runs one layer and direction: `x` `[N, I]`, `state` `[2, B, H]` (hidden, then cell), in sorted
/// order. `record` says whether the result is to be differentiated.
pub(crate) fn lstm(
    x: &Tensor,
    layout: &PackedLayout,
    weights: &Weights,
    state: &Tensor,
    direction: Direction,
    record: bool,
) -> Result<Outcome> {
    let packed = match x.dtype() {
        DType::F32 => apply::<f32>(x, layout, weights, state, direction, record),
        DType::F64 => apply::<f64>(x, layout, weights, state, direction, record),
        dtype => candle_core::bail!("lstm: expected f32 or f64, got {}", dtype.as_str()),
    }?;
    let (n, b) = (layout.rows(), layout.batch_size());
    Ok(Outcome {
        output: packed.narrow(0, 0, n)?,
        h_n: packed.narrow(0, n, b)?,
        c_n: packed.narrow(0, n + b, b)?,
    })
}

fn apply<T: Element + WithDType>(
    x: &Tensor,
    layout: &PackedLayout,
    weights: &Weights,
    state: &Tensor,
    direction: Direction,
    record: bool,
) -> Result<Tensor> {
    let (x, flat, state) = (x.contiguous()?, weights.flat()?, state.contiguous()?);
    let record = record && (x.track_op() || flat.track_op() || state.track_op());
    let op = LstmOp::<T> {
        layout: layout.clone(),
        direction,
        input_size: x.dim(1)?,
        hidden_size: state.dim(2)?,
        biased: weights.biases.is_some(),
        record,
        tape: Mutex::new(None),
    };
    if record { x.apply_op3(&flat, &state, op) } else { x.apply_op3_no_bwd(&flat, &state, &op) }
}

struct LstmOp<T: Element> {
    layout: PackedLayout,
    direction: Direction,
    input_size: usize,
    hidden_size: usize,
    biased: bool,
    record: bool,
    /// Filled by the forward pass and only read by the backward pass, which may run twice.
    tape: Mutex<Option<LstmTape<T>>>,
}

impl<T: Element + WithDType> LstmOp<T> {
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

    /// Takes the flat weights apart.
    fn weights<'a>(&self, flat: &'a [T]) -> LstmWeights<'a, T> {
        let (i, h) = (self.input_size, self.hidden_size);
        let (weight_ih, rest) = flat.split_at(4 * h * i);
        let (weight_hh, biases) = rest.split_at(4 * h * h);
        let (ih, hh) = biases.split_at(biases.len() / 2);
        let (bias_ih, bias_hh) = if self.biased { (Some(ih), Some(hh)) } else { (None, None) };
        LstmWeights { weight_ih, weight_hh, bias_ih, bias_hh }
    }
}

impl<T: Element + WithDType> CustomOp3 for LstmOp<T> {
    fn name(&self) -> &'static str {
        "ragged-lstm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        state: &CpuStorage,
        state_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, b, h) = (self.layout.rows(), self.layout.batch_size(), self.hidden_size);
        let shape = self.shape()?;
        let weights = self.weights(slice(weights, weights_layout)?);
        let (h_0, c_0) = slice(state, state_layout)?.split_at(b * h);
        let input = LstmInput { x: slice(x, x_layout)?, h_0, c_0 };
        let mut packed = vec![T::default(); (n + 2 * b) * h];
        let (output, states) = packed.split_at_mut(n * h);
        let (h_n, c_n) = states.split_at_mut(b * h);
        let output = LstmOutput { output, h_n, c_n };
        if self.record {
            let tape = lstm_forward(&shape, &weights, &input, output);
            let tape = tape.map_err(candle_core::Error::wrap)?;
            *self.tape.lock().unwrap_or_else(PoisonError::into_inner) = Some(tape);
        } else {
            lstm_infer(&shape, &weights, &input, output).map_err(candle_core::Error::wrap)?;
        }
        Ok((T::to_cpu_storage_owned(packed), (n + 2 * b, h).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        state: &Tensor,
        packed: &Tensor,
        cotangent: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n, b) = (self.layout.rows(), self.layout.batch_size());
        let (i, h) = (self.input_size, self.hidden_size);
        let tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tape) = tape.as_ref() else {
            candle_core::bail!("lstm: no forward pass was recorded");
        };
        let mut d_x = x.track_op().then(|| vec![T::default(); n * i]);
        let mut d_weights = vec![T::default(); weights.elem_count()];
        let mut d_state = vec![T::default(); 2 * b * h];
        {
            let (d_ih, rest) = d_weights.split_at_mut(4 * h * i);
            let (d_hh, d_biases) = rest.split_at_mut(4 * h * h);
            // Without biases their common gradient is computed beside and dropped.
            let mut unused = vec![T::default(); if self.biased { 0 } else { 4 * h }];
            let d_bias = if self.biased { &mut d_biases[..4 * h] } else { &mut unused[..] };
            let (d_h_0, d_c_0) = d_state.split_at_mut(b * h);
            let gradients = LstmGradients {
                x: d_x.as_deref_mut(),
                weight_ih: d_ih,
                weight_hh: d_hh,
                bias: d_bias,
                h_0: Some(d_h_0),
                c_0: Some(d_c_0),
            };
            let cotangent = cotangent.contiguous()?;
            let tensors = [x, weights, state, packed, &cotangent];
            let guards = tensors.map(|tensor| tensor.storage_and_layout());
            let [x, weights, state, packed, cotangent] = &guards;
            let weights = self.weights(view(weights)?);
            let (h_0, c_0) = view(state)?.split_at(b * h);
            let input = LstmInput { x: view(x)?, h_0, c_0 };
            let output = &view(packed)?[..n * h];
            let (d_output, d_states) = view(cotangent)?.split_at(n * h);
            let (d_h_n, d_c_n) = d_states.split_at(b * h);
            let cotangents =
                LstmCotangents { output: Some(d_output), h_n: Some(d_h_n), c_n: Some(d_c_n) };
            let shape = self.shape()?;
            lstm_backward(&shape, &weights, &input, output, tape, &cotangents, gradients)
                .map_err(candle_core::Error::wrap)?;
            if self.biased {
                let (ih, hh) = d_biases.split_at_mut(4 * h);
                hh.copy_from_slice(ih);
            }
        }
        let device = x.device();
        Ok((
            d_x.map(|d| Tensor::from_vec(d, (n, i), device)).transpose()?,
            Some(Tensor::from_vec(d_weights, weights.dims(), device)?),
            state
                .track_op()
                .then(|| Tensor::from_vec(d_state, state.dims(), device))
                .transpose()?,
        ))
    }
}

fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("lstm: expected contiguous tensors");
    };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}

fn view<'a, T: WithDType>((storage, layout): &'a (StorageRef, &Layout)) -> Result<&'a [T]> {
    match &**storage {
        Storage::Cpu(storage) => slice(storage, layout),
        _ => candle_core::bail!("lstm: the backward pass runs on the CPU alone"),
    }
}
