//! The CRF, compared with an enumeration of all paths.

use proptest::prelude::*;
use ragged_kernels::{
    CrfWeights, PackedRows, SimdLevel, crf_gradients, crf_losses, crf_marginals, crf_viterbi,
    set_num_threads,
};

/// Parameters and sequences of emissions `[T, C]`, the longest first, with their tags.
#[derive(Debug, Clone)]
struct Batch {
    classes: usize,
    transitions: Vec<f64>,
    start: Vec<f64>,
    end: Vec<f64>,
    emissions: Vec<Vec<f64>>,
    tags: Vec<Vec<u32>>,
}

impl Batch {
    fn batch_sizes(&self) -> Vec<usize> {
        let steps = self.tags.first().map_or(0, Vec::len);
        (0..steps).map(|t| self.tags.iter().filter(|tags| tags.len() > t).count()).collect()
    }

    /// The values of each row, packed.
    fn packed<T: Copy>(&self, sequences: &[Vec<T>], width: usize) -> Vec<T> {
        let steps = self.batch_sizes().into_iter().enumerate();
        let rows = steps.flat_map(|(t, running)| {
            sequences[..running].iter().flat_map(move |s| &s[t * width..][..width])
        });
        rows.copied().collect()
    }

    fn weights(&self) -> CrfWeights<'_, f64> {
        CrfWeights { transitions: &self.transitions, start: &self.start, end: &self.end }
    }

    /// All paths of a sequence with their scores.
    fn paths(&self, b: usize) -> Vec<(Vec<usize>, f64)> {
        let (length, c) = (self.tags[b].len(), self.classes);
        let path = |mut index: usize| {
            let tags: Vec<usize> = (0..length)
                .map(|_| {
                    let tag = index % c;
                    index /= c;
                    tag
                })
                .collect();
            let emissions: f64 = (0..length).map(|t| self.emissions[b][t * c + tags[t]]).sum();
            let transitions: f64 = tags.windows(2).map(|p| self.transitions[p[0] * c + p[1]]).sum();
            let ends = match (tags.first(), tags.last()) {
                (Some(&first), Some(&last)) => self.start[first] + self.end[last],
                _ => 0.0,
            };
            (tags, emissions + transitions + ends)
        };
        (0..c.pow(length as u32)).map(path).collect()
    }
}

