//! What is in a data set.

use ragged_datasets::{Dataset, Target, TargetKind};

use crate::failure::Failure;

/// Counted over all examples.
pub(super) struct Summary {
    pub(super) lengths: Vec<usize>,
    features: usize,
    missing: usize,
    /// Examples, or steps, of each class.
    classes: Vec<usize>,
    /// The least and the largest target, the sum, and how many there are.
    values: (f32, f32, f64, usize),
}

/// Classes that are printed one by one.
const CLASSES: usize = 20;

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
            let (least, most, sum, count) = self.values;
            self.values = (least.min(value), most.max(value), sum + f64::from(value), count + 1);
        }
    }

    pub(super) fn print(&self, kind: &TargetKind) {
        let steps: usize = self.lengths.iter().sum();
        let mut sorted = self.lengths.clone();
        sorted.sort_unstable();
        println!("sequences  {}", self.lengths.len());
        println!("features   {}", self.features);
        if let (Some(least), Some(most)) = (sorted.first(), sorted.last()) {
            let mean = steps as f64 / sorted.len() as f64;
            let median = sorted[sorted.len() / 2];
            println!(
                "steps      {steps}: {least} to {most} a sequence, mean {mean:.1}, median {median}"
            );
        }
        let values = steps * self.features;
        let share = 100.0 * self.missing as f64 / values.max(1) as f64;
        println!("missing    {} of {values} values ({share:.1} %)", self.missing);
        let per = if kind.is_per_step() { "a step" } else { "a sequence" };
        if let Some(labels) = kind.labels() {
            let counts = labels.iter().zip(&self.classes).take(CLASSES);
            let counts: Vec<_> = counts.map(|(label, count)| format!("{label} {count}")).collect();
            let more = if labels.len() > CLASSES { ", ..." } else { "" };
            println!("classes    {} {per}: {}{more}", labels.len(), counts.join(", "));
        } else if kind.outputs() == 0 {
            println!("targets    none");
        } else {
            let (least, most, sum, count) = self.values;
            let mean = sum / count.max(1) as f64;
            println!("targets    {} {per}: {least} to {most}, mean {mean:.3}", kind.outputs());
        }
    }
}
