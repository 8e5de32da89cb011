//! Temporal order (Hochreiter and Schmidhuber 1997, task 6a).

use rand::Rng;

use crate::error::Result;
use crate::example::{Example, Sequence, Target};
use crate::synthetic::one_hot::one_hot;

/// The distractors a, b, c and d, the signals X and Y, the first symbol E and the last symbol B.
pub(super) const FEATURES: usize = 8;
const X: usize = 4;
const BEGIN: usize = 6;
const END: usize = 7;

pub(super) fn labels() -> Vec<String> {
    ["XX", "XY", "YX", "YY"].map(String::from).to_vec()
}

/// Draws distractors with one signal in the second tenth of the steps and one in the sixth.
///
/// In the paper, sequences have about 100 steps and signals at 10 to 20 and at 50 to 60.
pub(super) fn draw(rng: &mut impl Rng, length: usize) -> Result<Example> {
    let mut symbols: Vec<usize> = (0..length).map(|_| rng.random_range(0..X)).collect();
    (symbols[0], symbols[length - 1]) = (BEGIN, END);
    let tenth = |k: usize| k * length / 10;
    let signals = [rng.random_range(0..2), rng.random_range(0..2)];
    symbols[rng.random_range(tenth(1)..tenth(2))] = X + signals[0];
    symbols[rng.random_range(tenth(5)..tenth(6))] = X + signals[1];
    let class = (2 * signals[0] + signals[1]) as u32;
    let sequence = Sequence::new(one_hot(symbols, FEATURES), FEATURES)?;
    Ok(Example::new(sequence, Target::Class(class)))
}
