//! A sentence about the targets of a data set.

use crate::example::Target;
use crate::formats::feature_names::list;
use crate::formats::task::Task;
use crate::target_kind::{TargetKind, TargetPart};

/// The number of classes that a summary lists.
const CLASSES: usize = 20;

/// The ranges of the targets that were added, as far as they are values.
#[derive(Debug)]
pub(crate) struct TargetSummary<'a> {
    kind: &'a TargetKind,
    /// One of all values, or one of each part.
    ranges: Vec<Range>,
}

/// The range of some values.
#[derive(Debug, Clone, Copy)]
struct Range {
    min: f32,
    max: f32,
    /// The number of values, with those that are missing.
    count: usize,
    missing: usize,
}

impl Range {
    const NONE: Self = Self { min: f32::INFINITY, max: f32::NEG_INFINITY, count: 0, missing: 0 };

    fn add(&mut self, value: f32) {
        self.count += 1;
        self.missing += usize::from(value.is_nan());
        // Both are the number if the other one is NaN.
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}

impl<'a> TargetSummary<'a> {
    /// Starts the summary of targets of a kind.
    pub(crate) fn new(kind: &'a TargetKind) -> Self {
        Self { kind, ranges: vec![Range::NONE; kind.parts().len().max(1)] }
    }

    /// Adds the target of an example.
    pub(crate) fn add(&mut self, target: &Target) {
        let values = match target {
            Target::Values(values) => values,
            Target::StepValues(values) => values.values(),
            Target::Class(_) | Target::StepClasses(_) | Target::Labels(_) => &[],
        };
        for row in values.chunks(self.ranges.len()) {
            self.ranges.iter_mut().zip(row).for_each(|(range, &value)| range.add(value));
        }
    }

    /// Returns a note on each part of which some values are missing.
    pub(super) fn missing_notes(&self) -> Vec<String> {
        let with =
            self.kind.parts().iter().zip(&self.ranges).filter(|(_, range)| range.missing > 0);
        let note = |(part, Range { count, missing, .. }): (&TargetPart, &Range)| {
            let name = &part.name;
            format!("target: {missing} of {count} values of `{name}` are missing, and do not count")
        };
        with.map(note).collect()
    }

    /// Describes the targets, such as `target: regression, 12 values from 0.5 to 14.25`.
    pub(crate) fn sentence(&self) -> String {
        let per_step = if self.kind.is_per_step() { " (one target per step)" } else { "" };
        if let TargetKind::Parts { parts, .. } = self.kind {
            let all: Vec<String> =
                parts.iter().zip(&self.ranges).map(|(part, range)| of_part(part, range)).collect();
            return format!("target: {} parts{per_step}: {}", parts.len(), all.join("; "));
        }
        let Some(task) = Task::of(self.kind) else { return "target: none".into() };
        let name = task.name();
        if let Some(labels) = self.kind.labels() {
            let shown: Vec<&str> = labels.iter().take(CLASSES).map(String::as_str).collect();
            let (shown, count) = (shown.join(", "), labels.len());
            let more = if count > CLASSES { ", ..." } else { "" };
            let classes = match (self.kind.is_transcription(), count) {
                (true, 1) => "label",
                (true, _) => "labels",
                (false, 1) => "class",
                (false, _) => "classes",
            };
            return format!("target: {name}{per_step}, {count} {classes}: {shown}{more}");
        }
        let Range { min, max, count, .. } = self.ranges[0];
        let width = match self.kind.outputs() {
            1 => String::new(),
            outputs => format!(" in {outputs} columns"),
        };
        match count {
            0 => format!("target: {name}{per_step}, no values"),
            1 => format!("target: {name}{per_step}, 1 value, {min}"),
            _ => format!("target: {name}{per_step}, {count} values{width} from {min} to {max}"),
        }
    }
}

/// Describes a part in some words.
fn of_part(part: &TargetPart, range: &Range) -> String {
    let Range { min, max, count, missing } = range;
    match part.labels() {
        Some(labels) => {
            let (count, classes) =
                (labels.len(), if labels.len() == 1 { "class" } else { "classes" });
            format!("{}, {count} {classes}: {}", part.name, list(labels.iter().map(String::as_str)))
        }
        None if count == missing => format!("{}, no values", part.name),
        None => format!("{}, values from {min} to {max}", part.name),
    }
}
