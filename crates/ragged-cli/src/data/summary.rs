//! The contents of a data set in a few lines.

use std::io::Write;

use ragged_datasets::{Dataset, Target};

use crate::failure::Failure;

/// Counts over all examples.
pub(super) struct Summary {
    pub(super) lengths: Vec<usize>,
    features: usize,
    missing: usize,
    /// The number of examples of each class, or of time steps where each has a class.
    classes: Vec<usize>,
    /// The smallest target value, the largest, the sum and the count.
    values: (f32, f32, f64, usize),
}

/// The number of classes that are listed.
const CLASSES: usize = 20;
/// The number of features whose names are listed.
const NAMES: usize = 20;

impl Summary {
    pub(super) fn of(data: &dyn Dataset) -> Result<Self, Failure> {
        let mut this = Self {
            lengths: Vec::with_capacity(data.len()),
            features: data.features(),
            missing: 0,
            classes: vec![0; data.target_kind().labels().map_or(0, <[String]>::len)],
            values: (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0),
        };
        for index in 0..data.len() {
            let example = data.get(0, index)?;
            this.lengths.push(example.sequence.len());
            this.missing += example.sequence.values().iter().filter(|v| v.is_nan()).count();
            match &example.target {
                Target::Class(class) => this.classes[*class as usize] += 1,
                Target::StepClasses(classes) => {
                    classes.iter().for_each(|&class| this.classes[class as usize] += 1);
                }
                Target::Values(values) => this.add(values),
                Target::StepValues(values) => this.add(values.values()),
            }
        }
        Ok(this)
    }

    fn add(&mut self, values: &[f32]) {
        for &value in values {
            let (min, max, sum, count) = self.values;
            self.values = (min.min(value), max.max(value), sum + f64::from(value), count + 1);
        }
    }

    pub(super) fn print(&self, data: &dyn Dataset, out: &mut impl Write) -> std::io::Result<()> {
        let kind = data.target_kind();
        let steps: usize = self.lengths.iter().sum();
        let mut sorted = self.lengths.clone();
        sorted.sort_unstable();
        writeln!(out, "sequences  {}", self.lengths.len())?;
        writeln!(out, "features   {}", self.features)?;
        if let Some(names) = data.feature_names() {
            let more = if names.len() > NAMES { ", ..." } else { "" };
            let names: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
            writeln!(out, "names      {}{more}", names.join(", "))?;
        }
        if let (Some(min), Some(max)) = (sorted.first(), sorted.last()) {
            let mean = steps as f64 / sorted.len() as f64;
            let median = sorted[sorted.len() / 2];
            writeln!(
                out,
                "steps      {steps}: {min} to {max} per sequence, mean {mean:.1}, median {median}"
            )?;
        }
        let values = steps * self.features;
        let percent = 100.0 * self.missing as f64 / values.max(1) as f64;
        writeln!(out, "missing    {} of {values} values ({percent:.1} %)", self.missing)?;
        let per = if kind.is_per_step() { "per step" } else { "per sequence" };
        if let Some(labels) = kind.labels() {
            let counts = labels.iter().zip(&self.classes).take(CLASSES);
            let counts: Vec<_> = counts.map(|(label, count)| format!("{label} {count}")).collect();
            let more = if labels.len() > CLASSES { ", ..." } else { "" };
            writeln!(out, "classes    {} {per}: {}{more}", labels.len(), counts.join(", "))?;
        } else if kind.outputs() == 0 {
            writeln!(out, "targets    none")?;
        } else {
            let (min, max, sum, count) = self.values;
            let mean = sum / count.max(1) as f64;
            writeln!(out, "targets    {} {per}: {min} to {max}, mean {mean:.3}", kind.outputs())?;
        }
        Ok(())
    }
}
