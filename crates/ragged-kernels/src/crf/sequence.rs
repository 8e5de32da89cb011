//! What is done for each sequence.

use crate::crf::backward::{Backward, TransitionCounts};
use crate::crf::forward::{Product, forward};
use crate::crf::potentials::{CrfPotentials, CrfWeights, exponentials};
use crate::crf::viterbi::{Viterbi, score};
use crate::element::Float;
use crate::extended::ln;
use crate::packed_rows::PackedRows;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::sequences::for_each;

/// The largest number of groups of sequences whose transitions are counted together. It does not depend on the number
/// of threads, and neither does the order of the sums.
const GROUPS: usize = 32;

/// The arguments of a call.
pub(crate) struct Problem<'a, T> {
    pub(crate) rows: &'a PackedRows<'a>,
    pub(crate) weights: CrfWeights<'a, T>,
    /// `[N, C]`.
    pub(crate) emissions: &'a [T],
}

impl<'a, T: Float> Problem<'a, T> {
    fn classes(&self) -> usize {
        self.weights.start.len()
    }

    /// The emissions of a step, `[C]`.
    fn row(&self, b: usize, t: usize) -> &'a [T] {
        &self.emissions[self.rows.row(b, t) * self.classes()..][..self.classes()]
    }

    fn operations(&self) -> usize {
        self.emissions.len().saturating_mul(self.classes() + 16) / 4
    }

    fn score(&self, b: usize, tags: &[u32]) -> f64 {
        let tags = (0..self.rows.length(b)).map(|t| tags[self.rows.row(b, t)]);
        score(&self.weights, |t| self.row(b, t), tags)
    }
}

/// The buffers of a thread.
#[derive(Default)]
struct Workspace<T> {
    /// `[T][2][padded C]`: the exponentials of the emissions, and the forward variables.
    emissions: Vec<T>,
    alphas: Vec<T>,
    product: Product<T>,
    backward: Backward<T>,
}

impl<T: Float> Workspace<T> {
    /// Runs the forward pass. Returns the sum over all paths relative to the largest exponentials, and the logarithm
    /// of the sum: NaN if an argument is NaN or plus infinity, minus infinity if all paths are forbidden.
    #[inline(always)]
    fn forward<S: Simd<T>>(
        &mut self,
        s: S,
        problem: &Problem<T>,
        potentials: &CrfPotentials<T>,
        b: usize,
    ) -> ((T, T), f64) {
        let (length, padded) = (problem.rows.length(b), potentials.padded);
        let size = length * 2 * padded;
        let Self { emissions, alphas, product, backward } = self;
        product.resize(padded);
        backward.resize(padded);
        alphas.resize(alphas.len().max(size), T::default());
        if emissions.len() < size {
            emissions.resize(size, T::default());
        }
        let mut valid = potentials.valid();
        let mut shift = 0.0;
        for (t, row) in emissions[..size].chunks_exact_mut(2 * padded).enumerate() {
            let (m, e) = row.split_at_mut(padded);
            m[potentials.classes..].fill(T::default());
            e[potentials.classes..].fill(T::NEG_INFINITY);
            let (largest, finite) = exponentials(s, problem.row(b, t), m, e);
            valid &= finite;
            shift += largest.to_f64();
        }
        if length == 0 {
            return ((T::ONE, T::default()), 0.0);
        }
        let total = forward(s, potentials, product, &emissions[..size], &mut alphas[..size]);
        let CrfPotentials { transitions, start, end, .. } = potentials;
        shift += start.largest.to_f64() + end.largest.to_f64();
        shift += (length - 1) as f64 * transitions.largest.to_f64();
        let log = if valid { ln(total.0, total.1) + shift } else { f64::NAN };
        (total, log)
    }
}

