//! The best path (Viterbi 1967).

use crate::crf::potentials::{BLOCK, CrfWeights};
use crate::element::Float;

/// The buffers of a search.
#[derive(Default)]
pub(crate) struct Viterbi<T> {
    /// `[C][padded C]`: the transitions.
    transitions: Vec<T>,
    /// `[padded C]`: the score of the best path to each tag, relative to the best of all.
    scores: Vec<T>,
    /// The scores after the next step.
    next: Vec<T>,
    /// `[T][padded C]`: the tag before each tag on its best path.
    before: Vec<u32>,
}

impl<T: Float> Viterbi<T> {
    /// Stores the tags of the best path through a sequence of at least one step; of equal paths, the one whose last tag
    /// that differs is the smaller.
    #[inline(always)]
    pub(crate) fn search<'e>(
        &mut self,
        weights: &CrfWeights<T>,
        emissions: impl Fn(usize) -> &'e [T],
        tags: &mut [u32],
    ) where
        T: 'e,
    {
        let classes = weights.start.len();
        let padded = classes.next_multiple_of(BLOCK);
        let Self { transitions, scores, next, before } = self;
        transitions.clear();
        for row in weights.transitions.chunks_exact(classes) {
            transitions.extend_from_slice(row);
            transitions.resize(transitions.len() + padded - classes, T::NEG_INFINITY);
        }
        scores.clear();
        scores.resize(padded, T::NEG_INFINITY);
        next.resize(padded, T::NEG_INFINITY);
        before.resize(before.len().max(tags.len() * padded), 0);
        add(scores, weights.start, emissions(0));
        for t in 1..tags.len() {
            let pointers = &mut before[t * padded..][..padded];
            let blocks = next.chunks_exact_mut(BLOCK).zip(pointers.chunks_exact_mut(BLOCK));
            for (block, (next, pointers)) in blocks.enumerate() {
                let (mut best, mut from) = ([T::NEG_INFINITY; BLOCK], [0u32; BLOCK]);
                let rows = transitions.chunks_exact(padded).zip(&*scores);
                for (tag, (row, &score)) in (0u32..).zip(rows) {
                    let row = &row[block * BLOCK..][..BLOCK];
                    for lane in 0..BLOCK {
                        let score = score + row[lane];
                        from[lane] = if score > best[lane] { tag } else { from[lane] };
                        best[lane] = if score > best[lane] { score } else { best[lane] };
                    }
                }
                next.copy_from_slice(&best);
                pointers.copy_from_slice(&from);
            }
            // Relative to the largest, so that the scores keep their precision.
            let largest =
                next.iter().fold(T::NEG_INFINITY, |max, &x| if x > max { x } else { max });
            let shift = if largest > T::NEG_INFINITY { largest } else { T::default() };
            for ((score, &next), &emission) in scores.iter_mut().zip(&*next).zip(emissions(t)) {
                *score = next - shift + emission;
            }
        }
        let mut best = 0;
        let value = |tag: usize| scores[tag] + weights.end[tag];
        for tag in 1..classes {
            if value(tag) > value(best) {
                best = tag;
            }
        }
        for t in (0..tags.len()).rev() {
            tags[t] = best as u32;
            best = before[t * padded + best] as usize;
        }
    }
}

/// Stores sums.
fn add<T: Float>(into: &mut [T], a: &[T], b: &[T]) {
    for ((into, &a), &b) in into.iter_mut().zip(a).zip(b) {
        *into = a + b;
    }
}

/// Returns the score of a path.
pub(crate) fn score<'e, T: Float + 'e>(
    weights: &CrfWeights<T>,
    emissions: impl Fn(usize) -> &'e [T],
    tags: impl Iterator<Item = u32>,
) -> f64 {
    let mut last: Option<usize> = None;
    let mut sum = 0.0;
    for (t, tag) in tags.enumerate() {
        let tag = tag as usize;
        let transition = match last {
            None => weights.start[tag],
            Some(last) => weights.transitions[last * weights.start.len() + tag],
        };
        sum += emissions(t)[tag].to_f64() + transition.to_f64();
        last = Some(tag);
    }
    sum + last.map_or(0.0, |last| weights.end[last].to_f64())
}
