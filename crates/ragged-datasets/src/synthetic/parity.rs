//! Parity (Hochreiter and Schmidhuber 1997; Graves 2016). It depends on every step, so no part of a
//! sequence gives any information about it.

use rand::Rng;

use crate::error::Result;
use crate::example::{Example, Sequence, Target};

pub(super) fn labels() -> Vec<String> {
    ["even", "odd"].map(String::from).to_vec()
}

/// Draws fair bits. The target is the parity of the number of ones: of all steps, or up to each step.
pub(super) fn draw(rng: &mut impl Rng, length: usize, per_step: bool) -> Result<Example> {
    let bits: Vec<u32> = (0..length).map(|_| rng.random_range(0..2)).collect();
    let parities = bits.iter().scan(0, |parity, &bit| {
        *parity ^= bit;
        Some(*parity)
    });
    let target = match per_step {
        true => Target::StepClasses(parities.collect()),
        false => Target::Class(parities.last().unwrap_or(0)),
    };
    let values = bits.iter().map(|&bit| bit as f32).collect();
    Ok(Example::new(Sequence::new(values, 1)?, target))
}
