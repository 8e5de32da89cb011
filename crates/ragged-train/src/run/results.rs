//! The plots and tables at the end of a run.

use ragged_datasets::TargetKind;

use crate::config::run_name::is_plain;
use crate::error::{Error, Result};
use crate::fit::record::EpochRecord;
use crate::objective::confusion_matrix::ConfusionMatrix;
use crate::objective::metric_sum::MetricSum;
use crate::objective::run_objective::RunObjective;
use crate::run::plot;
use crate::run::run_dir::{ClassResult, RunDir};

/// The results of a run.
pub(crate) struct Results<'a> {
    /// The name of the run.
    pub(crate) name: &'a str,
    pub(crate) objective: &'a RunObjective,
    /// What was predicted, with the labels of classes.
    pub(crate) targets: &'a TargetKind,
    pub(crate) records: &'a [EpochRecord],
    /// The best epoch.
    pub(crate) best: usize,
    /// The metrics on the test data.
    pub(crate) tested: &'a MetricSum,
}

impl Results<'_> {
    /// Writes the plots and tables.
    pub(crate) fn draw(&self, run: &RunDir) -> Result<()> {
        let failed = |name: &str| {
            let path = run.path().join(name);
            move |source| Error::Plot { path, source }
        };
        let title = format!("{}: loss over the epochs", self.name);
        let unit = match self.objective.heads() {
            [] => self.objective.describe(),
            // The sum itself is too long for an axis.
            heads => format!("weighted sum of {} heads", heads.len()),
        };
        let svg =
            plot::losses(&title, &unit, self.records, self.best).map_err(failed("loss.svg"))?;
        run.write("loss.svg", &svg)?;
        for (k, (head, confusion, labels)) in confusions(self.tested, self.targets).enumerate() {
            let (stem, of) = match head {
                None => ("confusion".to_string(), String::new()),
                // A name with other characters might be none of a file.
                Some(head) if head.chars().all(is_plain) => {
                    (format!("confusion-{head}"), format!("{head}, "))
                }
                Some(head) => (format!("confusion.{}", k + 1), format!("{head}, ")),
            };
            run.write(&format!("{stem}.txt"), &confusion.table(labels))?;
            let (title, name) = (format!("{}: {of}test data", self.name), format!("{stem}.svg"));
            let svg = plot::confusion(&title, labels, confusion).map_err(failed(&name))?;
            run.write(&name, &svg)?;
        }
        Ok(())
    }

    /// Returns the scores of every class on the test data, for classes.
    pub(crate) fn class_scores(&self) -> Vec<ClassResult> {
        let mut results = vec![];
        for (head, confusion, labels) in confusions(self.tested, self.targets) {
            let result = |(k, label): (usize, &String)| {
                let head = head.map(String::from);
                Some(ClassResult { head, label: label.clone(), scores: confusion.class_score(k)? })
            };
            results.extend(labels.iter().enumerate().filter_map(result));
        }
        results
    }
}

/// Returns the confusion matrices of a data set with the labels of their classes: that of a single target, or those of
/// the heads that predict classes, with their names.
pub(crate) fn confusions<'a>(
    sum: &'a MetricSum,
    targets: &'a TargetKind,
) -> impl Iterator<Item = (Option<&'a str>, &'a ConfusionMatrix, &'a [String])> {
    let single =
        sum.confusion().zip(targets.labels()).map(|(matrix, labels)| (None, matrix, labels));
    let of_head = |(name, matrix): (&'a str, &'a ConfusionMatrix)| {
        let part = targets.parts().iter().find(|part| part.name == name)?;
        Some((Some(name), matrix, part.labels()?))
    };
    single.into_iter().chain(sum.head_confusions().filter_map(of_head))
}
