//! The kinds and sizes of targets, as errors name them.

use std::fmt;

/// The kind and size of a target, without its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetShape {
    /// This class.
    Class(u32),
    /// This number of values.
    Values(usize),
    /// One class for each of these steps.
    StepClasses {
        /// The number of steps.
        steps: usize,
        /// The largest class; `None` for no step.
        largest: Option<u32>,
    },
    /// Values for each of these steps.
    StepValues {
        /// The number of steps.
        steps: usize,
        /// The number of values for each step.
        values: usize,
    },
    /// This number of labels.
    Labels {
        /// The number of labels.
        count: usize,
        /// The largest index; `None` for no label.
        largest: Option<u32>,
    },
}

impl fmt::Display for TargetShape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Self::Class(class) => write!(f, "target class {class}"),
            Self::Values(count) => write!(f, "{count} target values"),
            Self::StepClasses { steps, largest } => {
                write!(f, "target classes for {steps} steps")?;
                largest.map_or(Ok(()), |largest| write!(f, ", the largest {largest}"))
            }
            Self::StepValues { steps, values } => {
                write!(f, "{values} target values for each of {steps} steps")
            }
            Self::Labels { count, largest } => {
                write!(f, "a target of {count} labels")?;
                largest.map_or(Ok(()), |largest| write!(f, ", the largest {largest}"))
            }
        }
    }
}

/// The kind and size that a target must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedTarget {
    /// One class.
    Class {
        /// The number of classes, where it is known.
        classes: Option<usize>,
    },
    /// This number of values.
    Values(usize),
    /// One class for each of these steps.
    StepClasses {
        /// The number of steps.
        steps: usize,
        /// The number of classes, where it is known.
        classes: Option<usize>,
    },
    /// Values for each of these steps.
    StepValues {
        /// The number of steps.
        steps: usize,
        /// The number of values for each step.
        values: usize,
    },
    /// A list of labels.
    Labels {
        /// The number of known labels, where it is known.
        labels: Option<usize>,
    },
    /// Several targets, one value each.
    Parts {
        /// The number of targets.
        parts: usize,
        /// The number of steps, where each step has its own targets.
        steps: Option<usize>,
    },
}

impl fmt::Display for ExpectedTarget {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Self::Class { classes: None } => f.write_str("a class"),
            Self::Class { classes: Some(classes) } => write!(f, "a class below {classes}"),
            Self::Values(count) => write!(f, "{count} values"),
            Self::StepClasses { steps, classes: None } => {
                write!(f, "one class for each of {steps} steps")
            }
            Self::StepClasses { steps, classes: Some(classes) } => {
                write!(f, "one class below {classes} for each of {steps} steps")
            }
            Self::StepValues { steps, values } => {
                write!(f, "{values} values for each of {steps} steps")
            }
            Self::Labels { labels: None } => f.write_str("a list of labels"),
            Self::Labels { labels: Some(labels) } => {
                write!(f, "a list of labels below {labels}")
            }
            Self::Parts { parts, steps } => {
                write!(f, "{parts} values")?;
                steps.map_or(Ok(()), |steps| write!(f, " for each of {steps} steps"))?;
                f.write_str(", where a class is its index or NaN")
            }
        }
    }
}
