//! The exponentials of the parameters of a call, and of the emissions of a step.

use crate::element::Float;
use crate::extended::{exp, power};
use crate::simd::portable::Portable;
use crate::simd::vector::Simd;

/// Elements per block of a panel; tags are padded to a multiple of it.
pub(crate) const BLOCK: usize = 8;

/// The parameters of a CRF with C tags. Minus infinity forbids a transition, or a tag at the start or end.
#[derive(Debug, Clone, Copy)]
pub struct CrfWeights<'a, T> {
    /// `[C, C]`: the score of a transition, from the row's tag to the column's.
    pub transitions: &'a [T],
    /// `[C]`: the score of the first tag.
    pub start: &'a [T],
    /// `[C]`: the score of the last tag.
    pub end: &'a [T],
}

/// Numbers of extended range (see `extended`), relative to the exponential of the largest argument.
#[derive(Debug, Default)]
pub(crate) struct Potentials<T> {
    pub(crate) mantissas: Vec<T>,
    pub(crate) exponents: Vec<T>,
    /// The largest argument.
    pub(crate) largest: T,
    /// Whether no argument is NaN or plus infinity.
    pub(crate) valid: bool,
}

impl<T: Float> Potentials<T> {
    /// Of arguments, padded with zeros to `len`.
    fn new(arguments: &[T], len: usize) -> Self {
        let mut new = Self { mantissas: vec![T::default(); len], ..Self::default() };
        new.exponents = vec![T::NEG_INFINITY; len];
        let Self { mantissas, exponents, .. } = &mut new;
        (new.largest, new.valid) = exponentials(Portable, arguments, mantissas, exponents);
        new
    }
}

/// Stores the exponentials of arguments relative to the largest one. Returns that, and whether no argument is NaN or
/// plus infinity.
#[inline(always)]
pub(crate) fn exponentials<T: Float, S: Simd<T>>(
    s: S,
    arguments: &[T],
    mantissas: &mut [T],
    exponents: &mut [T],
) -> (T, bool) {
    let larger = |max, &value: &T| if value > max { value } else { max };
    let largest = arguments.iter().fold(T::NEG_INFINITY, larger);
    // If all are minus infinity, all exponentials are zero.
    let shift = if largest > T::NEG_INFINITY { largest } else { T::default() };
    let (m, e) = (&mut mantissas[..arguments.len()], &mut exponents[..arguments.len()]);
    for k in 0..arguments.len() {
        (m[k], e[k]) = exp(s, arguments[k] - shift);
    }
    let sum = m.iter().fold(T::default(), |sum, &m| sum + m);
    (shift, sum >= T::default())
}

/// The exponentials of the parameters.
#[derive(Debug)]
pub(crate) struct CrfPotentials<T> {
    /// C.
    pub(crate) classes: usize,
    /// C, rounded up to whole blocks.
    pub(crate) padded: usize,
    pub(crate) transitions: Potentials<T>,
    pub(crate) start: Potentials<T>,
    pub(crate) end: Potentials<T>,
    /// `[block of tags][tag before][BLOCK]`: the transitions in the range of floats.
    pub(crate) forward: Vec<T>,
    /// `[block of tags before][tag][BLOCK]`.
    pub(crate) backward: Vec<T>,
}

impl<T: Float> CrfPotentials<T> {
    pub(crate) fn new(weights: &CrfWeights<T>) -> Self {
        let classes = weights.start.len();
        let padded = classes.next_multiple_of(BLOCK);
        let transitions = Potentials::new(weights.transitions, classes * classes);
        let value = |from: usize, to: usize| {
            let k = from * classes + to;
            transitions.mantissas[k] * power(transitions.exponents[k])
        };
        let (mut forward, mut backward) = (vec![], vec![]);
        for (panel, transposed) in [(&mut forward, false), (&mut backward, true)] {
            panel.resize(padded * classes, T::default());
            for (k, element) in panel.iter_mut().enumerate() {
                let column = k / (BLOCK * classes) * BLOCK + k % BLOCK;
                let row = k / BLOCK % classes;
                if column < classes {
                    *element = if transposed { value(column, row) } else { value(row, column) };
                }
            }
        }
        Self {
            classes,
            padded,
            transitions,
            start: Potentials::new(weights.start, padded),
            end: Potentials::new(weights.end, padded),
            forward,
            backward,
        }
    }

    /// Whether no parameter is NaN or plus infinity.
    pub(crate) fn valid(&self) -> bool {
        self.transitions.valid && self.start.valid && self.end.valid
    }
}
