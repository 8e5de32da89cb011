//! What a model predicts.

use serde::Deserialize;

/// The kind of the targets that the model was trained for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Targets {
    /// One class per sequence; the labels in the order of their outputs.
    Classes(Vec<String>),
    /// This number of values per sequence.
    Values(usize),
    /// One class per step; the labels in the order of their outputs.
    StepClasses(Vec<String>),
    /// This number of values per step.
    StepValues(usize),
    /// Several targets, each predicted by a head with outputs of its own ([`Model::heads`](crate::Model::heads)).
    Parts {
        /// The targets in the order of their outputs.
        parts: Vec<Part>,
        /// Whether every step has its own targets.
        per_step: bool,
    },
}

/// One of several targets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The name of the target.
    pub name: String,
    kind: PartKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PartKind {
    Classes(Vec<String>),
    Values,
}

impl Part {
    /// Returns the labels of the classes, or `None` if the target is a value.
    pub fn labels(&self) -> Option<&[String]> {
        match &self.kind {
            PartKind::Classes(labels) => Some(labels),
            PartKind::Values => None,
        }
    }

    /// Returns the label of the largest of the outputs of its head, as [`Targets::label`].
    pub fn label<T: PartialOrd + Copy>(&self, outputs: &[T]) -> Option<&str> {
        label(self.labels()?, outputs)
    }
}

impl Targets {
    /// Returns the labels of the classes, or `None` if targets are not classes, or are several.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Classes(labels) | Self::StepClasses(labels) => Some(labels),
            Self::Values(_) | Self::StepValues(_) | Self::Parts { .. } => None,
        }
    }

    /// Returns the parts of several targets; none for other kinds.
    pub fn parts(&self) -> &[Part] {
        match self {
            Self::Parts { parts, .. } => parts,
            _ => &[],
        }
    }

    /// Returns the label of the largest output, the first of several; `None` if targets are not classes, or an output is
    /// NaN.
    ///
    /// ```
    /// use ragged_runtime::Targets;
    ///
    /// let targets = Targets::Classes(vec!["walk".into(), "run".into()]);
    /// assert_eq!(targets.label(&[0.25, 0.75]), Some("run"));
    /// ```
    pub fn label<T: PartialOrd + Copy>(&self, outputs: &[T]) -> Option<&str> {
        label(self.labels()?, outputs)
    }
}

/// Returns the label of the largest output, the first of several; `None` where an output is NaN.
fn label<'a, T: PartialOrd + Copy>(labels: &'a [String], outputs: &[T]) -> Option<&'a str> {
    if outputs.iter().any(|value| value.partial_cmp(value).is_none()) {
        return None;
    }
    let mut largest = 0;
    for (k, value) in outputs.iter().enumerate() {
        if *value > outputs[largest] {
            largest = k;
        }
    }
    Some(labels.get(largest)?.as_str())
}

/// Returns the probabilities of logits, `e^x / sum(e^x)`, in double precision.
///
/// ```
/// assert_eq!(ragged_runtime::softmax(&[1.0, 1.0]), [0.5, 0.5]);
/// ```
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(x.into()));
    let exps: Vec<f64> = logits.iter().map(|&x| (f64::from(x) - largest).exp()).collect();
    let sum = exps.iter().fold(0.0, |sum, exp| sum + exp);
    exps.into_iter().map(|exp| exp / sum).collect()
}