/// Computes the negative log-likelihood of each sequence's tags.
pub(crate) fn losses<T: SimdFloat>(problem: &Problem<T>, tags: &[u32], losses: &mut [T]) {
    let potentials = CrfPotentials::new(&problem.weights);
    let jobs = losses.iter_mut().enumerate().collect();
    for_each(jobs, problem.operations(), |(b, loss): (usize, &mut T), workspace| {
        let mut log = 0.0;
        let (potentials, into) = (&potentials, &mut log);
        dispatch(problem.rows.simd(), TotalTask { problem, potentials, b, workspace, into });
        *loss = T::from_f64(log - problem.score(b, tags));
    });
}

struct TotalTask<'a, T> {
    problem: &'a Problem<'a, T>,
    potentials: &'a CrfPotentials<T>,
    b: usize,
    workspace: &'a mut Workspace<T>,
    into: &'a mut f64,
}

impl<T: Float> Task<T> for TotalTask<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { problem, potentials, b, workspace, into } = self;
        *into = workspace.forward(s, problem, potentials, b).1;
    }
}

/// The gradients of a weighted sum of losses.
pub(crate) struct CrfGradientsMut<'a, T> {
    /// `[N, C]`.
    pub(crate) emissions: &'a mut [T],
    /// `[C, C]`.
    pub(crate) transitions: &'a mut [T],
    /// `[C]`.
    pub(crate) start: &'a mut [T],
    pub(crate) end: &'a mut [T],
}

/// A sequence whose posterior probabilities are wanted.
struct Sequence<'a, T> {
    b: usize,
    /// `[T][C]`.
    rows: Vec<&'a mut [T]>,
}

/// The sums of a group of sequences.
struct Sums<T> {
    counts: TransitionCounts<T>,
    /// `[C]`.
    start: Vec<T>,
    end: Vec<T>,
}

/// Computes the gradients of the sum of all losses, each multiplied by its weight.
pub(crate) fn gradients<T: SimdFloat>(
    problem: &Problem<T>,
    tags: &[u32],
    weights: &[T],
    into: CrfGradientsMut<T>,
) {
    let (potentials, classes) = (CrfPotentials::new(&problem.weights), problem.classes());
    let sequences = problem.rows.split_mut(into.emissions, classes);
    let count = GROUPS.min(sequences.len());
    let zeros = || vec![T::default(); classes];
    let sums = || Sums { counts: TransitionCounts::new(&potentials), start: zeros(), end: zeros() };
    let mut groups: Vec<(Vec<Sequence<T>>, Sums<T>)> =
        (0..count).map(|_| (vec![], sums())).collect();
    for (b, rows) in sequences.into_iter().enumerate() {
        groups[b % count].0.push(Sequence { b, rows });
    }
    let jobs = groups.iter_mut().collect();
    for_each(jobs, 3 * problem.operations(), |group: &mut (Vec<_>, Sums<T>), workspace| {
        let (sequences, sums) = group;
        for sequence in sequences.drain(..) {
            let potentials = &potentials;
            let loss = Some((tags, weights[sequence.b], &mut *sums));
            let task = PosteriorTask { problem, potentials, sequence, workspace, loss };
            dispatch(problem.rows.simd(), task);
        }
    });
    let mut sum = vec![0.0; classes * classes];
    for (_, sums) in &groups {
        sums.counts.add_to(&potentials, &mut sum);
    }
    store(into.transitions, &sum);
    for (into, part) in [
        (into.start, (|sums| &sums.start) as fn(&Sums<T>) -> &Vec<T>),
        (into.end, |sums| &sums.end),
    ] {
        let mut sum = vec![0.0; classes];
        for (_, sums) in &groups {
            sum.iter_mut().zip(part(sums)).for_each(|(sum, value)| *sum += value.to_f64());
        }
        store(into, &sum);
    }
}

fn store<T: Float>(into: &mut [T], values: &[f64]) {
    into.iter_mut().zip(values).for_each(|(into, &value)| *into = T::from_f64(value));
}

