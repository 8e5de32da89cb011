//! The content of a run's files, so that evaluation and resumption notice other data.

use ragged_datasets::{Dataset, InMemory};
use serde::{Deserialize, Serialize};

/// The content of the files of a run, as saved in its checkpoints. Generated data have none.
///
/// Which sequences of a file are held out follows from their number and the seed. In a file that has grown, the
/// test data would contain sequences that the model was trained on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFingerprints {
    /// The training file, or the file from which the test data are held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<DataFingerprint>,
    /// The validation file, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<DataFingerprint>,
    /// The test file, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<DataFingerprint>,
    /// The SHA-256 sum of the `tokenizer.json` file, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
}

/// The content of one file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFingerprint {
    /// The number of sequences.
    pub sequences: usize,
    /// [`InMemory::fingerprint`], which does not depend on the format of the file.
    pub sha256: String,
}

impl DataFingerprint {
    /// Returns the fingerprint of a data set.
    pub fn of(data: &InMemory) -> Self {
        Self { sequences: data.len(), sha256: data.fingerprint() }
    }
}

impl std::fmt::Display for DataFingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sequences with the SHA-256 sum {:.8}..", self.sequences, self.sha256)
    }
}
