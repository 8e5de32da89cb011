//! Copy memory (Hochreiter and Schmidhuber 1997), in the form of Arjovsky, Shah and Bengio 2016.

use rand::Rng;

use crate::error::Result;
use crate::example::{Example, Sequence, Target};
use crate::synthetic::one_hot::one_hot;

/// Returns the labels: the numbers of the symbols, then the blank.
pub(super) fn labels(symbols: usize) -> Vec<String> {
    (0..symbols).map(|symbol| symbol.to_string()).chain(["blank".into()]).collect()
}

/// Draws K symbols, followed by blanks, the signal and K - 1 blanks.
///
/// The targets are blanks up to the signal; from the signal on, the last K targets are the symbols.
pub(super) fn draw(
    rng: &mut impl Rng,
    length: usize,
    copied: usize,
    symbols: usize,
) -> Result<Example> {
    let (blank, signal) = (symbols, symbols + 1);
    let kept: Vec<usize> = (0..copied).map(|_| rng.random_range(0..symbols)).collect();
    let mut input = vec![blank; length];
    input[..copied].copy_from_slice(&kept);
    input[length - copied] = signal;
    let mut target = vec![blank as u32; length];
    for (target, &symbol) in target[length - copied..].iter_mut().zip(&kept) {
        *target = symbol as u32;
    }
    let sequence = Sequence::new(one_hot(input, symbols + 2), symbols + 2)?;
    Ok(Example::new(sequence, Target::StepClasses(target)))
}
