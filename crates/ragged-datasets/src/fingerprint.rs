//! The SHA-256 sum of the content of a data set.

use sha2::{Digest, Sha256};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::example::{Example, Target};
use crate::target_kind::TargetPart;
use crate::tokens::column::TokenColumn;
use crate::tokens::step_tokens::StepTokens;

/// Returns the sum of any data set, as [`InMemory::fingerprint`](crate::InMemory::fingerprint) does.
///
/// # Errors
///
/// Errors of the data set.
pub fn fingerprint(dataset: &(impl Dataset + ?Sized)) -> Result<String> {
    let mut fingerprint = Fingerprint::new(dataset);
    for index in 0..dataset.len() {
        fingerprint.add(&dataset.get(0, index)?);
    }
    Ok(fingerprint.finish())
}

/// The sum of the examples so far.
pub(crate) struct Fingerprint<'a> {
    sum: Sha256,
    labels: &'a [String],
    parts: &'a [TargetPart],
    tokens: &'a [TokenColumn],
    categories: &'a [TokenColumn],
}

impl<'a> Fingerprint<'a> {
    /// Starts the sum of a data set.
    pub(crate) fn new(dataset: &'a (impl Dataset + ?Sized)) -> Self {
        Self {
            sum: Sha256::new(),
            labels: dataset.target_kind().labels().unwrap_or_default(),
            parts: dataset.target_kind().parts(),
            tokens: dataset.token_columns(),
            categories: &dataset.static_columns().categories,
        }
    }

    /// Adds the next example.
    pub(crate) fn add(&mut self, example: &Example) {
        self.sum.update((example.sequence.len() as u64).to_le_bytes());
        match example.sequence.exact_values() {
            Some(values) => {
                for value in values {
                    let value = if value.is_nan() { f64::NAN } else { *value };
                    self.sum.update(value.to_le_bytes());
                }
            }
            None => self.add_values(example.sequence.values()),
        }
        let ids = example.sequence.tokens().map_or(&[][..], StepTokens::ids);
        for (at, &id) in ids.iter().enumerate() {
            let column = self.tokens.get(at % self.tokens.len().max(1));
            match column.and_then(|column| column.texts.get(id as usize)) {
                Some(text) => self.add_text(text),
                None => self.sum.update(id.to_le_bytes()),
            }
        }
        if let Some(statics) = example.sequence.statics() {
            for value in &statics.numbers {
                let value = if value.is_nan() { f64::NAN } else { *value };
                self.sum.update(value.to_le_bytes());
            }
            for (&id, column) in statics.categories.iter().zip(self.categories) {
                match column.texts.get(id as usize) {
                    Some(text) => self.add_text(text),
                    None => self.sum.update(id.to_le_bytes()),
                }
            }
        }
        match &example.target {
            Target::Class(class) => self.add_label(*class),
            Target::StepClasses(classes) => {
                classes.iter().for_each(|&class| self.add_label(class));
            }
            Target::Values(values) if self.parts.is_empty() => self.add_values(values),
            Target::StepValues(values) if self.parts.is_empty() => {
                self.add_values(values.values());
            }
            Target::Values(values) => self.add_parts(values),
            Target::StepValues(values) => self.add_parts(values.values()),
            Target::Labels(labels) => {
                self.sum.update((labels.len() as u64).to_le_bytes());
                labels.iter().for_each(|&label| self.add_label(label));
            }
        }
    }

    /// Returns the sum as 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn add_values(&mut self, values: &[f32]) {
        for value in values {
            let value = if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { *value };
            self.sum.update(value.to_le_bytes());
        }
    }

    fn add_text(&mut self, text: &str) {
        self.sum.update(text.as_bytes());
        self.sum.update(b"\n");
    }

    fn add_label(&mut self, class: u32) {
        let labels = self.labels;
        self.add_text(&labels[class as usize]);
    }

    fn add_parts(&mut self, values: &[f32]) {
        for (value, part) in values.iter().zip(self.parts.iter().cycle()) {
            match part.labels().and_then(|labels| labels.get(*value as usize)) {
                Some(label) if !value.is_nan() => self.add_text(label),
                _ => self.add_values(&[*value]),
            }
        }
    }
}
