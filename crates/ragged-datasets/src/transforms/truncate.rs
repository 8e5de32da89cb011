//! Truncation of long sequences.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::example::Example;

/// Which steps of a sequence that is too long to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The first steps.
    #[default]
    First,
    /// The last steps.
    Last,
}

/// Truncates an example to at most `max_length` steps, with their targets if every step has its own.
pub(super) fn truncate(example: Example, max_length: usize, keep: Keep) -> Result<Example> {
    let length = example.sequence.len();
    if length <= max_length {
        return Ok(example);
    }
    let begin = match keep {
        Keep::First => 0,
        Keep::Last => length - max_length,
    };
    example.cut(begin, begin + max_length)
}
