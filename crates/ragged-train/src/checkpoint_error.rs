//! Why a file cannot be read as a checkpoint.

use ragged_datasets::{TargetKind, TargetPart};

/// Why a file cannot be read as a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file is not in the safetensors format.
    #[error("not a checkpoint: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// The metadata lack the key under which a checkpoint stores its own.
    #[error("not a checkpoint: it has no metadata key `{key}`")]
    NoMetadata {
        /// The key.
        key: &'static str,
    },
    /// The metadata are not those of a checkpoint.
    #[error("not a checkpoint: {0}")]
    Metadata(#[from] serde_json::Error),
    /// The metadata contain no SHA-256 sum.
    #[error("not a checkpoint: it has no SHA-256 sum")]
    NoSum,
    /// The contents have changed since they were written.
    #[error("damaged: its SHA-256 sum is {got}, expected {expected}")]
    Damaged {
        /// The sum stored in the file.
        expected: String,
        /// The sum of the contents as they are.
        got: String,
    },
    /// The tensors cannot be loaded.
    #[error("not a checkpoint: {0}")]
    Tensors(#[from] candle_core::Error),
    /// The checkpoint was trained for other targets than those of the data.
    #[error("targets: expected {}, as in the data, got {}", kind(expected), kind(got))]
    Targets {
        /// The targets of the data.
        expected: TargetKind,
        /// The targets of the checkpoint.
        got: TargetKind,
    },
    /// The checkpoint was trained on other features than those of the data.
    #[error("features: expected {}, as in the data, got {}", names(expected), names(got))]
    Features {
        /// The names of the features of the data, if they have names.
        expected: Option<Vec<String>>,
        /// The names of the features of the checkpoint.
        got: Option<Vec<String>>,
    },
}

/// Names of features in words.
fn names(features: &Option<Vec<String>>) -> String {
    features.as_ref().map_or("features without names".into(), |names| names.join(", "))
}

/// A kind of targets in words.
pub(crate) fn kind(targets: &TargetKind) -> String {
    let outputs = targets.outputs();
    match targets {
        TargetKind::Classes(_) => format!("one of {outputs} classes per sequence"),
        TargetKind::StepClasses(_) => format!("one of {outputs} classes per step"),
        TargetKind::Labels(labels) => format!("lists of {} labels", labels.len()),
        TargetKind::Values(_) => format!("{outputs} values per sequence"),
        TargetKind::StepValues(_) => format!("{outputs} values per step"),
        TargetKind::Parts { parts, per_step } => {
            let of = |part: &TargetPart| match part.labels() {
                Some(labels) => format!("{} of {} classes", part.name, labels.len()),
                None => format!("{}, a value,", part.name),
            };
            let all = parts.iter().map(of).collect::<Vec<_>>().join(" and ");
            format!("{all} per {}", if *per_step { "step" } else { "sequence" })
        }
    }
}
