//! Decoding: the label sequence of the best alignment.

use crate::ctc::beam::beam_search;
use crate::ctc::loss::check_classes;
use crate::error::{Error, Result};
use crate::layer::Element;
use crate::packed_rows::PackedRows;
use crate::threads::sequences::for_each;

/// A label sequence that was decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The labels, without blanks.
    pub labels: Vec<u32>,
    /// The logarithm of the probability of the alignments that were found.
    pub score: f64,
}

/// Returns the labels of the best alignment of each sequence, the longest sequence first: at each step the class with
/// the largest logit, the first of equal ones, where repetitions are merged and blanks removed.
///
/// # Errors
///
/// [`Error::Length`] for logits of another number, [`Error::Size`] for a blank that is not a class.
///
/// ```
/// use ragged_kernels::{PackedRows, ctc_greedy};
///
/// let rows = PackedRows::new(1, &[1, 1, 1, 1])?;
/// // The classes 1, 1, 0 (the blank), 1.
/// let logits = [0.0, 5.0, 0.0, 5.0, 5.0, 0.0, 0.0, 5.0f32];
/// assert_eq!(ctc_greedy(&rows, 2, &logits, 0)?[0].labels, [1, 1]);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
pub fn ctc_greedy<T: Element>(
    rows: &PackedRows,
    classes: usize,
    logits: &[T],
    blank: usize,
) -> Result<Vec<Decoded>> {
    check_classes(rows, classes, logits.len(), blank)?;
    let mut decoded = vec![Decoded { labels: vec![], score: 0.0 }; rows.batch_size()];
    let jobs = decoded.iter_mut().enumerate().collect();
    for_each(jobs, logits.len(), |(b, into): (usize, &mut Decoded), row: &mut Vec<f64>| {
        let mut last = blank;
        for t in 0..rows.length(b) {
            log_softmax(&logits[rows.row(b, t) * classes..][..classes], row);
            let mut best = 0;
            for class in 1..classes {
                if row[class] > row[best] {
                    best = class;
                }
            }
            into.score += row[best];
            if best != blank && best != last {
                into.labels.push(best as u32);
            }
            last = best;
        }
    });
    Ok(decoded)
}

/// Returns up to `beam_size` label sequences for each sequence, the longest sequence first, by decreasing score: a
/// prefix beam search.
///
/// The search keeps the `beam_size` likeliest *hypotheses* at each step. A hypothesis is a prefix of labels together
/// with whether its alignments end in a blank; alignments that lead to the same hypothesis are added up. So a beam of
/// one follows a single alignment, and finds exactly the labels of [`ctc_greedy`]; with a beam as large as the number of
/// prefixes, the scores are the exact log-likelihoods. Of equal hypotheses, the one that continues the likelier
/// hypothesis of the step before is kept, then the one with the likelier and then the one with the smaller class.
///
/// # Errors
///
/// As [`ctc_greedy`], and [`Error::Size`] for a beam of zero.
///
/// ```
/// use ragged_kernels::{PackedRows, ctc_beam_search};
///
/// // The blank is likelier than the label at each of two steps, but not at both.
/// let rows = PackedRows::new(1, &[1, 1])?;
/// let logits = [0.6f32.ln(), 0.4f32.ln(), 0.6f32.ln(), 0.4f32.ln()];
/// let found = ctc_beam_search(&rows, 2, &logits, 0, 4)?;
/// assert_eq!(found[0][0].labels, [1]);
/// assert!((found[0][0].score - 0.64f64.ln()).abs() < 1e-6);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
pub fn ctc_beam_search<T: Element>(
    rows: &PackedRows,
    classes: usize,
    logits: &[T],
    blank: usize,
    beam_size: usize,
) -> Result<Vec<Vec<Decoded>>> {
    check_classes(rows, classes, logits.len(), blank)?;
    if beam_size == 0 {
        return Err(Error::Size { name: "beam_size", expected: "at least 1", got: 0 });
    }
    let mut decoded = vec![vec![]; rows.batch_size()];
    let jobs = decoded.iter_mut().enumerate().collect();
    let operations = logits.len().saturating_mul(beam_size);
    for_each(jobs, operations, |(b, into): (usize, &mut Vec<Decoded>), row: &mut Vec<f64>| {
        let log_probabilities = |t: usize, row: &mut Vec<f64>| {
            log_softmax(&logits[rows.row(b, t) * classes..][..classes], row);
        };
        let found = beam_search(rows.length(b), log_probabilities, row, blank, beam_size);
        *into = found.into_iter().map(|(labels, score)| Decoded { labels, score }).collect();
    });
    Ok(decoded)
}

/// Stores the logarithms of the softmax of a row.
fn log_softmax<T: Element>(logits: &[T], into: &mut Vec<f64>) {
    into.clear();
    into.extend(logits.iter().map(|logit| logit.to_f64()));
    let max = into.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log = into.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln();
    into.iter_mut().for_each(|logit| *logit = *logit - max - log);
}
