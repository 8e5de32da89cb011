//! The prefix beam search over one sequence.

use std::cmp::Ordering;
use std::collections::HashMap;

/// The root of the tree of prefixes: no labels.
const ROOT: u32 = 0;

/// The prefixes that were met, as a tree: each is another prefix and a label.
struct Prefixes {
    /// The prefix without its last label, and that label; for the root, itself and no class.
    nodes: Vec<(u32, u32)>,
    children: HashMap<(u32, u32), u32>,
}

impl Prefixes {
    fn new() -> Self {
        let root = (ROOT, u32::MAX);
        Self { nodes: vec![root], children: HashMap::from([(root, ROOT)]) }
    }

    /// Returns the prefix that is another one and a label, which is new or not.
    fn node(&mut self, place: (u32, u32)) -> u32 {
        let next = self.nodes.len() as u32;
        let node = *self.children.entry(place).or_insert(next);
        if node == next {
            self.nodes.push(place);
        }
        node
    }

    fn labels(&self, mut prefix: u32) -> Vec<u32> {
        let mut labels = vec![];
        while prefix != ROOT {
            let (before, label) = self.nodes[prefix as usize];
            labels.push(label);
            prefix = before;
        }
        labels.reverse();
        labels
    }
}

/// A prefix, and whether its alignments end in a blank.
#[derive(Clone, Copy)]
struct Hypothesis {
    prefix: u32,
    blank: bool,
    /// The logarithm of the probability.
    score: f64,
}

/// A hypothesis of the next step.
#[derive(Clone, Copy)]
struct Candidate {
    /// The prefix, as its place in the tree, where it may not be yet.
    place: (u32, u32),
    blank: bool,
    score: f64,
    /// For ties: the rank of the first hypothesis that it continues, and the log probability and index of the class.
    rank: usize,
    step: f64,
    class: usize,
}

impl Candidate {
    /// The order of preference.
    fn order(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.rank.cmp(&other.rank))
            .then(other.step.total_cmp(&self.step))
            .then(self.class.cmp(&other.class))
    }
}

/// Returns the likeliest label sequences with the logarithms of their probabilities, the likeliest first.
///
/// `log_probabilities` stores those of the classes at a step in the row.
pub(crate) fn beam_search(
    length: usize,
    log_probabilities: impl Fn(usize, &mut Vec<f64>),
    row: &mut Vec<f64>,
    blank: usize,
    beam_size: usize,
) -> Vec<(Vec<u32>, f64)> {
    let mut prefixes = Prefixes::new();
    // Before the first step, as after a blank.
    let mut beam = vec![Hypothesis { prefix: ROOT, blank: true, score: 0.0 }];
    let mut candidates: Vec<Candidate> = vec![];
    // The candidate of a prefix and an ending.
    let mut known: HashMap<((u32, u32), bool), usize> = HashMap::new();
    for t in 0..length {
        log_probabilities(t, row);
        candidates.clear();
        known.clear();
        for (rank, hypothesis) in beam.iter().enumerate() {
            let own = prefixes.nodes[hypothesis.prefix as usize];
            for (class, &step) in row.iter().enumerate() {
                let repeated = !hypothesis.blank && class as u32 == own.1;
                let stays = class == blank || repeated;
                let place = if stays { own } else { (hypothesis.prefix, class as u32) };
                let (blank, score) = (class == blank, hypothesis.score + step);
                let index = *known.entry((place, blank)).or_insert(candidates.len());
                match candidates.get_mut(index) {
                    Some(same) => same.score = log_add(same.score, score),
                    None => candidates.push(Candidate { place, blank, score, rank, step, class }),
                }
            }
        }
        if candidates.len() > beam_size {
            candidates.select_nth_unstable_by(beam_size - 1, Candidate::order);
            candidates.truncate(beam_size);
        }
        candidates.sort_unstable_by(Candidate::order);
        beam.clear();
        for &Candidate { place, blank, score, .. } in &candidates {
            beam.push(Hypothesis { prefix: prefixes.node(place), blank, score });
        }
    }
    // The two endings of a prefix are one label sequence.
    let mut found: Vec<(u32, f64)> = vec![];
    for hypothesis in beam {
        match found.iter_mut().find(|found| found.0 == hypothesis.prefix) {
            Some(found) => found.1 = log_add(found.1, hypothesis.score),
            None => found.push((hypothesis.prefix, hypothesis.score)),
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.into_iter().map(|(prefix, score)| (prefixes.labels(prefix), score)).collect()
}

/// Returns the logarithm of the sum of two exponentials.
fn log_add(a: f64, b: f64) -> f64 {
    let (larger, smaller) = if a > b { (a, b) } else { (b, a) };
    if smaller == f64::NEG_INFINITY { larger } else { larger + (smaller - larger).exp().ln_1p() }
}
