//! The contents of a data set in a few lines.

use std::io::Write;

use ragged_datasets::formats::{Column, Role};
use ragged_datasets::tokens::StepTokens;
use ragged_datasets::{Dataset, Target, TargetPart};

use crate::failure::Failure;

/// Counts over all examples.
pub(super) struct Summary {
    pub(super) lengths: Vec<usize>,
    features: Vec<Values>,
    /// For each column of tokens, the number of occurrences of each text.
    tokens: Vec<Vec<usize>>,
    /// The number of examples of each class, or of time steps where each has a class.
    classes: Vec<usize>,
    targets: Values,
    /// One of each of several targets.
    parts: Vec<PartSummary>,
}

/// One of several targets.
struct PartSummary {
    name: String,
    labels: Vec<String>,
    /// The number of targets of each class.
    classes: Vec<usize>,
    values: Values,
}

impl PartSummary {
    fn new(part: &TargetPart) -> Self {
        let labels = part.labels().unwrap_or_default().to_vec();
        let classes = vec![0; labels.len()];
        Self { name: part.name.clone(), labels, classes, values: Values::NONE }
    }

    fn add(&mut self, value: f32) {
        self.values.add(value);
        if let Some(count) = self.classes.get_mut(value as usize).filter(|_| !value.is_nan()) {
            *count += 1;
        }
    }
}

/// Writes the number of targets of each class, or the range of the values.
impl std::fmt::Display for PartSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.labels.is_empty() {
            return write!(f, "{}", self.values);
        }
        let counts = self.labels.iter().zip(&self.classes).take(CLASSES);
        let counts: Vec<_> = counts.map(|(label, count)| format!("{label} {count}")).collect();
        let more = if self.labels.len() > CLASSES { ", ..." } else { "" };
        write!(f, "{} classes: {}{more}", self.labels.len(), counts.join(", "))?;
        match self.values.missing {
            0 => Ok(()),
            missing => write!(f, ", {missing} missing"),
        }
    }
}

/// The values of a feature or of the targets.
#[derive(Clone)]
struct Values {
    min: f32,
    max: f32,
    sum: f64,
    /// Without the missing ones.
    count: usize,
    missing: usize,
}

impl Values {
    const NONE: Self =
        Self { min: f32::INFINITY, max: f32::NEG_INFINITY, sum: 0.0, count: 0, missing: 0 };

    fn add(&mut self, value: f32) {
        if value.is_nan() {
            self.missing += 1;
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += f64::from(value);
        self.count += 1;
    }
}

/// Writes the range and the number of missing values.
impl std::fmt::Display for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            0 => f.write_str("no values")?,
            _ if self.min == self.max => write!(f, "always {}", self.min)?,
            _ => write!(f, "{} to {}", self.min, self.max)?,
        }
        match self.missing {
            0 => Ok(()),
            missing => write!(f, ", {missing} of {} missing", self.count + missing),
        }
    }
}

/// The number of classes that are listed.
const CLASSES: usize = 20;
/// The number of tokens that are listed.
const TOKENS: usize = 8;
/// The number of features that are listed.
const FEATURES: usize = 20;

impl Summary {
    pub(super) fn of(data: &dyn Dataset) -> Result<Self, Failure> {
        let mut this = Self {
            lengths: Vec::with_capacity(data.len()),
            features: vec![Values::NONE; data.features()],
            tokens: data.token_columns().iter().map(|c| vec![0; c.texts.len()]).collect(),
            classes: vec![0; data.target_kind().labels().map_or(0, <[String]>::len)],
            targets: Values::NONE,
            parts: data.target_kind().parts().iter().map(PartSummary::new).collect(),
        };
        for index in 0..data.len() {
            let example = data.get(0, index)?;
            this.lengths.push(example.sequence.len());
            for step in example.sequence.steps() {
                this.features.iter_mut().zip(step).for_each(|(feature, &value)| feature.add(value));
            }
            let ids = example.sequence.tokens().map_or(&[][..], StepTokens::ids);
            for (at, &id) in ids.iter().enumerate() {
                let columns = this.tokens.len();
                this.tokens[at % columns][id as usize] += 1;
            }
            match &example.target {
                Target::Class(class) => this.classes[*class as usize] += 1,
                Target::StepClasses(classes) | Target::Labels(classes) => {
                    classes.iter().for_each(|&class| this.classes[class as usize] += 1);
                }
                Target::Values(values) => this.add_targets(values),
                Target::StepValues(values) => this.add_targets(values.values()),
            }
        }
        Ok(this)
    }

