//! How a run ended.

use crate::fit::progress::Progress;
use crate::run::run_dir::RunSummary;

/// How [`Experiment::run`](crate::Experiment::run) ended.
#[derive(Debug)]
pub enum RunOutcome {
    /// The run is complete; its result.
    Finished(Box<RunSummary>),
    /// An observer interrupted the run; the last checkpoint has this position.
    Interrupted(Box<Progress>),
}
