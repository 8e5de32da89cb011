//! JSON lines: one object per line.
//!
//! ```text
//! {"sequence": [[1.0, 0.5], [2.0, null]], "target": "walk"}
//! {"id": "b", "sequence": [[3.0, 0.25]], "target": "run"}
//! ```
//!
//! `sequence` is a list of steps. Each step is a list of numbers, or one number if there is one
//! feature; `null` is a missing value. With names for the features, each step is an object, such as
//! `{"speed": 1.0, "height": 0.5}`, or the sequence is an object of lists, such as
//! `{"speed": [1.0, 2.0], "height": [0.5, null]}`. `target` is a label, a number, a list of numbers, a list of
//! labels (one per step) or a list of lists of numbers (one list per step). `id` is a name.

mod read;
mod steps;
mod target;
mod texts;
mod write;

pub(super) use read::{read, read_after};
pub(super) use write::write;
