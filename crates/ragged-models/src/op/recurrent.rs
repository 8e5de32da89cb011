//! One layer and direction as a single candle operation.
//!
//! A long sequence is then a few nodes of the graph instead of several per step: candle's backward
//! pass recurses through the nodes, so an unrolled graph of some thousand steps overflows the stack.
//!
//! The operation reads every tensor in place. It sorts the states of the sequences while it copies
//! them, so that its callers see only their own order.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::Arc;

use candle_core::{CpuStorage, DType, Layout, Shape, StorageRef, Tensor, WithDType, bail};
use ragged_kernels::{
    CellKind, Direction, Element, ForwardOptions, Gradients, Input, OutputGradients, PackedShape,
    PreparedWeights, Tape, Weights, backward, forward, infer, tape_len,
};
use ragged_sequence::PackedLayout;

use crate::op::multi_op::{self, MultiOp};
use crate::op::parameters::CellParameters;
use crate::op::pass::{OpOutput, Pass};
use crate::op::prepared::PreparedCell;
use crate::op::storage::{ELEMENTS, slice};
use crate::op::zoneout::Zoneout;

type Result<T> = candle_core::Result<T>;

/// Runs one layer and direction over the packed rows `x` `[N, I]`.
///
/// The initial states `h_0` `[B, P]` and `c_0` `[B, H]` are in the caller's order, and zero if
/// `None`.
pub(crate) fn recurrent(
    kind: CellKind,
    x: &Tensor,
    parameters: &CellParameters,
    h_0: Option<&Tensor>,
    c_0: Option<&Tensor>,
    pass: &Pass,
) -> Result<OpOutput> {
    let CellParameters { weight_ih, weight_hh, biases, weight_hr, peepholes, .. } = parameters;
    let [ln_ih, ln_hh, ln_c, ln_c_bias] = parameters.layer_norm();
    let biases = biases.as_ref();
    let peephole = |gate: usize| peepholes.as_ref().map(|weights| &weights[gate]);
    let given = [
        (Role::X, Some(x)),
        (Role::WeightIh, Some(weight_ih)),
        (Role::WeightHh, Some(weight_hh)),
        (Role::BiasIh, biases.map(|(ih, _)| ih)),
        (Role::BiasHh, biases.map(|(_, hh)| hh)),
        (Role::WeightHr, weight_hr.as_ref()),
        (Role::WeightCi, peephole(0)),
        (Role::WeightCf, peephole(1)),
        (Role::WeightCo, peephole(2)),
        (Role::LnIhWeight, ln_ih),
        (Role::LnHhWeight, ln_hh),
        (Role::LnCWeight, ln_c),
        (Role::LnCBias, ln_c_bias),
        (Role::H0, h_0),
        (Role::C0, c_0),
        (Role::HiddenMask, pass.recurrent_mask),
        (Role::KeptHidden, pass.zoneout.and_then(|zoneout| zoneout.hidden.rows())),
        (Role::KeptCell, pass.zoneout.and_then(|zoneout| zoneout.cell.rows())),
    ];
    let given = given.into_iter().filter_map(|(role, tensor)| Some((role, tensor?)));
    let (roles, inputs): (Vec<Role>, Vec<&Tensor>) = given.unzip();
    let inputs: Vec<Tensor> = inputs.into_iter().map(Tensor::contiguous).collect::<Result<_>>()?;
    let call = Call {
        kind,
        layout: pass.layout.clone(),
        direction: pass.direction,
        input_size: x.dim(1)?,
        hidden_size: weight_hh.dim(0)? / kind.gates(),
        output_size: weight_hh.dim(1)?,
        cell_states: pass.cell_states && kind.has_cell_state(),
        segment_steps: None,
        final_states_only: pass.final_states_only,
        zoneout: pass.zoneout.cloned(),
        roles,
    };
    let outputs = match x.dtype() {
        DType::F32 => multi_op::apply(RecurrentOp::<f32>::new(call, pass)?, &inputs, pass.record),
        #[cfg(feature = "f64")]
        DType::F64 => multi_op::apply(RecurrentOp::<f64>::new(call, pass)?, &inputs, pass.record),
        dtype => bail!("recurrent layer: expected {ELEMENTS}, got {}", dtype.as_str()),
    }?;
    let mut outputs = outputs.into_iter();
    let (Some(output), Some(h_n)) = (outputs.next(), outputs.next()) else {
        bail!("recurrent layer: too few outputs");
    };
    Ok(OpOutput { output, h_n, c_n: outputs.next(), cell_states: outputs.next() })
}

