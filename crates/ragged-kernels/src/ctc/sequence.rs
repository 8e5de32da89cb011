//! The loss of one sequence, and its gradient.

use crate::ctc::forward::{initial, step, total};
use crate::ctc::gradient::Backward;
use crate::ctc::softmax::softmax;
use crate::ctc::states::TargetProbabilities;
use crate::element::Float;
use crate::extended::ln;
use crate::packed_rows::PackedRows;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::sequences::for_each;

/// What all sequences of a call share.
pub(crate) struct Problem<'a, T> {
    pub(crate) rows: &'a PackedRows<'a>,
    /// `[N, C]`.
    pub(crate) logits: &'a [T],
    /// C.
    pub(crate) classes: usize,
    pub(crate) blank: usize,
    /// Whether the loss of a target without alignment is zero, and not infinite.
    pub(crate) zero_infinity: bool,
}

/// One sequence of a call.
struct Job<'a, T> {
    /// Its position.
    b: usize,
    target: &'a [u32],
    loss: &'a mut T,
    /// The rows of the gradient, if it is wanted.
    gradient: Option<Vec<&'a mut [T]>>,
}

/// The buffers of a thread.
#[derive(Default)]
struct Workspace<T> {
    /// `[T + 1][4][W]`: the forward variables before the first step and after each, or those of two steps.
    alphas: Vec<T>,
    /// `[T]`: the maximum of the logits of a step, and the reciprocal of the sum of exponentials.
    softmax: Vec<(T, T)>,
    /// `[C]`: the probabilities of a step.
    row: Vec<T>,
    /// `[W]`: see [`step`].
    skips: Vec<T>,
    probabilities: TargetProbabilities<T>,
    backward: Backward<T>,
}

/// Computes the loss of each sequence in `losses` `[B]`, and the gradient with respect to its logits in `gradient`
/// `[N, C]`.
pub(crate) fn losses<T: SimdFloat>(
    problem: &Problem<T>,
    targets: &[&[u32]],
    losses: &mut [T],
    gradient: Option<&mut [T]>,
) {
    let rows = problem.rows;
    let gradients: Vec<Option<Vec<&mut [T]>>> = match gradient {
        Some(gradient) => {
            let sequences = rows.split_mut(gradient, problem.classes);
            sequences.into_iter().map(Some).collect()
        }
        None => (0..rows.batch_size()).map(|_| None).collect(),
    };
    let jobs: Vec<Job<T>> = losses
        .iter_mut()
        .zip(gradients)
        .zip(targets)
        .enumerate()
        .map(|(b, ((loss, gradient), &target))| Job { b, target, loss, gradient })
        .collect();
    let longest = targets.iter().map(|target| target.len()).max().unwrap_or(0);
    let operations = rows.rows().saturating_mul(problem.classes + 4 * longest);
    for_each(jobs, operations, |job, workspace: &mut Workspace<T>| {
        dispatch(rows.simd(), SequenceTask { problem, job, workspace });
    });
}

struct SequenceTask<'a, 'j, T> {
    problem: &'a Problem<'a, T>,
    job: Job<'j, T>,
    workspace: &'a mut Workspace<T>,
}

impl<T: Float> Task<T> for SequenceTask<'_, '_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { problem, job: Job { b, target, loss, mut gradient }, workspace } = self;
        let &Problem { rows, logits, classes, blank, zero_infinity } = problem;
        let Workspace { alphas, softmax: scales, row, skips, probabilities, backward } = workspace;
        let (length, w) = (rows.length(b), target.len() + 1);
        let logits = |t: usize| &logits[rows.row(b, t) * classes..][..classes];

        // Every element is written before it is read.
        let kept = if gradient.is_some() { length + 1 } else { 2 };
        alphas.resize(alphas.len().max(kept * 4 * w), T::default());
        row.resize(classes, T::default());
        scales.clear();
        skips.clear();
        skips.push(T::NEG_INFINITY);
        let skip = |pair: &[u32]| if pair[0] == pair[1] { T::NEG_INFINITY } else { T::default() };
        skips.extend(target.windows(2).map(skip));
        skips.resize(w, T::NEG_INFINITY);
        probabilities.resize(w);

        initial(&mut alphas[..4 * w], w);
        let mut valid = true;
        for t in 0..length {
            let to = match &mut gradient {
                Some(rows) => &mut *rows[t],
                None => &mut row[..],
            };
            let scale = softmax(s, logits(t), to);
            valid &= scale.1 > T::default();
            scales.push(scale);
            probabilities.compute(s, logits(t), scale, target, blank);
            let (before, after) = (t % kept * 4 * w, (t + 1) % kept * 4 * w);
            let [before, after] = two(alphas, before, after, 4 * w);
            step(before, after, probabilities, skips, w);
        }
        let total = total(&alphas[length % kept * 4 * w..][..4 * w], w);
        let value = if valid { -ln(total.0, total.1) } else { f64::NAN };
        let possible = value < f64::INFINITY;
        *loss = T::from_f64(if zero_infinity && value == f64::INFINITY { 0.0 } else { value });

        let Some(gradient) = gradient else { return };
        if !possible {
            let fill = if zero_infinity && valid { 0.0 } else { f64::NAN };
            gradient.into_iter().for_each(|row| row.fill(T::from_f64(fill)));
            return;
        }
        backward.start(w);
        for (t, row) in gradient.into_iter().enumerate().rev() {
            let alphas = &alphas[(t + 1) * 4 * w..][..4 * w];
            backward.subtract_posteriors(alphas, total, target, blank, row);
            if t > 0 {
                probabilities.compute(s, logits(t), scales[t], target, blank);
                backward.step(probabilities, skips, w);
            }
        }
    }
}

/// Two ranges of `len` elements that do not overlap, the second of which is written.
#[inline(always)]
fn two<T>(slice: &mut [T], read: usize, write: usize, len: usize) -> [&mut [T]; 2] {
    if read < write {
        let (low, high) = slice.split_at_mut(write);
        [&mut low[read..][..len], &mut high[..len]]
    } else {
        let (low, high) = slice.split_at_mut(read);
        [&mut high[..len], &mut low[write..][..len]]
    }
}
