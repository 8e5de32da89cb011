//! The sections of a configuration about generated data.

use ragged_datasets::synthetic::{Lengths, SyntheticTask};
use serde::{Deserialize, Serialize};

/// The synthetic data of the lecture: sequences of standard normal values, whose sum is the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SumsSection {
    /// Training examples per epoch. Default 1000.
    pub num_samples: usize,
    /// The length of the sequences, or their largest length for `variable-sums`. Default 50.
    pub seq_length: usize,
    /// Features per time step. Default 7.
    pub input_size: usize,
    /// Whether each epoch generates new examples, as the data set of the lecture does. Default true.
    pub redraw: bool,
    /// Examples for validation, and the same number for the test. Default 1000.
    pub held_out: usize,
}

impl Default for SumsSection {
    fn default() -> Self {
        Self { num_samples: 1000, seq_length: 50, input_size: 7, redraw: true, held_out: 1000 }
    }
}

/// A generated task; [`ragged_datasets::synthetic`] describes the tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticSection {
    /// The task, such as `{ name = "adding" }`.
    pub task: SyntheticTask,
    /// The lengths of the sequences. Default uniform in 1 to 50.
    #[serde(default)]
    pub lengths: Lengths,
    /// The lengths of the sequences for validation and test; longer ones show whether the model
    /// generalises to lengths it was not trained on. Default those of the training examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_lengths: Option<Lengths>,
    /// Training examples per epoch. Default 1000.
    #[serde(default = "thousand")]
    pub num_samples: usize,
    /// Whether each epoch generates new examples. Default true.
    #[serde(default = "yes")]
    pub redraw: bool,
    /// Examples for validation, and the same number for the test. Default 1000.
    #[serde(default = "thousand")]
    pub held_out: usize,
}

fn thousand() -> usize {
    1000
}

fn yes() -> bool {
    true
}