/// The role of an input tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    X,
    WeightIh,
    WeightHh,
    BiasIh,
    BiasHh,
    WeightHr,
    WeightCi,
    WeightCf,
    WeightCo,
    LnIhWeight,
    LnHhWeight,
    LnCWeight,
    LnCBias,
    H0,
    C0,
    HiddenMask,
    KeptHidden,
    KeptCell,
}

/// The parts of a call that do not depend on the values of the inputs.
struct Call {
    kind: CellKind,
    layout: PackedLayout,
    direction: Direction,
    input_size: usize,
    hidden_size: usize,
    output_size: usize,
    /// Whether the cell states of all steps are an output.
    cell_states: bool,
    /// The steps whose activations are in memory at once; all where `None`.
    segment_steps: Option<NonZeroUsize>,
    /// Whether the hidden states of all steps are not needed.
    final_states_only: bool,
    zoneout: Option<Zoneout>,
    /// The role of each input.
    roles: Vec<Role>,
}

impl Call {
    fn shape(&self) -> Result<PackedShape<'_>> {
        let (h, p) = (self.hidden_size, self.output_size);
        let (b, batch_sizes) = (self.layout.batch_size(), self.layout.batch_sizes());
        PackedShape::new(b, batch_sizes, self.input_size, h, self.direction)
            .and_then(|shape| if p == h { Ok(shape) } else { shape.with_projection(p) })
            .map_err(candle_core::Error::wrap)
    }

    /// The parts of the pass that are in memory.
    fn options(&self) -> ForwardOptions {
        ForwardOptions::default()
            .with_cell_states(self.cell_states)
            .with_recompute(self.segment_steps)
            .with_final_states_only(self.final_states_only && self.segment_steps.is_some())
    }

    /// Reorders states `[B, ..]` from the caller's order into sorted order.
    fn sorted<'a, T: Copy>(&self, states: &'a [T]) -> Cow<'a, [T]> {
        match self.layout.is_sorted() {
            true => Cow::Borrowed(states),
            false => Cow::Owned(self.reordered(states, self.layout.sorted_indices())),
        }
    }

    /// Reorders states `[B, ..]` from sorted order into the caller's order.
    fn unsorted<T: Copy>(&self, states: Vec<T>) -> Vec<T> {
        match self.layout.is_sorted() {
            true => states,
            false => self.reordered(&states, self.layout.unsorted_indices()),
        }
    }

    fn reordered<T: Copy>(&self, states: &[T], order: &[usize]) -> Vec<T> {
        let features = states.len() / order.len().max(1);
        let mut reordered = Vec::with_capacity(states.len());
        for &index in order {
            reordered.extend_from_slice(&states[index * features..][..features]);
        }
        reordered
    }
}

/// The operation.
struct RecurrentOp<T: Element> {
    call: Call,
    prepared: Option<Arc<PreparedWeights<T>>>,
    /// The values that the forward pass saves for the backward pass, which only reads them.
    tape: Option<Tape<T>>,
}

/// The inputs as slices, in the order that the kernels expect.
struct InputSlices<'a, T: Element> {
    weights: Weights<'a, T>,
    x: &'a [T],
    h_0: Option<Cow<'a, [T]>>,
    c_0: Option<Cow<'a, [T]>>,
    hidden_mask: Option<Cow<'a, [T]>>,
    zoneout: Option<ragged_kernels::Zoneout<'a, T>>,
}

impl<T: Element> InputSlices<'_, T> {
    fn input(&self) -> Input<'_, T> {
        let mut input = Input::new(self.x);
        input.h_0 = self.h_0.as_deref();
        input.c_0 = self.c_0.as_deref();
        input.hidden_mask = self.hidden_mask.as_deref();
        input.zoneout = self.zoneout;
        input
    }
}

