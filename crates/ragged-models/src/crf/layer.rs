//! The layer.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Init, VarBuilder};
use ragged_kernels::{CrfPaths, Element, crf_marginals, crf_viterbi};
use ragged_sequence::{PackedLayout, PackedSequence};

use crate::crf::constraints::CrfConstraints;
use crate::error::{Error, Result};
use crate::op::crf::{crf_loss, with_slices};
use crate::op::storage::ELEMENTS;

/// A linear-chain conditional random field over C tags (Lafferty, McCallum and Pereira 2001), with the parameters of
/// the package `pytorch-crf`: `transitions` `[C, C]`, from the row's tag to the column's, `start_transitions` and
/// `end_transitions` `[C]`.
///
/// It takes emissions `[N, C]`, such as the outputs of a linear head at each step, and scores whole paths of tags. Its
/// arithmetic is that of [`ragged_kernels`]; results of a sequence do not depend on the other sequences.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Crf, CrfConstraints, Parameters};
/// use ragged_sequence::pack_sequence;
///
/// let parameters = Parameters::new(1);
/// let vb = parameters.builder(DType::F32, &Device::Cpu);
/// let crf = Crf::new(3, vb.pp("crf"))?.with_constraints(CrfConstraints::bio(&["O", "B-X", "I-X"]))?;
///
/// let emissions = Tensor::new(&[[0f32, 0.0, 9.0], [0.0, 0.0, 9.0]], &Device::Cpu)?;
/// let emissions = pack_sequence(&[emissions], false)?;
/// // The second tag must come before the third.
/// assert_eq!(crf.decode(&emissions)?[0].0, [1, 2]);
/// let losses = crf.negative_log_likelihood(&emissions, &[vec![1, 2]])?;
/// assert!(losses.to_vec1::<f32>()?[0] < 0.1);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Crf {
    transitions: Tensor,
    start_transitions: Tensor,
    end_transitions: Tensor,
    constraints: CrfConstraints,
}

impl Crf {
    /// Takes the parameters from `vb`; new ones are drawn from U(-0.1, 0.1), as in `pytorch-crf`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for no tags; errors from candle if `vb` does not have the parameters.
    pub fn new(tags: usize, vb: VarBuilder) -> Result<Self> {
        if tags == 0 {
            let (name, expected) = ("tags", "at least 1".into());
            return Err(Error::Config { name, expected, got: "0".into() });
        }
        let init = Init::Uniform { lo: -0.1, up: 0.1 };
        Ok(Self {
            transitions: vb.get_with_hints((tags, tags), "transitions", init)?,
            start_transitions: vb.get_with_hints(tags, "start_transitions", init)?,
            end_transitions: vb.get_with_hints(tags, "end_transitions", init)?,
            constraints: CrfConstraints::none(tags),
        })
    }

    /// Returns the layer with forbidden transitions, and the same parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for constraints of another number of tags.
    pub fn with_constraints(self, constraints: CrfConstraints) -> Result<Self> {
        if constraints.tags() != self.tags() {
            let (name, expected) = ("tags of the constraints", self.tags().to_string());
            return Err(Error::Config { name, expected, got: constraints.tags().to_string() });
        }
        Ok(Self { constraints, ..self })
    }

    /// Returns C, the number of tags.
    pub fn tags(&self) -> usize {
        self.constraints.tags()
    }

    /// Returns the forbidden transitions.
    pub fn constraints(&self) -> &CrfConstraints {
        &self.constraints
    }

    /// Returns the negative log-likelihood `[B]` of the tags of each sequence, in the caller's order: an operation that
    /// can be differentiated with respect to the emissions and the parameters. It is zero for sequences without steps.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for emissions or tags of another number, [`Error::Tag`] for tags that do not exist or are
    /// forbidden.
    pub fn negative_log_likelihood(
        &self,
        emissions: &PackedSequence,
        tags: &[Vec<u32>],
    ) -> Result<Tensor> {
        let (layout, inputs) = (emissions.layout(), self.inputs(emissions)?);
        let lengths = layout.lengths();
        let got: Vec<usize> = tags.iter().map(Vec::len).collect();
        if got != lengths {
            return Err(Error::Shape { name: "tags", expected: lengths, got });
        }
        for (sequence, tags) in tags.iter().enumerate() {
            self.check_path(sequence, tags)?;
        }
        let packed = layout.positions().map(|(sequence, step)| tags[sequence][step]).collect();
        let losses = crf_loss(layout, &inputs, packed)?;
        let index: Vec<u32> = layout.unsorted_indices().iter().map(|&i| i as u32).collect();
        let index = Tensor::from_vec(index, layout.batch_size(), &Device::Cpu)?;
        Ok(losses.index_select(&index, 0)?)
    }