fn batches() -> impl Strategy<Value = Batch> {
    // Scores of all magnitudes, and forbidden ones.
    let score =
        || prop_oneof![6 => -3.0..3.0f64, 2 => -90.0..90.0f64, 1 => Just(f64::NEG_INFINITY)];
    let scores = move |len: usize| prop::collection::vec(score(), len);
    (1..=4usize).prop_flat_map(move |c| {
        let sequence = (0..=4usize).prop_flat_map(move |length| {
            let emission = prop_oneof![4 => -4.0..4.0f64, 1 => -200.0..200.0f64];
            let emissions = prop::collection::vec(emission, length * c);
            (emissions, prop::collection::vec(0..c as u32, length))
        });
        let sequences = prop::collection::vec(sequence, 1..4);
        (scores(c * c), scores(c), scores(c), sequences).prop_map(
            move |(transitions, start, end, mut sequences)| {
                sequences.sort_by_key(|(_, tags)| std::cmp::Reverse(tags.len()));
                let (emissions, tags) = sequences.into_iter().unzip();
                Batch { classes: c, transitions, start, end, emissions, tags }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 500 }))]

    /// Losses, gradients, marginals and best paths are those of the enumeration, at every level.
    #[test]
    fn all_results_are_those_of_all_paths(batch in batches()) {
        let c = batch.classes;
        let sizes = batch.batch_sizes();
        let (emissions, tags) = (batch.packed(&batch.emissions, c), batch.packed(&batch.tags, 1));
        let rows = PackedRows::new(batch.tags.len(), &sizes).unwrap();
        let f32s = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<_>>();
        let (transitions, start, end) =
            (f32s(&batch.transitions), f32s(&batch.start), f32s(&batch.end));
        let single = CrfWeights { transitions: &transitions, start: &start, end: &end };
        // Single precision is judged by double precision, from the same values.
        let f64s = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let rounded = (f64s(&transitions), f64s(&start), f64s(&end), f64s(&f32s(&emissions)));
        let judge = CrfWeights { transitions: &rounded.0, start: &rounded.1, end: &rounded.2 };
        for level in SimdLevel::available() {
            let rows = rows.clone().with_simd(level);
            let losses = crf_losses(&rows, &batch.weights(), &emissions, &tags).unwrap();
            let losses32 = crf_losses(&rows, &single, &f32s(&emissions), &tags).unwrap();
            let marginals = crf_marginals(&rows, &batch.weights(), &emissions).unwrap();
            let marginals32 = crf_marginals(&rows, &single, &f32s(&emissions)).unwrap();
            let want = crf_losses(&rows, &judge, &rounded.3, &tags).unwrap();
            for (&got, want) in losses32.iter().zip(want) {
                let close = (f64::from(got) - want).abs() < 1e-5 + want.abs() * 1e-7;
                let equal = f64::from(got) == want || got.is_nan() && want.is_nan();
                prop_assert!(close || equal, "{got} {want}");
            }
            let want = crf_marginals(&rows, &judge, &rounded.3).unwrap();
            for (&got, want) in marginals32.iter().zip(want) {
                let close = (f64::from(got) - want).abs() < 1e-5;
                prop_assert!(close || got.is_nan() && want.is_nan(), "{got} {want}");
            }
            let best = crf_viterbi(&rows, &batch.weights(), &emissions).unwrap();
            let weights: Vec<f64> = (0..losses.len()).map(|b| 0.5 + b as f64).collect();
            let gradients =
                crf_gradients(&rows, &batch.weights(), &emissions, &tags, &weights).unwrap();
            let mut want_transitions = vec![0.0; c * c];
            let mut possible = true;
            for b in 0..losses.len() {
                let paths = batch.paths(b);
                let largest = paths.iter().map(|path| path.1).fold(f64::NEG_INFINITY, f64::max);
                if largest == f64::NEG_INFINITY {
                    prop_assert!(losses[b].is_nan() && losses32[b].is_nan());
                    possible = false;
                    continue;
                }
                let sum: f64 = paths.iter().map(|path| (path.1 - largest).exp()).sum();
                let log = largest + sum.ln();
                let of = |t: usize| batch.tags[b][t] as usize;
                let own: Vec<usize> = (0..batch.tags[b].len()).map(of).collect();
                let score = paths.iter().find(|path| path.0 == own).unwrap().1;
                let want = log - score;
                let scale = 1.0 + largest.abs();
                if want == f64::INFINITY {
                    prop_assert_eq!(losses[b], f64::INFINITY);
                } else {
                    prop_assert!((losses[b] - want).abs() < 1e-13 * scale, "{} {want}", losses[b]);
                }
                // Best path: its score is the largest.
                prop_assert!((best.scores[b] - largest).abs() < 1e-12 * scale);
                let mut posteriors = vec![0.0; own.len() * c];
                for (path, score) in &paths {
                    let p = (score - log).exp();
                    path.iter().enumerate().for_each(|(t, tag)| posteriors[t * c + tag] += p);
                    path.windows(2).for_each(|w| want_transitions[w[0] * c + w[1]] += p * weights[b]);
                }
                own.windows(2).for_each(|w| want_transitions[w[0] * c + w[1]] -= weights[b]);
                for t in 0..own.len() {
                    for tag in 0..c {
                        let (k, p) = (rows.row(b, t) * c + tag, posteriors[t * c + tag]);
                        prop_assert!((marginals[k] - p).abs() < 1e-11, "{} {p}", marginals[k]);
                        let want = (p - f64::from(u8::from(own[t] == tag))) * weights[b];
                        let got = gradients.emissions[k];
                        prop_assert!((got - want).abs() < 1e-11, "{got} {want}");
                    }
                }
            }
            if possible {
                for (got, want) in gradients.transitions.iter().zip(&want_transitions) {
                    prop_assert!((got - want).abs() < 1e-10, "{got} {want}");
                }
                for (got, step) in [(&gradients.start, 0), (&gradients.end, 1)] {
                    let sum = |tag: usize| -> f64 {
                        let lengths = batch.tags.iter().map(Vec::len).enumerate();
                        let rows = lengths.filter(|&(_, length)| length > 0).map(|(b, length)| {
                            rows.row(b, if step == 0 { 0 } else { length - 1 })
                        });
                        rows.map(|row| gradients.emissions[row * c + tag]).sum()
                    };
                    for (tag, got) in got.iter().enumerate() {
                        prop_assert!((got - sum(tag)).abs() < 1e-12);
                    }
                }
            }
        }
    }
}

/// A batch of long sequences with 17 tags.
fn long_batch() -> Batch {
    let (c, count) = (17, if cfg!(miri) { 3 } else { 40 });
    let values = |len: usize, seed: usize, scale: f64| -> Vec<f64> {
        (0..len).map(|k| ((k * k + 31 * seed) as f64 * 0.37).sin() * scale).collect()
    };
    let length = |b: usize| (count - b) * 5;
    let tags = |b: usize| (0..length(b)).map(|t| ((t * 7 + b) % c) as u32).collect();
    Batch {
        classes: c,
        transitions: values(c * c, 1, 2.0),
        start: values(c, 2, 1.0),
        end: values(c, 3, 1.0),
        emissions: (0..count).map(|b| values(length(b) * c, b + 4, 5.0)).collect(),
        tags: (0..count).map(tags).collect(),
    }
}

