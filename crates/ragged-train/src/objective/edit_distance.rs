//! The edit distance, and the token error rate.

/// Returns the smallest number of insertions, deletions and substitutions that turn one sequence into the other
/// (Levenshtein 1966).
///
/// ```
/// use ragged_train::objective::edit_distance;
///
/// assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
/// ```
pub fn edit_distance<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    // The distances of the prefixes of b from a prefix of a.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Returns the token error rate: the edit distances of all predictions, divided by the number of tokens of all targets.
/// NaN without tokens. It may exceed one.
///
/// ```
/// use ragged_train::objective::token_error_rate;
///
/// let (prediction, target) = ([1, 2, 4], [1, 2, 3, 4]);
/// assert_eq!(token_error_rate([(&prediction[..], &target[..])]), 0.25);
/// ```
pub fn token_error_rate<'a, T: PartialEq + 'a>(
    pairs: impl IntoIterator<Item = (&'a [T], &'a [T])>,
) -> f64 {
    let (mut errors, mut tokens) = (0, 0);
    for (prediction, target) in pairs {
        errors += edit_distance(prediction, target);
        tokens += target.len();
    }
    if tokens == 0 { f64::NAN } else { errors as f64 / tokens as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, without a table.
    fn plain(a: &[u8], b: &[u8]) -> usize {
        match (a.split_last(), b.split_last()) {
            (None, _) => b.len(),
            (_, None) => a.len(),
            (Some((x, a_rest)), Some((y, b_rest))) => {
                let substituted = plain(a_rest, b_rest) + usize::from(x != y);
                substituted.min(plain(a_rest, b) + 1).min(plain(a, b_rest) + 1)
            }
        }
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        let words = ["", "a", "ab", "ba", "abab", "babba", "aabb"];
        for a in words {
            for b in words {
                let (a, b) = (a.as_bytes(), b.as_bytes());
                assert_eq!(edit_distance(a, b), plain(a, b));
            }
        }
        assert!(token_error_rate::<u8>([]).is_nan());
        let pairs = [(&b"abc"[..], &b""[..]), (b"", b"ab")];
        assert_eq!(token_error_rate(pairs), 2.5);
    }
}