    /// Returns the best path of each sequence and its score, in the caller's order (Viterbi 1967).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for emissions of another number of tags.
    pub fn decode(&self, emissions: &PackedSequence) -> Result<Vec<(Vec<u32>, f64)>> {
        let (layout, inputs) = (emissions.layout(), self.inputs(emissions)?);
        match inputs[0].dtype() {
            #[cfg(feature = "f64")]
            DType::F64 => best_paths::<f64>(layout, &inputs),
            _ => best_paths::<f32>(layout, &inputs),
        }
    }

    /// Returns the posterior probabilities of the tags at each step, given all emissions of the sequence. They are
    /// not part of candle's graph.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for emissions of another number of tags.
    pub fn marginals(&self, emissions: &PackedSequence) -> Result<PackedSequence> {
        let (layout, inputs) = (emissions.layout(), self.inputs(emissions)?);
        let dims = inputs[0].dims();
        let data = match inputs[0].dtype() {
            #[cfg(feature = "f64")]
            DType::F64 => {
                let values = with_slices(layout, &inputs, crf_marginals::<f64>)?;
                Tensor::from_vec(values, dims, &Device::Cpu)?
            }
            _ => {
                let values = with_slices(layout, &inputs, crf_marginals::<f32>)?;
                Tensor::from_vec(values, dims, &Device::Cpu)?
            }
        };
        Ok(PackedSequence::from_layout(data, layout.clone())?)
    }

    /// Returns a copy with parameters of its own, without gradients.
    pub(crate) fn copy(&self) -> Result<Self> {
        let copy = |parameter: &Tensor| parameter.copy().map(|copy| copy.detach());
        Ok(Self {
            transitions: copy(&self.transitions)?,
            start_transitions: copy(&self.start_transitions)?,
            end_transitions: copy(&self.end_transitions)?,
            constraints: self.constraints.clone(),
        })
    }

    /// The emissions and the parameters, with minus infinity where a transition is forbidden.
    fn inputs(&self, emissions: &PackedSequence) -> Result<[Tensor; 4]> {
        let data = emissions.data();
        let (rows, tags) = (emissions.layout().rows(), self.tags());
        if data.dims() != [rows, tags] {
            let (expected, got) = (vec![rows, tags], data.dims().to_vec());
            return Err(Error::Shape { name: "emissions", expected, got });
        }
        let dtype = self.transitions.dtype();
        let supported = dtype == DType::F32 || cfg!(feature = "f64") && dtype == DType::F64;
        if data.dtype() != dtype || !supported {
            let (name, expected) =
                ("dtype of the emissions", "the parameters' dtype, ".to_string());
            let got = format!("{:?}", data.dtype());
            return Err(Error::Config { name, expected: expected + ELEMENTS, got });
        }
        let masked = |parameter: &Tensor, forbidden: &[bool]| -> Result<Tensor> {
            if !forbidden.contains(&true) {
                return Ok(parameter.contiguous()?);
            }
            let mask = forbidden.iter().map(|&no| if no { f64::NEG_INFINITY } else { 0.0 });
            let mask = Tensor::from_iter(mask, &Device::Cpu)?.reshape(parameter.dims())?;
            Ok((parameter + mask.to_dtype(dtype)?)?)
        };
        let CrfConstraints { transitions, start, end, .. } = &self.constraints;
        Ok([
            data.contiguous()?,
            masked(&self.transitions, transitions)?,
            masked(&self.start_transitions, start)?,
            masked(&self.end_transitions, end)?,
        ])
    }

    /// Checks that a path exists and is allowed.
    fn check_path(&self, sequence: usize, tags: &[u32]) -> Result<()> {
        let mut before: Option<u32> = None;
        for (step, &got) in tags.iter().enumerate() {
            let tag = got as usize;
            let allowed = match before {
                _ if tag >= self.tags() => false,
                None => self.constraints.allows_start(tag),
                Some(before) => self.constraints.allows(before as usize, tag),
            };
            if !allowed {
                return Err(Error::Tag { sequence, step, tags: self.tags(), before, got });
            }
            before = Some(got);
        }
        Ok(())
    }
}

fn best_paths<T: Element + candle_core::WithDType>(
    layout: &PackedLayout,
    inputs: &[Tensor],
) -> Result<Vec<(Vec<u32>, f64)>> {
    let CrfPaths { tags, scores } = with_slices(layout, inputs, crf_viterbi::<T>)?;
    let scores =
        layout.unsorted_indices().iter().map(|&b| candle_core::WithDType::to_f64(scores[b]));
    let mut paths: Vec<(Vec<u32>, f64)> = scores.map(|score| (vec![], score)).collect();
    for ((sequence, _), tag) in layout.positions().zip(tags) {
        paths[sequence].0.push(tag);
    }
    Ok(paths)
}
