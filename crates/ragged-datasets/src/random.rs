//! Generators that depend on what they are for, never on what was drawn before.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What numbers are drawn for: the same seed gives unrelated numbers to each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// The content of a generated example.
    Content = 0,
    /// The order of examples or batches.
    Order = 1,
    /// Changes of a training example.
    Augment = 2,
}

/// A generator of its own for every (seed, purpose, epoch, index): the first three choose the key,
/// the index the stream under it. `epoch` is `None` for what is the same in all epochs.
pub(crate) fn rng(seed: u64, purpose: Purpose, epoch: Option<usize>, index: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    // Plus one, so that the first epoch differs from what has no epoch.
    let epoch = epoch.map_or(0, |epoch| (epoch as u64).wrapping_add(1));
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    key[16] = purpose as u8;
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index as u64);
    rng
}