impl<T: Element + WithDType> RecurrentOp<T> {
    fn new(mut call: Call, pass: &Pass) -> Result<Self> {
        if let Some(recompute) = pass.recompute {
            let with_mask = call.roles.contains(&Role::HiddenMask);
            let shape = call.shape()?;
            let bytes = tape_len::<T>(call.kind, &shape, with_mask) * size_of::<T>();
            let steps = shape.batch_sizes().len();
            call.segment_steps = recompute.segment_steps(steps, shape.rows(), bytes);
        }
        let prepared = pass.prepared.map(PreparedCell::weights).transpose()?;
        let other = prepared.as_ref().is_some_and(|weights: &Arc<_>| weights.cell() != call.kind);
        if other {
            bail!("recurrent layer: expected prepared weights of the same cell");
        }
        Ok(Self { call, prepared, tape: None })
    }

    fn read<'a>(&self, inputs: &'a [(StorageRef<'a>, &'a Layout)]) -> Result<InputSlices<'a, T>> {
        let call = &self.call;
        let find = |role: Role| {
            let at = call.roles.iter().position(|&r| r == role);
            at.map(|at| slice::<T>(&inputs[at])).transpose()
        };
        let sorted = |role: Role| -> Result<Option<Cow<'a, [T]>>> {
            Ok(find(role)?.map(|states| self.call.sorted(states)))
        };
        let (Some(x), Some(weight_ih), Some(weight_hh)) =
            (find(Role::X)?, find(Role::WeightIh)?, find(Role::WeightHh)?)
        else {
            bail!("recurrent layer: too few inputs");
        };
        let mut weights = Weights::new(weight_ih, weight_hh);
        (weights.bias_ih, weights.bias_hh) = (find(Role::BiasIh)?, find(Role::BiasHh)?);
        weights.weight_hr = find(Role::WeightHr)?;
        weights.weight_ci = find(Role::WeightCi)?;
        weights.weight_cf = find(Role::WeightCf)?;
        weights.weight_co = find(Role::WeightCo)?;
        weights.ln_ih_weight = find(Role::LnIhWeight)?;
        weights.ln_hh_weight = find(Role::LnHhWeight)?;
        weights.ln_c_weight = find(Role::LnCWeight)?;
        weights.ln_c_bias = find(Role::LnCBias)?;
        let (h_0, c_0) = (sorted(Role::H0)?, sorted(Role::C0)?);
        let (kept_hidden, kept_cell) = (find(Role::KeptHidden)?, find(Role::KeptCell)?);
        let zoneout = call.zoneout.as_ref().map(|kept| {
            let zoneout = ragged_kernels::Zoneout::new(kept.hidden.of(kept_hidden));
            match call.kind.has_cell_state() {
                true => zoneout.with_cell(kept.cell.of(kept_cell)),
                false => zoneout,
            }
        });
        Ok(InputSlices { weights, x, h_0, c_0, hidden_mask: sorted(Role::HiddenMask)?, zoneout })
    }
}

