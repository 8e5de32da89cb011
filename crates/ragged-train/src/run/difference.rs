//! What has changed between a checkpoint and the run that goes on from it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One respect in which a run is no longer what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// A key of the configuration, or what else differs.
    pub name: String,
    /// The value of the checkpoint.
    pub before: String,
    /// The value now.
    pub now: String,
}

/// The point at which a run was resumed although something had changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForcedResume {
    /// The number of updates that had been made.
    pub updates: u64,
    /// What had changed.
    pub differences: Vec<Difference>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {} and is {}", self.name, self.before, self.now)
    }
}
