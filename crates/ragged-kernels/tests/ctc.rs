//! The CTC loss and its decoders, compared with an enumeration of all alignments.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ragged_kernels::{
    CtcLoss, CtcOptions, Element, Error, PackedRows, SimdLevel, ctc_beam_search, ctc_greedy,
    ctc_loss, set_num_threads,
};

/// Sequences of logits `[T, C]`, the longest first, with their targets.
#[derive(Debug, Clone)]
struct Batch {
    classes: usize,
    blank: usize,
    logits: Vec<Vec<f64>>,
    targets: Vec<Vec<u32>>,
}

impl Batch {
    fn length(&self, b: usize) -> usize {
        self.logits[b].len() / self.classes
    }

    fn batch_sizes(&self) -> Vec<usize> {
        let count = self.logits.len();
        let steps = (0..count).map(|b| self.length(b)).max().unwrap_or(0);
        (0..steps).map(|t| (0..count).filter(|&b| self.length(b) > t).count()).collect()
    }

    fn packed<T>(&self, convert: impl Fn(f64) -> T) -> Vec<T> {
        let mut rows = vec![];
        for (t, &running) in self.batch_sizes().iter().enumerate() {
            for sequence in &self.logits[..running] {
                let row = &sequence[t * self.classes..][..self.classes];
                rows.extend(row.iter().map(|&value| convert(value)));
            }
        }
        rows
    }

    fn loss<T: Element>(
        &self,
        level: SimdLevel,
        options: CtcOptions,
        convert: impl Fn(f64) -> T,
    ) -> CtcLoss<T> {
        let sizes = self.batch_sizes();
        let rows = PackedRows::new(self.logits.len(), &sizes).unwrap().with_simd(level);
        let targets: Vec<&[u32]> = self.targets.iter().map(Vec::as_slice).collect();
        ctc_loss(&rows, self.classes, &self.packed(convert), &targets, options).unwrap()
    }

    fn alone(&self, b: usize) -> Self {
        let (logits, targets) = (vec![self.logits[b].clone()], vec![self.targets[b].clone()]);
        Self { logits, targets, ..self.clone() }
    }

    fn options(&self) -> CtcOptions {
        CtcOptions { blank: self.blank, gradient: true, ..Default::default() }
    }
}

/// The probability of every label sequence, and the expected counts `[T, C]` of the classes given a target.
fn enumerate(
    classes: usize,
    blank: usize,
    logits: &[f64],
    target: &[u32],
) -> (BTreeMap<Vec<u32>, f64>, Vec<f64>) {
    let length = logits.len() / classes;
    let probabilities: Vec<f64> = logits
        .chunks(classes)
        .flat_map(|row| {
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            row.iter().map(move |x| x.exp() / sum)
        })
        .collect();
    let mut sequences = BTreeMap::new();
    let mut counts = vec![0.0; logits.len()];
    for mut index in 0..classes.pow(length as u32) {
        let (mut labels, mut last, mut p, mut path) = (vec![], blank, 1.0, vec![]);
        for t in 0..length {
            let class = index % classes;
            index /= classes;
            p *= probabilities[t * classes + class];
            path.push(t * classes + class);
            if class != blank && class != last {
                labels.push(class as u32);
            }
            last = class;
        }
        if labels == target {
            path.iter().for_each(|&k| counts[k] += p);
        }
        *sequences.entry(labels).or_insert(0.0) += p;
    }
    (sequences, counts)
}

