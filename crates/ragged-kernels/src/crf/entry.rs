//! The entry points.

use crate::check::check_len;
use crate::crf::potentials::CrfWeights;
use crate::crf::sequence::{CrfGradientsMut, Problem};
use crate::error::{Error, Result};
use crate::layer::Element;
use crate::packed_rows::PackedRows;

/// The result of [`crf_gradients`].
#[derive(Debug, Clone, PartialEq)]
pub struct CrfGradients<T> {
    /// `[N, C]`.
    pub emissions: Vec<T>,
    /// `[C, C]`.
    pub transitions: Vec<T>,
    /// `[C]`.
    pub start: Vec<T>,
    /// `[C]`.
    pub end: Vec<T>,
}

/// The result of [`crf_viterbi`].
#[derive(Debug, Clone, PartialEq)]
pub struct CrfPaths<T> {
    /// `[N]`: the tags of the best paths, in packed rows.
    pub tags: Vec<u32>,
    /// `[B]`: the scores of the best paths, the longest sequence first.
    pub scores: Vec<T>,
}

/// Returns the negative log-likelihood `[B]` of the tags `[N]` of each sequence given its emissions `[N, C]`, the
/// longest sequence first.
///
/// The loss of a sequence without steps is zero. That of a path with a forbidden transition is infinite; if all paths
/// are forbidden, or an argument is NaN or plus infinity, it is NaN.
///
/// # Errors
///
/// [`Error::Length`] for an argument that does not fit the number of tags, [`Error::Size`] for no tags,
/// [`Error::Label`] for a tag that does not exist.
///
/// ```
/// use ragged_kernels::{CrfWeights, PackedRows, crf_losses};
///
/// // One sequence of two steps, two tags, of which the second never follows itself.
/// let rows = PackedRows::new(1, &[1, 1])?;
/// let transitions = [0f32, 0.0, 0.0, f32::NEG_INFINITY];
/// let weights = CrfWeights { transitions: &transitions, start: &[0.0; 2], end: &[0.0; 2] };
/// let losses = crf_losses(&rows, &weights, &[0.0; 4], &[1, 0])?;
/// // One of three paths.
/// assert!((losses[0] - 3f32.ln()).abs() < 1e-6);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
pub fn crf_losses<T: Element>(
    rows: &PackedRows,
    weights: &CrfWeights<T>,
    emissions: &[T],
    tags: &[u32],
) -> Result<Vec<T>> {
    let problem = problem(rows, weights, emissions)?;
    check_tags(rows, weights, tags)?;
    let mut losses = vec![T::default(); rows.batch_size()];
    T::crf_losses(&problem, tags, &mut losses);
    Ok(losses)
}

/// Returns the gradients of the sum of the [losses](crf_losses), each multiplied by its weight in `loss_weights` `[B]`.
///
/// The gradient with respect to the emissions of a sequence does not depend on the other sequences. The gradients with
/// respect to the parameters are sums over the sequences in a fixed order.
///
/// # Errors
///
/// As [`crf_losses`].
///
/// ```
/// use ragged_kernels::{CrfWeights, PackedRows, crf_gradients};
///
/// let rows = PackedRows::new(1, &[1, 1])?;
/// let weights = CrfWeights { transitions: &[0f32; 4], start: &[0.0; 2], end: &[0.0; 2] };
/// let gradients = crf_gradients(&rows, &weights, &[0.0; 4], &[1, 0], &[1.0])?;
/// // The probability of the transition, less one where it is the tags'.
/// assert_eq!(gradients.transitions, [0.25, 0.25, -0.75, 0.25]);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
pub fn crf_gradients<T: Element>(
    rows: &PackedRows,
    weights: &CrfWeights<T>,
    emissions: &[T],
    tags: &[u32],
    loss_weights: &[T],
) -> Result<CrfGradients<T>> {
    let problem = problem(rows, weights, emissions)?;
    check_tags(rows, weights, tags)?;
    check_len("loss_weights", "B", loss_weights.len(), rows.batch_size())?;
    let zeros = |len: usize| vec![T::default(); len];
    let classes = weights.start.len();
    let mut gradients = CrfGradients {
        emissions: zeros(emissions.len()),
        transitions: zeros(classes * classes),
        start: zeros(classes),
        end: zeros(classes),
    };
    let CrfGradients { emissions, transitions, start, end } = &mut gradients;
    let into = CrfGradientsMut { emissions, transitions, start, end };
    T::crf_gradients(&problem, tags, loss_weights, into);
    Ok(gradients)
}

