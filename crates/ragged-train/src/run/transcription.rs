//! Targets that are lists of labels, before training.

use ragged_datasets::{Dataset, Target};

use crate::config::error::ConfigError;
use crate::config::experiment_config::ExperimentConfig;
use crate::error::Result;
use crate::run::datasets::Datasets;

/// Checks that steps are repeated for lists of labels only: other models do not need it, and the repetition is no part
/// of a checkpoint, so that `ragged-runtime` would not know of it.
pub(crate) fn check_repeat(config: &ExperimentConfig, data: &Datasets) -> Result<()> {
    match config.data.read.repeat {
        Some(times) if times.get() > 1 && !data.targets().is_transcription() => {
            let message = format!(
                "data.read.repeat is {times}, but the targets are not lists of labels: expected 1"
            );
            Err(ConfigError::conflict("data.read.repeat", message).into())
        }
        _ => Ok(()),
    }
}

/// Returns a note for each part of the data that has targets for which their sequences are too short: CTC aligns each
/// label with a step of its own, and needs a step between two equal labels.
pub(crate) fn transcription_notes(data: &Datasets) -> Result<Vec<String>> {
    let mut notes = vec![];
    let parts = [("training", Some(&data.train)), ("validation", data.valid.as_ref())];
    for (part, data) in parts.into_iter().chain([("test", Some(&data.test))]) {
        let Some(data) = data.filter(|data| data.target_kind().is_transcription()) else {
            continue;
        };
        let (mut count, mut first) = (0, None);
        for index in 0..data.len() {
            let example = data.get(0, index)?;
            let Target::Labels(labels) = &example.target else { continue };
            let repetitions = labels.windows(2).filter(|pair| pair[0] == pair[1]).count();
            let (needed, steps) = (labels.len() + repetitions, example.sequence.len());
            if needed > steps {
                count += 1;
                let name = || data.id(index).map_or_else(|| (index + 1).to_string(), String::from);
                first.get_or_insert_with(|| (name(), needed, steps));
            }
        }
        if let Some((name, needed, steps)) = first {
            let all = data.len();
            notes.push(format!(
                "target: {count} of {all} in the {part} data need more steps than their sequences have, first sequence \
                 {name}, which has {steps} of {needed}; their loss counts as zero (data.read.repeat adds steps)"
            ));
        }
    }
    Ok(notes)
}
