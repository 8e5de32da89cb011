//! Dyck words, which are words of matching brackets (Chomsky and Schuetzenberger 1963; with recurrent
//! networks Suzgun et al. 2019).

use rand::Rng;

use crate::error::Result;
use crate::example::{Example, Sequence, Target};
use crate::synthetic::one_hot::one_hot;

pub(super) fn labels() -> Vec<String> {
    ["broken", "matched"].map(String::from).to_vec()
}

/// Draws a word of matching brackets, and breaks it in half of the examples.
///
/// To break a word, one bracket is reversed or, if there are several kinds, replaced by a bracket of
/// another kind. Bracket k opens as symbol 2k and closes as symbol 2k + 1.
pub(super) fn draw(rng: &mut impl Rng, length: usize, kinds: usize) -> Result<Example> {
    let mut open: Vec<usize> = vec![];
    let mut word: Vec<usize> = Vec::with_capacity(length);
    for t in 0..length {
        // If the rest of the word only suffices to close the open brackets, one must be closed. If
        // none is open, one must be opened.
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
            // Another kind in the same direction no longer matches its partner.
            word[at] = (word[at] + 2 * rng.random_range(1..kinds)) % (2 * kinds);
        } else {
            // A reversed bracket makes the numbers of opening and closing brackets differ.
            word[at] ^= 1;
        }
    }
    let sequence = Sequence::new(one_hot(word, 2 * kinds), 2 * kinds)?;
    Ok(Example::new(sequence, Target::Class(u32::from(matched))))
}
