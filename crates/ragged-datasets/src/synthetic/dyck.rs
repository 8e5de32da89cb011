//! Dyck words: brackets that match (Chomsky and Schuetzenberger 1963; with recurrent nets Suzgun et
//! al. 2019).

use rand::Rng;

use super::task::one_hot;
use crate::{Example, Result, Sequence, Target};

pub(super) fn labels() -> Vec<String> {
    ["broken", "matched"].map(String::from).to_vec()
}

/// A word of brackets that match; in half of the examples one bracket is then turned round or, where
/// there are kinds, made another kind, after which they match no more.
///
/// Bracket k opens as symbol 2k and closes as 2k + 1.
pub(super) fn draw(rng: &mut impl Rng, length: usize, kinds: usize) -> Result<Example> {
    let mut open: Vec<usize> = vec![];
    let mut word: Vec<usize> = Vec::with_capacity(length);
    for t in 0..length {
        // What is open must still be closed; with nothing open something must begin.
        let must_close = open.len() == length - t;
        match open.last().copied().filter(|_| must_close || rng.random()) {
            Some(kind) => {
                open.pop();
                word.push(2 * kind + 1);
            }
            None => {
                let kind = rng.random_range(0..kinds);
                open.push(kind);
                word.push(2 * kind);
            }
        }
    }
    let matched = rng.random::<bool>();
    if !matched {
        let at = rng.random_range(0..length);
        if kinds > 1 && rng.random() {
            // Another kind, of the same direction: its partner stays what it was.
            word[at] = (word[at] + 2 * rng.random_range(1..kinds)) % (2 * kinds);
        } else {
            // Turned round: more open than close, or the other way.
            word[at] ^= 1;
        }
    }
    let sequence = Sequence::new(one_hot(word, 2 * kinds), 2 * kinds)?;
    Ok(Example { sequence, target: Target::Class(u32::from(matched)) })
}
