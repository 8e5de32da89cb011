//! Which class was taken for which, and what follows from it for each class.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Counts of (true class, predicted class).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    classes: usize,
    /// Row by row, a row a true class.
    counts: Vec<u64>,
}

/// How well one class was found. A share of nothing is 0, as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// The share of right ones among those that were taken for this class.
    pub precision: f64,
    /// The share of those of this class that were found.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// How many there are.
    pub support: u64,
}

impl Confusion {
    /// Adds examples: their true and their predicted classes, of `classes` in all.
    pub fn add(&mut self, classes: usize, truth: &[u32], guess: &[u32]) {
        if self.classes == 0 {
            (self.classes, self.counts) = (classes, vec![0; classes * classes]);
        }
        for (&truth, &guess) in truth.iter().zip(guess) {
            self.counts[truth as usize * self.classes + guess as usize] += 1;
        }
    }

    /// How many of class `truth` were taken for class `guess`.
    pub fn count(&self, truth: usize, guess: usize) -> u64 {
        self.counts[truth * self.classes + guess]
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The share of right answers.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|k| self.count(k, k)).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// Precision, recall and F1 of a class.
    pub fn score(&self, class: usize) -> ClassScore {
        let right = self.count(class, class);
        let all = 0..self.classes;
        let taken: u64 = all.clone().map(|truth| self.count(truth, class)).sum();
        let support: u64 = all.map(|guess| self.count(class, guess)).sum();
        let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
        ClassScore {
            precision: share(right, taken),
            recall: share(right, support),
            f1: share(2 * right, taken + support),
            support,
        }
    }

    /// The mean of the classes' F1, each class counting alike.
    pub fn mean_f1(&self) -> f64 {
        (0..self.classes).map(|k| self.score(k).f1).sum::<f64>() / self.classes as f64
    }

    /// The matrix and the scores of every class, as text in columns.
    pub fn table(&self, labels: &[String]) -> String {
        let label = |k: usize| labels.get(k).map_or_else(|| k.to_string(), Clone::clone);
        let widest = (0..self.classes).map(|k| label(k).chars().count()).max().unwrap_or(0);
        let digits = self.counts.iter().max().map_or(1, |most| most.to_string().len());
        let (first, cell) = (widest.max("true".len()), widest.max(digits).max(3));
        let mut text = format!("{:>first$}  taken for\n{:>first$} ", "true", "");
        for k in 0..self.classes {
            let _ = write!(text, " {:>cell$}", label(k));
        }
        text += "   precision  recall      F1  examples\n";
        for truth in 0..self.classes {
            let _ = write!(text, "{:>first$} ", label(truth));
            for guess in 0..self.classes {
                let _ = write!(text, " {:>cell$}", self.count(truth, guess));
            }
            let ClassScore { precision, recall, f1, support } = self.score(truth);
            let _ = writeln!(text, "   {precision:>9.4}  {recall:>6.4}  {f1:>6.4}  {support:>8}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_the_textbooks() {
        let mut confusion = Confusion::default();
        confusion.add(3, &[0, 1, 2, 0], &[0, 2, 1, 0]);
        confusion.add(3, &[1, 2], &[0, 1]);
        // scikit-learn's example for precision_recall_fscore_support.
        let of = |k| confusion.score(k);
        assert!((of(0).precision - 2.0 / 3.0).abs() < 1e-15 && of(0).recall == 1.0);
        assert!((of(0).f1 - 0.8).abs() < 1e-15);
        assert_eq!((of(1).precision, of(1).recall, of(1).f1, of(2).support), (0.0, 0.0, 0.0, 2));
        assert!((confusion.mean_f1() - 0.26666666666666666).abs() < 1e-15);
        assert!((confusion.accuracy() - 1.0 / 3.0).abs() < 1e-15);
        let table = confusion.table(&["a".into(), "bb".into(), "c".into()]);
        let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(rows[3], ["bb", "1", "0", "1", "0.0000", "0.0000", "0.0000", "2"]);
    }
}
