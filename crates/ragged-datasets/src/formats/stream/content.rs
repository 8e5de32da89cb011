//! What is known of all examples once each was read.

use serde::{Deserialize, Serialize};

use crate::example::Target;

/// What is known of all examples once each was read.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) fingerprint: String,
    pub(super) summary: String,
    pub(super) missing_notes: Vec<String>,
    pub(super) targets: Targets,
}

/// The targets of sequences that have one of a fixed size, and not one per step.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Targets {
    classes: Vec<u32>,
    /// Row-major `[sequences, outputs]`.
    #[serde(with = "bits")]
    values: Vec<f32>,
}

impl Targets {
    /// Adds the target of the next sequence.
    pub(super) fn add(&mut self, target: &Target) {
        match target {
            Target::Class(class) => self.classes.push(*class),
            Target::Values(values) => self.values.extend_from_slice(values),
            Target::StepClasses(_) | Target::StepValues(_) | Target::Labels(_) => {}
        }
    }

    /// Returns the target of a sequence, one of `count`, if targets of this kind are kept.
    pub(super) fn get(&self, count: usize, index: usize) -> Option<Target> {
        if let Some(&class) = self.classes.get(index) {
            return Some(Target::Class(class));
        }
        let width = self.values.len() / count;
        let values = self.values.get(index * width..(index + 1) * width)?;
        (width > 0).then(|| Target::Values(values.to_vec()))
    }
}

/// Values as their bits: JSON has no NaN.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[f32], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(|value| value.to_bits()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().map(f32::from_bits).collect())
    }
}