#[test]
fn results_depend_on_neither_the_batch_nor_the_threads() {
    let batch = long_batch();
    let (c, sizes) = (batch.classes, batch.batch_sizes());
    let (emissions, tags) = (batch.packed(&batch.emissions, c), batch.packed(&batch.tags, 1));
    let all = PackedRows::new(batch.tags.len(), &sizes).unwrap();
    for level in SimdLevel::available() {
        let rows = all.clone().with_simd(level);
        let weights = batch.weights();
        let ones = vec![1.0; batch.tags.len()];
        let run = |threads: usize| {
            set_num_threads(threads);
            let result = (
                crf_losses(&rows, &weights, &emissions, &tags).unwrap(),
                crf_gradients(&rows, &weights, &emissions, &tags, &ones).unwrap(),
                crf_marginals(&rows, &weights, &emissions).unwrap(),
                crf_viterbi(&rows, &weights, &emissions).unwrap(),
            );
            set_num_threads(0);
            result
        };
        let result = run(1);
        assert!(run(4) == result, "{level:?}");
        for b in 0..batch.tags.len() {
            let sizes = vec![1; batch.tags[b].len()];
            let alone = PackedRows::new(1, &sizes).unwrap().with_simd(level);
            let (emissions, tags) = (&batch.emissions[b], &batch.tags[b]);
            let loss = crf_losses(&alone, &weights, emissions, tags).unwrap();
            assert_eq!(loss[0], result.0[b]);
            let gradients = crf_gradients(&alone, &weights, emissions, tags, &[1.0]).unwrap();
            let marginals = crf_marginals(&alone, &weights, emissions).unwrap();
            let paths = crf_viterbi(&alone, &weights, emissions).unwrap();
            assert_eq!(paths.scores[0], result.3.scores[b]);
            for t in 0..tags.len() {
                let (row, own) = (rows.row(b, t), t * c..(t + 1) * c);
                assert_eq!(gradients.emissions[own.clone()], result.1.emissions[row * c..][..c]);
                assert_eq!(marginals[own], result.2[row * c..][..c]);
                assert_eq!(paths.tags[t], result.3.tags[row]);
            }
        }
    }
}

#[test]
fn invalid_arguments_make_results_nan_or_are_named() {
    let rows = PackedRows::new(2, &[2, 1]).unwrap();
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let weights = CrfWeights { transitions: &[0.5f32; 4], start: &[0.0; 2], end: &[0.0; 2] };
    for invalid in [nan, inf] {
        // The second row is the first step of the second sequence.
        let emissions = [0.0, 0.0, 0.0, invalid, 0.0, 0.0];
        let losses = crf_losses(&rows, &weights, &emissions, &[0, 0, 1]).unwrap();
        assert!(losses[0].is_finite() && losses[1].is_nan());
        let marginals = crf_marginals(&rows, &weights, &emissions).unwrap();
        assert!(marginals[2..4].iter().all(|p| p.is_nan()) && marginals[0] == 0.5);
        assert!(crf_viterbi(&rows, &weights, &emissions).unwrap().tags.iter().all(|&tag| tag < 2));
        let transitions = [invalid, 0.0, 0.0, 0.0];
        let weights = CrfWeights { transitions: &transitions, ..weights };
        let losses = crf_losses(&rows, &weights, &[0.0; 6], &[0, 0, 1]).unwrap();
        assert!(losses[0].is_nan());
    }
    let error = |weights: &CrfWeights<f32>, emissions: &[f32], tags: &[u32]| {
        crf_losses(&rows, weights, emissions, tags).unwrap_err().to_string()
    };
    let message = "tags[0][1]: expected a tag below 2, got 2";
    assert_eq!(error(&weights, &[0.0; 6], &[0, 0, 2]), message);
    let message = "tags: expected 3 elements (N), got 2";
    assert_eq!(error(&weights, &[0.0; 6], &[0, 0]), message);
    let message = "emissions: expected 6 elements (N x C), got 5";
    assert_eq!(error(&weights, &[0.0; 5], &[0, 0, 0]), message);
    let short = CrfWeights { transitions: &[0.0; 3], ..weights };
    let message = "transitions: expected 4 elements (C x C), got 3";
    assert_eq!(error(&short, &[0.0; 6], &[0; 3]), message);
    let none = CrfWeights { start: &[], ..weights };
    let message = "start: expected one score per tag, of at least one tag, got 0";
    assert_eq!(error(&none, &[0.0; 6], &[0; 3]), message);
}
