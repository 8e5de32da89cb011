//! The loss of connectionist temporal classification, as an operation in candle's graph.

use std::marker::PhantomData;
use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor, WithDType, bail};
use ragged_kernels::{CtcLoss, Element, PackedRows};
use ragged_sequence::{PackedLayout, PackedSequence};

use crate::error::{Error, Result};

/// How the losses of the sequences become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CtcReduction {
    /// `[B]`: the loss of each sequence, in the caller's order.
    None,
    /// The mean over the sequences of the loss divided by the number of labels, or by one for an empty target: the
    /// default, as in PyTorch.
    #[default]
    Mean,
    /// The sum over the sequences.
    Sum,
}

/// The options of [`ctc_loss`], with PyTorch's names and defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CtcOptions {
    /// The index of the blank among the classes. Default 0.
    pub blank: usize,
    /// Whether a target that no alignment can produce has a loss and a gradient of zero. Default false: its loss is
    /// infinite, and its gradient NaN.
    pub zero_infinity: bool,
    /// Default [`CtcReduction::Mean`].
    pub reduction: CtcReduction,
}

/// Returns the negative log-likelihood of target label sequences under packed logits `[N, C]`, summed over all
/// alignments (Graves et al. 2006).
///
/// It is `torch.nn.functional.ctc_loss` of the logits' log-softmax, which is part of the operation; log probabilities
/// may be given instead of logits. `targets` has the labels of each sequence, in the caller's order, without blanks.
/// See [`ragged_kernels::ctc_loss`] for the details, and [`ragged_kernels::ctc_beam_search`] for decoding.
///
/// # Errors
///
/// [`Error::Rank`] for logits without classes; errors from candle, which contain those of the kernels: for a label that
/// is not a class, with the sorted position of its sequence, and for a dtype other than `f32` and `f64`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::pack_sequence;
/// use ragged_train::objective::{CtcOptions, ctc_loss};
///
/// // Two steps, with equal probabilities for the blank and two labels.
/// let logits = pack_sequence(&[Tensor::new(&[[0f32; 3]; 2], &Device::Cpu)?], false)?;
/// let loss = ctc_loss(&logits, &[vec![1]], CtcOptions::default())?;
/// // Three of nine alignments: 11, -1 and 1-.
/// assert!((loss.to_scalar::<f32>()? - 3f32.ln()).abs() < 1e-6);
/// # Ok::<(), ragged_train::Error>(())
/// ```
pub fn ctc_loss(
    logits: &PackedSequence,
    targets: &[Vec<u32>],
    options: CtcOptions,
) -> Result<Tensor> {
    let layout = logits.layout();
    if targets.len() != layout.batch_size() {
        let (expected, got) = (vec![layout.batch_size()], vec![targets.len()]);
        return Err(Error::Shape { name: "targets".into(), expected, got });
    }
    let &[_, classes] = logits.data().dims() else {
        let got = logits.data().dims().to_vec();
        return Err(Error::Rank { name: "logits", expected: 2, got });
    };
    let data = logits.data().contiguous()?;
    let targets: Vec<Vec<u32>> =
        layout.sorted_indices().iter().map(|&index| targets[index].clone()).collect();
    let lengths: Vec<f64> = targets.iter().map(|target| target.len().max(1) as f64).collect();
    let gradient = data.track_op();
    let kernel = ragged_kernels::CtcOptions {
        blank: options.blank,
        zero_infinity: options.zero_infinity,
        gradient,
    };
    let losses = match data.dtype() {
        DType::F32 => data.apply_op1(Op::<f32>::new(layout, classes, targets, kernel))?,
        #[cfg(feature = "f64")]
        DType::F64 => data.apply_op1(Op::<f64>::new(layout, classes, targets, kernel))?,
        dtype => return Err(candle_core::Error::UnsupportedDTypeForOp(dtype, "ctc_loss").into()),
    };
    Ok(match options.reduction {
        CtcReduction::None => {
            let index: Vec<u32> = layout.unsorted_indices().iter().map(|&i| i as u32).collect();
            let index = Tensor::from_vec(index, layout.batch_size(), losses.device())?;
            losses.index_select(&index, 0)?
        }
        CtcReduction::Sum => losses.sum_all()?,
        CtcReduction::Mean => {
            let lengths = Tensor::from_vec(lengths, layout.batch_size(), losses.device())?;
            (losses / lengths.to_dtype(data.dtype())?)?.mean_all()?
        }
    })
}

/// The losses `[B]` in sorted order, of logits `[N, C]`.
struct Op<T> {
    layout: PackedLayout,
    classes: usize,
    /// In sorted order.
    targets: Vec<Vec<u32>>,
    options: ragged_kernels::CtcOptions,
    /// `[N, C]`: the gradient of each sequence's loss, computed in the forward pass.
    gradient: OnceLock<Vec<T>>,
    element: PhantomData<T>,
}

impl<T> Op<T> {
    fn new(
        layout: &PackedLayout,
        classes: usize,
        targets: Vec<Vec<u32>>,
        options: ragged_kernels::CtcOptions,
    ) -> Self {
        let (layout, gradient) = (layout.clone(), OnceLock::new());
        Self { layout, classes, targets, options, gradient, element: PhantomData }
    }
}

impl<T: Element + WithDType> CustomOp1 for Op<T> {
    fn name(&self) -> &'static str {
        "ctc_loss"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("ctc_loss: expected contiguous logits");
        };
        let logits = &T::cpu_storage_as_slice(logits)?[start..end];
        let targets: Vec<&[u32]> = self.targets.iter().map(Vec::as_slice).collect();
        let run = || -> std::result::Result<CtcLoss<T>, ragged_kernels::Error> {
            let rows = PackedRows::new(self.layout.batch_size(), self.layout.batch_sizes())?;
            ragged_kernels::ctc_loss(&rows, self.classes, logits, &targets, self.options)
        };
        let CtcLoss { losses, gradient } = run().map_err(|mut error| {
            // The kernels count sequences in sorted order.
            if let ragged_kernels::Error::Label { sequence, .. } = &mut error {
                *sequence = self.layout.sorted_indices()[*sequence];
            }
            candle_core::Error::wrap(error)
        })?;
        if let Some(gradient) = gradient {
            self.gradient.get_or_init(|| gradient);
        }
        let count = losses.len();
        Ok((T::to_cpu_storage_owned(losses), count.into()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        _: &Tensor,
        cotangent: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let Some(gradient) = self.gradient.get() else {
            bail!("ctc_loss: backward pass without a gradient of the forward pass");
        };
        let cotangent = cotangent.to_vec1::<T>()?;
        let mut scaled = Vec::with_capacity(gradient.len());
        let mut rows = gradient.chunks_exact(self.classes);
        for &running in self.layout.batch_sizes() {
            for (&cotangent, row) in cotangent[..running].iter().zip(&mut rows) {
                scaled.extend(row.iter().map(|&value| value * cotangent));
            }
        }
        Tensor::from_vec(scaled, logits.dims(), logits.device()).map(Some)
    }
}