impl<T: Element + WithDType> MultiOp for RecurrentOp<T> {
    fn name(&self) -> &'static str {
        "recurrent"
    }

    fn forward(&mut self, inputs: &[Tensor], record: bool) -> Result<Vec<(CpuStorage, Shape)>> {
        let (call, shape) = (&self.call, self.call.shape()?);
        let options = call.options();
        let (n, b) = (call.layout.rows(), call.layout.batch_size());
        let (h, p) = (call.hidden_size, call.output_size);
        let inputs: Vec<_> = inputs.iter().map(Tensor::storage_and_layout).collect();
        let read = self.read(&inputs)?;
        let (kind, weights, input) = (call.kind, &read.weights, &read.input());
        let result = match (record, &self.prepared) {
            (true, _) => forward(kind, &shape, weights, input, options)
                .map(|(result, tape)| (result, Some(tape))),
            (false, None) => {
                infer(kind, &shape, weights, input, options).map(|result| (result, None))
            }
            (false, Some(prepared)) => {
                prepared.infer(&shape, input, options).map(|result| (result, None))
            }
        };
        let (result, tape) = result.map_err(candle_core::Error::wrap)?;
        let rows = if options.final_states_only { 0 } else { n };
        let mut outputs = vec![(result.output, (rows, p)), (call.unsorted(result.h_n), (b, p))];
        outputs.extend(result.c_n.map(|c_n| (call.unsorted(c_n), (b, h))));
        outputs.extend(result.cell_states.map(|cells| (cells, (n, h))));
        self.tape = tape;
        let storage =
            |(data, dims): (Vec<T>, _)| (T::to_cpu_storage_owned(data), Shape::from(dims));
        Ok(outputs.into_iter().map(storage).collect())
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        outputs: &[Tensor],
        cotangents: &[Option<Tensor>],
        wanted: &[bool],
    ) -> Result<Vec<Option<Tensor>>> {
        let (call, shape) = (&self.call, self.call.shape()?);
        let (Some(tape), Some(output)) = (&self.tape, outputs.first()) else {
            bail!("recurrent layer: the forward pass did not record gradients");
        };
        let asked = |role: Role| call.roles.iter().zip(wanted).any(|(&r, &w)| w && r == role);
        let mut wanted = Gradients::default();
        wanted.x = asked(Role::X);
        wanted.weight_ih = asked(Role::WeightIh);
        wanted.weight_hh = asked(Role::WeightHh);
        wanted.bias_ih = asked(Role::BiasIh);
        wanted.bias_hh = asked(Role::BiasHh);
        wanted.weight_hr = asked(Role::WeightHr);
        wanted.weight_ci = asked(Role::WeightCi);
        wanted.weight_cf = asked(Role::WeightCf);
        wanted.weight_co = asked(Role::WeightCo);
        wanted.ln_ih_weight = asked(Role::LnIhWeight);
        wanted.ln_hh_weight = asked(Role::LnHhWeight);
        wanted.ln_c_weight = asked(Role::LnCWeight);
        wanted.ln_c_bias = asked(Role::LnCBias);
        wanted.h_0 = asked(Role::H0);
        wanted.c_0 = asked(Role::C0);
        let contiguous = |tensor: &Option<Tensor>| tensor.as_ref().map(Tensor::contiguous);
        let cotangents: Vec<Option<Tensor>> =
            cotangents.iter().map(|t| contiguous(t).transpose()).collect::<Result<_>>()?;
        let cotangents: Vec<_> =
            cotangents.iter().map(|t| t.as_ref().map(Tensor::storage_and_layout)).collect();
        let given = |at: usize| -> Result<Option<&[T]>> {
            cotangents.get(at).and_then(Option::as_ref).map(slice).transpose()
        };
        let state = |at: usize| Ok::<_, candle_core::Error>(given(at)?.map(|d| call.sorted(d)));
        let (h_n, c_n) = (state(1)?, state(2)?);
        let mut output_gradients = OutputGradients::default();
        (output_gradients.output, output_gradients.cell_states) = (given(0)?, given(3)?);
        (output_gradients.h_n, output_gradients.c_n) = (h_n.as_deref(), c_n.as_deref());
        let storages: Vec<_> = inputs.iter().map(Tensor::storage_and_layout).collect();
        let read = self.read(&storages)?;
        let output = output.storage_and_layout();
        let (weights, input, output) = (&read.weights, &read.input(), slice(&output)?);
        let mut found = backward(&shape, weights, input, output, tape, &output_gradients, &wanted)
            .map_err(candle_core::Error::wrap)?;
        let tensor = |(role, input): (&Role, &Tensor)| {
            let data = match role {
                Role::X => found.x.take(),
                Role::WeightIh => found.weight_ih.take(),
                Role::WeightHh => found.weight_hh.take(),
                Role::BiasIh => found.bias_ih.take(),
                Role::BiasHh => found.bias_hh.take(),
                Role::WeightHr => found.weight_hr.take(),
                Role::WeightCi => found.weight_ci.take(),
                Role::WeightCf => found.weight_cf.take(),
                Role::WeightCo => found.weight_co.take(),
                Role::LnIhWeight => found.ln_ih_weight.take(),
                Role::LnHhWeight => found.ln_hh_weight.take(),
                Role::LnCWeight => found.ln_c_weight.take(),
                Role::LnCBias => found.ln_c_bias.take(),
                Role::H0 => found.h_0.take().map(|h_0| call.unsorted(h_0)),
                Role::C0 => found.c_0.take().map(|c_0| call.unsorted(c_0)),
                // Masks are random, not parameters.
                Role::HiddenMask | Role::KeptHidden | Role::KeptCell => None,
            };
            data.map(|data| Tensor::from_vec(data, input.shape(), input.device())).transpose()
        };
        call.roles.iter().zip(inputs).map(tensor).collect()
    }
}
