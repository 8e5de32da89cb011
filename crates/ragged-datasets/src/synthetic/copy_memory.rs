//! Copy memory (Hochreiter and Schmidhuber 1997; as Arjovsky, Shah and Bengio 2016 have it).

use rand::Rng;

use super::task::one_hot;
use crate::{Example, Result, Sequence, Target};

/// The symbols by number, then the blank.
pub(super) fn labels(symbols: usize) -> Vec<String> {
    (0..symbols).map(|symbol| symbol.to_string()).chain(["blank".into()]).collect()
}

/// K symbols, blanks, the signal, K - 1 blanks; the targets are blanks, and in the last K steps,
/// from the signal on, the symbols.
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
    Ok(Example { sequence, target: Target::StepClasses(target) })
}
