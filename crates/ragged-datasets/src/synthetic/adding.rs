//! The adding problem (Hochreiter and Schmidhuber 1997; as Le, Jaitly and Hinton 2015 have it).

use rand::Rng;

use crate::{Example, Result, Sequence, Target};

/// The number and the marker.
pub(super) const FEATURES: usize = 2;

/// Numbers uniform in 0 to 1; one step of the first half is marked and one of the second.
pub(super) fn draw(rng: &mut impl Rng, length: usize) -> Result<Example> {
    let half = length / 2;
    let marked = [rng.random_range(0..half), rng.random_range(half..length)];
    let mut values = Vec::with_capacity(length * FEATURES);
    for t in 0..length {
        values.extend([rng.random::<f32>(), f32::from(u8::from(marked.contains(&t)))]);
    }
    let sum = values[marked[0] * FEATURES] + values[marked[1] * FEATURES];
    Ok(Example { sequence: Sequence::new(values, FEATURES)?, target: Target::Values(vec![sum]) })
}