/// Computes the posterior probabilities `[N, C]` of the tags of each step.
pub(crate) fn marginals<T: SimdFloat>(problem: &Problem<T>, into: &mut [T]) {
    let potentials = CrfPotentials::new(&problem.weights);
    let sequences = problem.rows.split_mut(into, problem.classes()).into_iter().enumerate();
    let jobs = sequences.map(|(b, rows)| Sequence { b, rows }).collect();
    for_each(jobs, 2 * problem.operations(), |sequence, workspace| {
        let potentials = &potentials;
        let task = PosteriorTask { problem, potentials, sequence, workspace, loss: None };
        dispatch(problem.rows.simd(), task);
    });
}

/// Stores the posterior probabilities of a sequence, or the gradient of its loss.
struct PosteriorTask<'a, 's, T> {
    problem: &'a Problem<'a, T>,
    potentials: &'a CrfPotentials<T>,
    sequence: Sequence<'s, T>,
    workspace: &'a mut Workspace<T>,
    /// The packed tags, the weight of the loss, and the sums of the group.
    loss: Option<(&'a [u32], T, &'a mut Sums<T>)>,
}

impl<T: Float> Task<T> for PosteriorTask<'_, '_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { problem, potentials, sequence, workspace, mut loss } = self;
        let Sequence { b, mut rows } = sequence;
        let classes = potentials.classes;
        let (total, log) = workspace.forward(s, problem, potentials, b);
        let Some(last) = rows.len().checked_sub(1) else { return };
        // Without a path, or with invalid arguments, there are no probabilities.
        let nan = (T::from_f64(f64::NAN), T::default());
        let total = if log.is_finite() { total } else { nan };
        let weight = loss.as_ref().map_or(T::ONE, |(_, weight, _)| *weight);
        let counts = loss.as_mut().map(|(_, weight, sums)| (&mut sums.counts, *weight));
        let Workspace { emissions, alphas, product, backward } = workspace;
        let size = rows.len() * 2 * potentials.padded;
        let (emissions, alphas) = (&emissions[..size], &alphas[..size]);
        backward.run(s, potentials, product, emissions, alphas, total, counts, |t, posteriors| {
            for (into, &posterior) in rows[t].iter_mut().zip(posteriors) {
                *into = posterior * weight;
            }
        });
        let Some((tags, weight, Sums { counts, start, end })) = loss else { return };
        let tag = |t: usize| tags[problem.rows.row(b, t)] as usize;
        for (t, row) in rows.iter_mut().enumerate() {
            row[tag(t)] += -weight;
            if t > 0 {
                counts.add_one(classes, tag(t - 1), tag(t), -weight);
            }
        }
        for (sum, row) in [(start, &rows[0]), (end, &rows[last])] {
            sum.iter_mut().zip(&**row).for_each(|(sum, &gradient)| *sum += gradient);
        }
    }
}

/// Finds the best path of each sequence: its packed tags, and its score in `scores`.
pub(crate) fn best_paths<T: SimdFloat>(problem: &Problem<T>, tags: &mut [u32], scores: &mut [T]) {
    let sequences = problem.rows.split_mut(tags, 1).into_iter().zip(scores).enumerate();
    let jobs = sequences.map(|(b, (tags, score))| Path { b, tags, score }).collect();
    for_each(jobs, problem.operations(), |path, viterbi| {
        dispatch(problem.rows.simd(), ViterbiTask { problem, path, viterbi });
    });
}

/// A sequence whose best path is wanted.
struct Path<'a, T> {
    b: usize,
    /// `[T]`.
    tags: Vec<&'a mut [u32]>,
    score: &'a mut T,
}

struct ViterbiTask<'a, 's, T> {
    problem: &'a Problem<'a, T>,
    path: Path<'s, T>,
    viterbi: &'a mut Viterbi<T>,
}

impl<T: Float> Task<T> for ViterbiTask<'_, '_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, _: S) {
        let Self { problem, path: Path { b, tags, score: into }, viterbi } = self;
        let mut best = vec![0; tags.len()];
        let row = |t: usize| problem.row(b, t);
        if !best.is_empty() {
            viterbi.search(&problem.weights, row, &mut best);
        }
        *into = T::from_f64(score(&problem.weights, row, best.iter().copied()));
        tags.into_iter().zip(best).for_each(|(into, tag)| into[0] = tag);
    }
}
