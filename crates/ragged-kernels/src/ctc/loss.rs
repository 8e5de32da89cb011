//! The entry point of the loss.

use crate::check::check_len;
use crate::ctc::sequence::Problem;
use crate::error::{Error, Result};
use crate::layer::Element;
use crate::packed_rows::PackedRows;

/// The options of [`ctc_loss`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CtcOptions {
    /// The index of the blank among the classes. Default 0.
    pub blank: usize,
    /// Whether a target that no alignment can produce has a loss and a gradient of zero. Default false: its loss is
    /// infinite, and its gradient NaN.
    pub zero_infinity: bool,
    /// Whether the gradient is computed. Default false.
    pub gradient: bool,
}

/// The result of [`ctc_loss`].
#[derive(Debug, Clone, PartialEq)]
pub struct CtcLoss<T> {
    /// `[B]`: the negative log-likelihood of each target, the longest sequence first.
    pub losses: Vec<T>,
    /// `[N, C]`: the gradient of each sequence's loss with respect to its logits, if it was asked for.
    pub gradient: Option<Vec<T>>,
}

/// Computes the loss of connectionist temporal classification for packed rows of logits `[N, C]`.
///
/// The softmax over the classes is part of the loss. Logits that are log probabilities already give the same result,
/// since their softmax changes nothing. `targets` has the labels of each sequence, the longest sequence first; labels
/// may repeat, and a target may be empty. A sequence has no alignment if it has fewer steps than labels and repetitions
/// of labels together.
///
/// The results are those of `torch.nn.functional.ctc_loss(log_softmax(logits), ..)` with `reduction="none"`, except
/// that errors of rounding do not grow with the magnitude of the loss, since sums are not kept as logarithms. Logits
/// that are NaN or plus infinity, or all minus infinity at some step, make the loss and the gradient of their sequence
/// NaN.
///
/// # Errors
///
/// [`Error::Length`] for logits or targets of another number, [`Error::Size`] for a blank that is not a class, and
/// [`Error::Label`] for a label that is not a class, or is the blank.
///
/// ```
/// use ragged_kernels::{CtcOptions, PackedRows, ctc_loss};
///
/// // One sequence of two steps, with equal probabilities for the blank and two labels.
/// let rows = PackedRows::new(1, &[1, 1])?;
/// let options = CtcOptions { gradient: true, ..Default::default() };
/// let result = ctc_loss(&rows, 3, &[0f32; 6], &[&[1]], options)?;
/// // Three of nine alignments: 11, -1 and 1-.
/// assert!((result.losses[0] - 3f32.ln()).abs() < 1e-6);
/// assert_eq!(result.gradient.unwrap().len(), 6);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
pub fn ctc_loss<T: Element>(
    rows: &PackedRows,
    classes: usize,
    logits: &[T],
    targets: &[&[u32]],
    options: CtcOptions,
) -> Result<CtcLoss<T>> {
    let CtcOptions { blank, zero_infinity, gradient } = options;
    check_classes(rows, classes, logits.len(), blank)?;
    check_len("targets", "B", targets.len(), rows.batch_size())?;
    for (sequence, target) in targets.iter().enumerate() {
        let wrong = |&label: &u32| label as usize >= classes || label as usize == blank;
        if let Some(index) = target.iter().position(wrong) {
            let expected = format!("a class below {classes} other than the blank, {blank}");
            let (name, got) = ("targets", target[index]);
            return Err(Error::Label { name, sequence, index, expected, got });
        }
    }
    let mut losses = vec![T::default(); rows.batch_size()];
    let mut gradient = gradient.then(|| vec![T::default(); logits.len()]);
    let problem = Problem { rows, logits, classes, blank, zero_infinity };
    T::ctc_losses(&problem, targets, &mut losses, gradient.as_deref_mut());
    Ok(CtcLoss { losses, gradient })
}

/// Checks the sizes that the loss and the decoders have in common.
pub(crate) fn check_classes(
    rows: &PackedRows,
    classes: usize,
    logits: usize,
    blank: usize,
) -> Result<()> {
    if classes == 0 {
        return Err(Error::Size { name: "classes", expected: "at least 1", got: 0 });
    }
    if blank >= classes {
        let (name, expected) = ("blank", "a number below the number of classes");
        return Err(Error::Size { name, expected, got: blank });
    }
    check_len("logits", "N x C", logits, rows.rows().saturating_mul(classes))
}