/// Returns the posterior probabilities `[N, C]` of the tags of each step, given all emissions of its sequence.
///
/// # Errors
///
/// As [`crf_losses`].
///
/// ```
/// use ragged_kernels::{CrfWeights, PackedRows, crf_marginals};
///
/// let rows = PackedRows::new(1, &[1, 1])?;
/// let transitions = [0f32, 0.0, 0.0, f32::NEG_INFINITY];
/// let weights = CrfWeights { transitions: &transitions, start: &[0.0; 2], end: &[0.0; 2] };
/// let marginals = crf_marginals(&rows, &weights, &[0.0; 4])?;
/// assert!((marginals[0] - 2.0 / 3.0).abs() < 1e-6);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
pub fn crf_marginals<T: Element>(
    rows: &PackedRows,
    weights: &CrfWeights<T>,
    emissions: &[T],
) -> Result<Vec<T>> {
    let problem = problem(rows, weights, emissions)?;
    let mut marginals = vec![T::default(); emissions.len()];
    T::crf_marginals(&problem, &mut marginals);
    Ok(marginals)
}

/// Returns the path with the highest score for each sequence, by the algorithm of Viterbi.
///
/// Of paths with equal scores, it is the one with the smaller tag at the last step where they differ.
///
/// # Errors
///
/// As [`crf_losses`].
///
/// ```
/// use ragged_kernels::{CrfWeights, PackedRows, crf_viterbi};
///
/// let rows = PackedRows::new(1, &[1, 1])?;
/// let transitions = [0f32, 0.0, 0.0, f32::NEG_INFINITY];
/// let weights = CrfWeights { transitions: &transitions, start: &[0.0; 2], end: &[0.0; 2] };
/// let paths = crf_viterbi(&rows, &weights, &[0.0, 3.0, 0.0, 2.0])?;
/// assert_eq!((paths.tags, paths.scores), (vec![1, 0], vec![3.0]));
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
pub fn crf_viterbi<T: Element>(
    rows: &PackedRows,
    weights: &CrfWeights<T>,
    emissions: &[T],
) -> Result<CrfPaths<T>> {
    let problem = problem(rows, weights, emissions)?;
    let mut tags = vec![0; rows.rows()];
    let mut scores = vec![T::default(); rows.batch_size()];
    T::crf_best_paths(&problem, &mut tags, &mut scores);
    Ok(CrfPaths { tags, scores })
}

/// Checks the arguments.
fn problem<'a, T: Element>(
    rows: &'a PackedRows<'a>,
    weights: &CrfWeights<'a, T>,
    emissions: &'a [T],
) -> Result<Problem<'a, T>> {
    let classes = weights.start.len();
    if classes == 0 || classes > u32::MAX as usize {
        let (name, expected) = ("start", "one score per tag, of at least one tag");
        return Err(Error::Size { name, expected, got: classes });
    }
    check_len("end", "C", weights.end.len(), classes)?;
    let expected = classes.saturating_mul(classes);
    check_len("transitions", "C x C", weights.transitions.len(), expected)?;
    check_len("emissions", "N x C", emissions.len(), rows.rows().saturating_mul(classes))?;
    Ok(Problem { rows, weights: *weights, emissions })
}

/// Checks the tags.
fn check_tags<T>(rows: &PackedRows, weights: &CrfWeights<T>, tags: &[u32]) -> Result<()> {
    let classes = weights.start.len();
    check_len("tags", "N", tags.len(), rows.rows())?;
    let mut start = 0;
    for (index, &running) in rows.batch_sizes().iter().enumerate() {
        for (sequence, &got) in tags[start..start + running].iter().enumerate() {
            if got as usize >= classes {
                let expected = format!("a tag below {classes}");
                return Err(Error::Label { name: "tags", sequence, index, expected, got });
            }
        }
        start += running;
    }
    Ok(())
}