    /// Adds targets that are values, row-major.
    fn add_targets(&mut self, values: &[f32]) {
        if self.parts.is_empty() {
            return values.iter().for_each(|&value| self.targets.add(value));
        }
        let parts = self.parts.len();
        values.iter().enumerate().for_each(|(at, &value)| self.parts[at % parts].add(value));
    }

    /// Prints what each column of a file is read as, and the range of each feature.
    pub(super) fn print_columns(
        &self,
        columns: &[Column],
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        let is_feature = |column: &&Column| matches!(column.role, Role::Feature(_));
        let hidden = columns.iter().filter(is_feature).count().saturating_sub(FEATURES);
        let shown = |column: &&Column| !matches!(column.role, Role::Feature(k) if k >= FEATURES);
        let names = columns.iter().filter(shown).map(|column| column.name.chars().count());
        let width = names.max().unwrap_or(0).clamp(7, 30);
        writeln!(out, "columns")?;
        for column in columns.iter().filter(shown) {
            write!(out, "  {:width$}  {column}", column.name)?;
            match column.role {
                Role::Feature(k) => writeln!(out, ": {}", self.features[k])?,
                _ => writeln!(out)?,
            }
        }
        if hidden > 0 {
            writeln!(out, "  {:width$}  {hidden} more features", "...")?;
        }
        Ok(())
    }

    pub(super) fn print(&self, data: &dyn Dataset, out: &mut impl Write) -> std::io::Result<()> {
        let kind = data.target_kind();
        let steps: usize = self.lengths.iter().sum();
        let mut sorted = self.lengths.clone();
        sorted.sort_unstable();
        writeln!(out, "sequences  {}", self.lengths.len())?;
        writeln!(out, "features   {}", self.features.len())?;
        if let (Some(min), Some(max)) = (sorted.first(), sorted.last()) {
            let mean = steps as f64 / sorted.len() as f64;
            let median = sorted[sorted.len() / 2];
            writeln!(
                out,
                "steps      {steps}: {min} to {max} per sequence, mean {mean:.1}, median {median}"
            )?;
        }
        for (column, counts) in data.token_columns().iter().zip(&self.tokens) {
            let mut by_count: Vec<_> = counts.iter().zip(&column.texts).collect();
            by_count.sort_by(|(a, a_text), (b, b_text)| b.cmp(a).then_with(|| a_text.cmp(b_text)));
            let most: Vec<_> =
                by_count.iter().take(TOKENS).map(|(n, text)| format!("{text:?} {n}")).collect();
            let more = if counts.len() > TOKENS { ", ..." } else { "" };
            writeln!(
                out,
                "{:<10} {} different: {}{more}",
                column.name,
                counts.len(),
                most.join(", ")
            )?;
        }
        let values = steps * self.features.len();
        let missing: usize = self.features.iter().map(|feature| feature.missing).sum();
        let percent = 100.0 * missing as f64 / values.max(1) as f64;
        writeln!(out, "missing    {missing} of {values} values ({percent:.1} %)")?;
        let per = if kind.is_per_step() { "per step" } else { "per sequence" };
        for part in &self.parts {
            writeln!(out, "target     {} {per}, {part}", part.name)?;
        }
        if !self.parts.is_empty() {
            return Ok(());
        }
        if let Some(labels) = kind.labels() {
            let counts = labels.iter().zip(&self.classes).take(CLASSES);
            let counts: Vec<_> = counts.map(|(label, count)| format!("{label} {count}")).collect();
            let more = if labels.len() > CLASSES { ", ..." } else { "" };
            let what = if kind.is_transcription() { "labels    " } else { "classes   " };
            writeln!(out, "{what} {} {per}: {}{more}", labels.len(), counts.join(", "))?;
        } else if kind.outputs() == 0 {
            writeln!(out, "targets    none")?;
        } else {
            let Values { min, max, sum, count, .. } = self.targets;
            let mean = sum / count.max(1) as f64;
            writeln!(out, "targets    {} {per}: {min} to {max}, mean {mean:.3}", kind.outputs())?;
        }
        Ok(())
    }
}