fn batches() -> impl Strategy<Value = Batch> {
    let sequence = |classes: usize| {
        (0..=5usize, 0..=3usize).prop_flat_map(move |(length, labels)| {
            let logits = prop::collection::vec(-4.0..4.0f64, length * classes);
            (logits, prop::collection::vec(0..classes as u32 - 1, labels))
        })
    };
    (2..=4usize)
        .prop_flat_map(move |classes| {
            let sequences = prop::collection::vec(sequence(classes), 1..4);
            (Just(classes), 0..classes, sequences)
        })
        .prop_map(|(classes, blank, mut sequences)| {
            sequences.sort_by_key(|(logits, _)| std::cmp::Reverse(logits.len()));
            let (logits, mut targets): (Vec<_>, Vec<Vec<u32>>) = sequences.into_iter().unzip();
            // Labels are all classes but the blank.
            for label in targets.iter_mut().flatten() {
                *label += u32::from(*label >= blank as u32);
            }
            Batch { classes, blank, logits, targets }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 300 }))]

    /// Losses and gradients are those of the enumeration, at every level.
    #[test]
    fn loss_and_gradient_are_those_of_all_alignments(batch in batches()) {
        for level in SimdLevel::available() {
            let result = batch.loss(level, batch.options(), |x| x);
            let single = batch.loss(level, batch.options(), |x| x as f32);
            let sizes = batch.batch_sizes();
            let rows = PackedRows::new(batch.logits.len(), &sizes).unwrap();
            for (b, target) in batch.targets.iter().enumerate() {
                let logits = &batch.logits[b];
                let (sequences, counts) = enumerate(batch.classes, batch.blank, logits, target);
                let Some(p) = sequences.get(target) else {
                    prop_assert_eq!(result.losses[b], f64::INFINITY);
                    prop_assert_eq!(single.losses[b], f32::INFINITY);
                    continue;
                };
                prop_assert!((result.losses[b] + p.ln()).abs() < 1e-12, "{}", result.losses[b]);
                prop_assert!((f64::from(single.losses[b]) + p.ln()).abs() < 1e-5);
                for (t, row) in logits.chunks(batch.classes).enumerate() {
                    let sum: f64 = row.iter().map(|x| x.exp()).sum();
                    for c in 0..batch.classes {
                        let want = row[c].exp() / sum - counts[t * batch.classes + c] / p;
                        let k = rows.row(b, t) * batch.classes + c;
                        let got = result.gradient.as_ref().unwrap()[k];
                        prop_assert!((got - want).abs() < 1e-12, "{got} for {want}");
                        let got = f64::from(single.gradient.as_ref().unwrap()[k]);
                        prop_assert!((got - want).abs() < 2e-6, "{got} for {want}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 300 }))]

    /// A beam that holds all prefixes finds the exact probability of every label sequence, and a beam of one finds what
    /// the greedy decoder does.
    #[test]
    fn decoders_agree_with_the_enumeration(batch in batches()) {
        let sizes = batch.batch_sizes();
        let rows = PackedRows::new(batch.logits.len(), &sizes).unwrap();
        let logits = batch.packed(|x| x);
        let decode = |beam| ctc_beam_search(&rows, batch.classes, &logits, batch.blank, beam);
        let (all, one) = (decode(10_000).unwrap(), decode(1).unwrap());
        let few = decode(3).unwrap();
        let greedy = ctc_greedy(&rows, batch.classes, &logits, batch.blank).unwrap();
        for b in 0..batch.logits.len() {
            let (sequences, _) = enumerate(batch.classes, batch.blank, &batch.logits[b], &[]);
            prop_assert_eq!(all[b].len(), sequences.len());
            for found in &all[b] {
                prop_assert!((found.score - sequences[&found.labels].ln()).abs() < 1e-12);
            }
            prop_assert!(all[b].windows(2).all(|pair| pair[0].score >= pair[1].score));
            prop_assert_eq!(&one[b][..], &greedy[b..=b]);
            // A narrower beam finds lower bounds.
            for found in &few[b] {
                prop_assert!(found.score < sequences[&found.labels].ln() + 1e-12);
            }
        }
    }
}

#[test]
fn equal_classes_are_decoded_in_their_order() {
    let rows = PackedRows::new(1, &[1, 1, 1]).unwrap();
    let logits = [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0f32];
    let greedy = ctc_greedy(&rows, 3, &logits, 2).unwrap();
    assert_eq!(greedy[0].labels, [1, 0]);
    assert_eq!(ctc_beam_search(&rows, 3, &logits, 2, 1).unwrap()[0], greedy);
    let error = ctc_beam_search(&rows, 3, &logits, 2, 0).unwrap_err().to_string();
    assert_eq!(error, "beam_size: expected at least 1, got 0");
}

/// A batch of long sequences with many labels, some of them repeated.
fn long_batch() -> Batch {
    let (classes, blank) = (11, 3);
    let count = if cfg!(miri) { 3 } else { 9 };
    let scale = if cfg!(miri) { 4 } else { 30 };
    let sequence = |b: usize| -> Vec<f64> {
        let length = (count - b) * scale;
        (0..length * classes).map(|k| ((k * k + 7 * b) as f64 * 0.37).sin() * 9.0).collect()
    };
    let target = |b: usize| -> Vec<u32> {
        let labels = (count - b) * scale / 3;
        (0..labels).map(|k| [0, 1, 1, 4, 10, 10, 7][(k * 5 + b) % 7]).collect()
    };
    let (logits, targets) = ((0..count).map(sequence).collect(), (0..count).map(target).collect());
    Batch { classes, blank, logits, targets }
}

#[test]
fn results_depend_on_neither_the_batch_nor_the_threads() {
    let batch = long_batch();
    let sizes = batch.batch_sizes();
    let rows = PackedRows::new(batch.logits.len(), &sizes).unwrap();
    for level in SimdLevel::available() {
        set_num_threads(1);
        let all = batch.loss(level, batch.options(), |x| x as f32);
        set_num_threads(4);
        assert!(batch.loss(level, batch.options(), |x| x as f32) == all, "{level:?}");
        let value = CtcOptions { gradient: false, ..batch.options() };
        assert_eq!(batch.loss(level, value, |x| x as f32).losses, all.losses);
        for b in 0..batch.logits.len() {
            let alone = batch.alone(b).loss(level, batch.options(), |x| x as f32);
            assert_eq!(alone.losses[0], all.losses[b]);
            let of_all = (0..batch.length(b)).flat_map(|t| {
                &all.gradient.as_ref().unwrap()[rows.row(b, t) * batch.classes..][..batch.classes]
            });
            assert!(alone.gradient.unwrap().iter().eq(of_all));
        }
        set_num_threads(0);
    }
}

/// Single precision is judged by double precision, where the probabilities are far below the range of `f32`.
#[test]
fn single_precision_keeps_its_digits_in_long_sequences() {
    let batch = long_batch();
    for level in SimdLevel::available() {
        let double = batch.loss(level, batch.options(), |x| f64::from(x as f32));
        let single = batch.loss(level, batch.options(), |x| x as f32);
        assert!(cfg!(miri) || double.losses[0] > 900.0, "{}", double.losses[0]);
        for (got, want) in single.losses.iter().zip(&double.losses) {
            assert!((f64::from(*got) / want - 1.0).abs() < 3e-7, "{got} for {want}");
        }
        let pairs = single.gradient.iter().flatten().zip(double.gradient.iter().flatten());
        for (got, want) in pairs {
            assert!((f64::from(*got) - want).abs() < 1e-5, "{got} for {want}");
        }
    }
}

/// A state whose probability is far below that of the others may be the only one that leads to the target.
#[test]
fn improbable_states_are_not_lost() {
    // Blank until the last step, where only the label is possible.
    let steps = 40;
    let logits = (0..steps).flat_map(|t| if t < steps - 1 { [0.0, -60.0] } else { [-60.0, 0.0] });
    let late =
        Batch { classes: 2, blank: 0, logits: vec![logits.collect()], targets: vec![vec![1]] };
    // One label per step, all of them improbable but the blank.
    let labels: Vec<u32> = (0..steps as u32).map(|k| 1 + k % 2).collect();
    let logits = vec![[0.0, -50.0, -70.0].repeat(steps)];
    let improbable = Batch { classes: 3, blank: 0, logits, targets: vec![labels] };
    for level in SimdLevel::available() {
        let (single, double) = (
            late.loss(level, late.options(), |x| x as f32),
            late.loss(level, late.options(), |x| x),
        );
        assert!(double.losses[0] < 1e-20 && single.losses[0].abs() < 1e-6, "{single:?}");
        let single = improbable.loss(level, improbable.options(), |x| x as f32);
        assert_eq!(single.losses, [2400.0]);
        let gradient = single.gradient.unwrap();
        for (got, want) in gradient.iter().zip([1.0, -1.0, 0.0, 1.0, 0.0, -1.0]) {
            assert!((got - want).abs() < 2e-7, "{got} for {want}");
        }
    }
}

#[test]
fn targets_without_alignment_are_infinite_or_zero() {
    // Three labels of which two are equal need four steps.
    let batch = |steps: usize, target: &[u32]| Batch {
        classes: 3,
        blank: 0,
        logits: vec![vec![0.5; steps * 3]],
        targets: vec![target.to_vec()],
    };
    for (steps, target) in [(3, &[1, 1, 2][..]), (0, &[1]), (1, &[1, 2])] {
        let batch = batch(steps, target);
        let level = SimdLevel::current().unwrap();
        let result = batch.loss(level, batch.options(), |x| x as f32);
        assert_eq!(result.losses, [f32::INFINITY]);
        assert!(result.gradient.unwrap().iter().all(|g| g.is_nan()));
        let options = CtcOptions { zero_infinity: true, ..batch.options() };
        let result = batch.loss(level, options, |x| x as f32);
        assert_eq!(result.losses, [0.0]);
        assert!(result.gradient.unwrap().iter().all(|&g| g == 0.0));
    }
    let batch = batch(4, &[1, 1, 2]);
    let result = batch.loss(SimdLevel::current().unwrap(), batch.options(), |x| x);
    // 1-12: one alignment of 81.
    assert!((result.losses[0] - 81f64.ln()).abs() < 1e-13);
}

#[test]
fn invalid_logits_make_their_own_sequence_nan() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for invalid in [[nan, 0.0], [inf, 0.0], [-inf, -inf], [0.0, nan]] {
        let logits = vec![[[0.0; 4].to_vec(), invalid.to_vec()].concat(), vec![0.0; 4]];
        let batch = Batch { classes: 2, blank: 0, logits, targets: vec![vec![1], vec![1]] };
        for zero_infinity in [false, true] {
            let options = CtcOptions { zero_infinity, ..batch.options() };
            let result = batch.loss(SimdLevel::current().unwrap(), options, |x| x as f32);
            assert!(result.losses[0].is_nan() && result.losses[1].is_finite(), "{invalid:?}");
            let gradient = result.gradient.unwrap();
            let nans = gradient.chunks(2).map(|row| row.iter().all(|g| g.is_nan()));
            assert!(nans.eq([true, false, true, false, true]), "{gradient:?}");
        }
    }
    // Classes may be excluded.
    let logits = vec![vec![-inf, 0.0, 0.0, -inf]];
    let batch = Batch { classes: 2, blank: 0, logits, targets: vec![vec![1]] };
    let result = batch.loss(SimdLevel::current().unwrap(), batch.options(), |x| x as f32);
    assert_eq!((result.losses[0], result.gradient.unwrap()), (0.0, vec![0.0; 4]));
}

#[test]
fn wrong_arguments_are_named() {
    let rows = PackedRows::new(2, &[2, 1]).unwrap();
    let loss = |classes, logits: &[f32], targets: &[&[u32]], blank| {
        let options = CtcOptions { blank, ..Default::default() };
        ctc_loss(&rows, classes, logits, targets, options).unwrap_err().to_string()
    };
    let message = "logits: expected 6 elements (N x C), got 5";
    assert_eq!(loss(2, &[0.0; 5], &[&[1], &[1]], 0), message);
    let message = "targets: expected 2 elements (B), got 1";
    assert_eq!(loss(2, &[0.0; 6], &[&[1]], 0), message);
    let message = "targets[1][2]: expected a class below 2 other than the blank, 0, got 2";
    assert_eq!(loss(2, &[0.0; 6], &[&[1], &[1, 1, 2]], 0), message);
    let message = "targets[0][0]: expected a class below 2 other than the blank, 1, got 1";
    assert_eq!(loss(2, &[0.0; 6], &[&[1], &[0]], 1), message);
    let message = "blank: expected a number below the number of classes, got 2";
    assert_eq!(loss(2, &[0.0; 6], &[&[1], &[0]], 2), message);
    assert_eq!(loss(0, &[], &[&[], &[]], 0), "classes: expected at least 1, got 0");
    let error = PackedRows::new(1, &[2]).unwrap_err();
    assert_eq!(error, Error::BatchSize { step: 0, max: 1, got: 2 });
}
