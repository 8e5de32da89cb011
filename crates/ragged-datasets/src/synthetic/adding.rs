//! The adding problem (Hochreiter and Schmidhuber 1997), in the form of Le, Jaitly and Hinton 2015.

use rand::Rng;

use crate::error::Result;
use crate::example::{Example, Sequence, Target};

/// The value and the marker.
pub(super) const FEATURES: usize = 2;

/// Draws values uniform in 0 to 1, and marks one step in each half.
pub(super) fn draw(rng: &mut impl Rng, length: usize) -> Result<Example> {
    let half = length / 2;
    let marked = [rng.random_range(0..half), rng.random_range(half..length)];
    let mut values = Vec::with_capacity(length * FEATURES);
    for t in 0..length {
        values.extend([rng.random::<f32>(), f32::from(u8::from(marked.contains(&t)))]);
    }
    let sum = values[marked[0] * FEATURES] + values[marked[1] * FEATURES];
    Ok(Example::new(Sequence::new(values, FEATURES)?, Target::Values(vec![sum])))
}
