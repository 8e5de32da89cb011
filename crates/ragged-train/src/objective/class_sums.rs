//! Which classes were predicted, accumulated over batches.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::objective::class_logits::{TOP, all_finite, rank};
use crate::objective::confusion_matrix::ConfusionMatrix;
use crate::objective::fused::wide;
use crate::objective::targets::MISSING_CLASS;

/// The confusion matrix, and how often the class was among the largest outputs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassSums {
    pub(super) confusion: ConfusionMatrix,
    top: u64,
    rows: u64,
    /// Whether any output is not finite: the largest of outputs with NaN is no prediction.
    pub(super) non_finite: bool,
}

impl ClassSums {
    /// Adds the outputs `[B, O]` of a batch, its classes, and those that were predicted.
    pub(super) fn add(&mut self, prediction: &Tensor, wanted: &[u32], guess: &[u32]) -> Result<()> {
        self.non_finite |= !all_finite(prediction)?;
        self.confusion.add(prediction.dim(1)?, wanted, guess);
        Ok(())
    }

    /// Counts the rows of a batch whose class is among the five largest logits, where there are more than five classes.
    pub(super) fn add_top(&mut self, prediction: &Tensor, wanted: &[u32]) -> Result<()> {
        let count = prediction.dim(1)?;
        if count > TOP {
            let logits = wide(prediction)?;
            for (row, &class) in logits.chunks_exact(count).zip(wanted) {
                self.top += u64::from(class != MISSING_CLASS && rank(row, class) < TOP);
                self.rows += u64::from(class != MISSING_CLASS);
            }
        }
        Ok(())
    }

    /// Adds the counts of other batches.
    pub(super) fn merge(&mut self, other: &Self) {
        self.confusion.merge(&other.confusion);
        self.top += other.top;
        self.rows += other.rows;
        self.non_finite |= other.non_finite;
    }

    /// Returns the metrics by name, the one that is usually quoted first.
    pub(super) fn finish(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("accuracy", self.confusion.accuracy()),
            ("balanced_accuracy", self.confusion.balanced_accuracy()),
            ("f1", self.confusion.mean_f1()),
        ]
    }

    /// Returns the fraction of classes among the five largest logits, where there are more than five classes.
    pub(super) fn top5(&self) -> Option<(&'static str, f64)> {
        (self.confusion.classes() > TOP).then(|| ("top5", self.top as f64 / self.rows as f64))
    }
}
