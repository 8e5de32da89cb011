//! Long sequences cut short.

use serde::{Deserialize, Serialize};

use crate::{Example, Result, Sequence, Target};

/// Which steps of a sequence that is too long stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those at the beginning.
    #[default]
    First,
    /// Those at the end.
    Last,
}

/// The example with at most `max_length` steps, and their targets where it has one for each.
pub(super) fn truncate(example: Example, max_length: usize, keep: Keep) -> Result<Example> {
    let length = example.sequence.len();
    if length <= max_length {
        return Ok(example);
    }
    let begin = match keep {
        Keep::First => 0,
        Keep::Last => length - max_length,
    };
    cut(&example, begin, begin + max_length)
}

/// Steps `begin..end` of an example, and their targets where it has one for each.
pub(crate) fn cut(example: &Example, begin: usize, end: usize) -> Result<Example> {
    let steps = |sequence: &Sequence| {
        let features = sequence.features();
        Sequence::new(sequence.values()[begin * features..end * features].to_vec(), features)
    };
    let target = match &example.target {
        Target::StepClasses(classes) => Target::StepClasses(classes[begin..end].to_vec()),
        Target::StepValues(values) => Target::StepValues(steps(values)?),
        whole => whole.clone(),
    };
    Ok(Example { sequence: steps(&example.sequence)?, target })
}
