//! The plots and tables at the end of a run.

use crate::error::{Error, Result};
use crate::fit::record::EpochRecord;
use crate::objective::metric_sum::MetricSum;
use crate::objective::scaled::Objective;
use crate::run::plot;
use crate::run::run_dir::{ClassResult, RunDir};

/// The results of a run.
pub(crate) struct Results<'a> {
    /// The name of the run.
    pub(crate) name: &'a str,
    pub(crate) objective: &'a Objective,
    /// The labels of the classes, for classes.
    pub(crate) labels: Option<&'a [String]>,
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
        let unit = self.objective.describe();
        let svg =
            plot::losses(&title, &unit, self.records, self.best).map_err(failed("loss.svg"))?;
        run.write("loss.svg", &svg)?;
        if let (Some(confusion), Some(labels)) = (self.tested.confusion(), self.labels) {
            run.write("confusion.txt", &confusion.table(labels))?;
            let title = format!("{}: test data", self.name);
            let svg =
                plot::confusion(&title, labels, confusion).map_err(failed("confusion.svg"))?;
            run.write("confusion.svg", &svg)?;
        }
        Ok(())
    }

    /// Returns the scores of every class on the test data, for classes.
    pub(crate) fn class_scores(&self) -> Vec<ClassResult> {
        let (Some(confusion), Some(labels)) = (self.tested.confusion(), self.labels) else {
            return vec![];
        };
        let result = |(k, label): (usize, &String)| {
            Some(ClassResult { label: label.clone(), scores: confusion.class_score(k)? })
        };
        labels.iter().enumerate().filter_map(result).collect()
    }
}
