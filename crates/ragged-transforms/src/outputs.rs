//! From the outputs of a model to predictions in the units of the training data.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::scaling::Standardize;

/// The smallest variance of a Gaussian prediction, as in PyTorch's `GaussianNLLLoss`.
pub const SMALLEST_VARIANCE: f64 = 1e-6;

/// What the outputs of a model are for each value to predict.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputKind {
    /// One output: the value itself, or the logit of a class.
    #[default]
    Value,
    /// One output for each of these quantiles.
    Quantiles(Vec<f64>),
    /// Two outputs: the mean m, and s, from which the variance follows as `softplus(s) = ln(1 + e^s)`. The prediction
    /// is the mean and the standard deviation.
    Gaussian,
    /// One output: the logarithm of the expected number of events.
    LogRate,
    /// One output: the logit of the probability that the value is 1 and not 0.
    Logit,
    /// The outputs of several heads, next to each other in this order.
    Heads(Vec<HeadOutputs>),
}

/// What a head predicts from its range of the outputs of a model.
///
/// ```
/// use ragged_transforms::{HeadOutputs, OutputKind, Outputs, Standardize};
///
/// // Three logits of classes, and a value whose targets were scaled.
/// let scale = Some(Standardize { mean: vec![10.0], std: vec![2.0] });
/// let activity = HeadOutputs { name: "activity".into(), count: 3, outputs: Outputs::default() };
/// let speed = Outputs { kind: OutputKind::Value, scale };
/// let speed = HeadOutputs { name: "speed".into(), count: 1, outputs: speed };
/// let outputs = Outputs { kind: OutputKind::Heads(vec![activity, speed]), scale: None };
/// outputs.check(4)?;
/// let mut row = [0.5, 1.5, -1.0, 0.25];
/// outputs.apply(&mut row);
/// assert_eq!(row, [0.5, 1.5, -1.0, 10.5]);
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadOutputs {
    /// The name of the head.
    pub name: String,
    /// The number of its outputs.
    pub count: usize,
    /// How its predictions follow from them.
    #[serde(default, skip_serializing_if = "Outputs::is_identity")]
    pub outputs: Outputs,
}

/// How predictions follow from the outputs of a model. The default returns the outputs as they are.
///
/// ```
/// use ragged_transforms::{OutputKind, Outputs, Standardize};
///
/// // The model was trained on targets that were scaled to mean 0 and standard deviation 1.
/// let scale = Standardize { mean: vec![250_000.0], std: vec![1_000.0] };
/// let outputs = Outputs { kind: OutputKind::Quantiles(vec![0.1, 0.9]), scale: Some(scale) };
/// outputs.check(2)?;
/// let mut row = [-1.5, 1.25];
/// outputs.apply(&mut row);
/// assert_eq!(row, [248_500.0, 251_250.0]);
/// assert_eq!(outputs.names(1), ["q0.1", "q0.9"]);
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// What the outputs are.
    #[serde(default)]
    pub kind: OutputKind,
    /// The scale of the targets in training, if they were scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Standardize>,
}

impl OutputKind {
    /// Returns the number of outputs for each value, or of all heads together.
    pub fn per_value(&self) -> usize {
        match self {
            Self::Value | Self::LogRate | Self::Logit => 1,
            Self::Gaussian => 2,
            Self::Quantiles(quantiles) => quantiles.len(),
            Self::Heads(heads) => heads.iter().map(|head| head.count).sum(),
        }
    }

    /// Returns the heads of a model with several; none for other kinds.
    pub fn heads(&self) -> &[HeadOutputs] {
        match self {
            Self::Heads(heads) => heads,
            _ => &[],
        }
    }
}

impl Outputs {
    /// Returns whether predictions are the outputs themselves.
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that a model with this number of outputs has whole values, each with a usable scale.
    ///
    /// # Errors
    ///
    /// [`Error::Outputs`] for outputs that are no whole values, [`Error::Heads`] for those that are not of these heads,
    /// [`Error::Count`] and [`Error::Fitted`] for the scale.
    pub fn check(&self, outputs: usize) -> Result<()> {
        if let OutputKind::Heads(heads) = &self.kind {
            let flat = |head: &HeadOutputs| !matches!(head.outputs.kind, OutputKind::Heads(_));
            let counts = heads.iter().try_fold(0usize, |sum, head| sum.checked_add(head.count));
            if counts != Some(outputs) || !heads.iter().all(flat) || self.scale.is_some() {
                let expected = heads.iter().map(|head| head.count).collect();
                return Err(Error::Heads { outputs, expected });
            }
            return heads.iter().try_for_each(|head| head.outputs.check(head.count));
        }
        let per_value = self.kind.per_value();
        if per_value == 0 || !outputs.is_multiple_of(per_value) {
            return Err(Error::Outputs { outputs, per_value });
        }
        self.scale.as_ref().map_or(Ok(()), |scale| scale.check(outputs / per_value))
    }

    /// Replaces the outputs of one or more rows by predictions, in place. Computed in 64 bits and rounded to 32 bits.
    pub fn apply(&self, rows: &mut [f32]) {
        if self.is_identity() {
            return;
        }
        let per_value = self.kind.per_value().max(1);
        if let OutputKind::Heads(heads) = &self.kind {
            for mut rest in rows.chunks_exact_mut(per_value) {
                for head in heads {
                    let (outputs, later) = rest.split_at_mut(head.count);
                    head.outputs.apply(outputs);
                    rest = later;
                }
            }
            return;
        }
        for (index, outputs) in rows.chunks_exact_mut(per_value).enumerate() {
            let (mean, std) = match &self.scale {
                Some(Standardize { mean, std }) => {
                    let k = index % mean.len().max(1);
                    (mean.get(k).copied().unwrap_or(0.0), std.get(k).copied().unwrap_or(1.0))
                }
                None => (0.0, 1.0),
            };
            for (part, output) in outputs.iter_mut().enumerate() {
                let x = f64::from(*output);
                let value = match (&self.kind, part) {
                    (OutputKind::Gaussian, 1) => softplus(x).max(SMALLEST_VARIANCE).sqrt() * std,
                    (OutputKind::LogRate, _) => x.exp(),
                    (OutputKind::Logit, _) => sigmoid(x),
                    _ => x * std + mean,
                };
                *output = value as f32;
            }
        }
    }

    /// Returns the names of the predictions for this number of values: `value_1`, `q0.1`, `mean` and `std`, `rate_1`,
    /// or `p_1`. With several values, the names of quantiles, means and standard deviations start with that of the
    /// value, as in `value_2_q0.1`. Those of heads start with the name of the head and a point.
    pub fn names(&self, values: usize) -> Vec<String> {
        let named = |parts: &[String]| -> Vec<String> {
            let prefix = |k: usize| if values > 1 { format!("value_{k}_") } else { String::new() };
            let of = |k| parts.iter().map(move |part| format!("{}{part}", prefix(k)));
            (1..=values).flat_map(of).collect()
        };
        let numbered = |name: &str| (1..=values).map(|k| format!("{name}_{k}")).collect();
        match &self.kind {
            OutputKind::Value => numbered("value"),
            OutputKind::Quantiles(quantiles) => {
                named(&quantiles.iter().map(|q| format!("q{q}")).collect::<Vec<_>>())
            }
            OutputKind::Gaussian => named(&["mean".into(), "std".into()]),
            OutputKind::LogRate => numbered("rate"),
            OutputKind::Logit => numbered("p"),
            OutputKind::Heads(heads) => heads.iter().flat_map(HeadOutputs::names).collect(),
        }
    }
}

impl HeadOutputs {
    /// Returns the names of its predictions, which start with its own.
    fn names(&self) -> Vec<String> {
        let values = self.count / self.outputs.kind.per_value().max(1);
        let names = self.outputs.names(values).into_iter();
        names.map(|name| format!("{}.{name}", self.name)).collect()
    }
}

/// Returns `ln(1 + e^x)`, which does not overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Returns `1 / (1 + e^-x)`, which does not overflow.
pub fn sigmoid(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_own_scale() {
        let scale = Some(Standardize { mean: vec![10.0, -1.0], std: vec![2.0, 4.0] });
        let mut rows = [0.5, 0.5, -1.0, 1.0];
        Outputs { kind: OutputKind::Value, scale: scale.clone() }.apply(&mut rows);
        assert_eq!(rows, [11.0, 1.0, 8.0, 3.0]);
        let gaussian = Outputs { kind: OutputKind::Gaussian, scale };
        // softplus(s) = 1 for s = ln(e - 1); far below, the variance has its limit.
        let s = (1f64.exp() - 1.0).ln() as f32;
        let mut row = [0.5, s, 1.0, -100.0];
        gaussian.apply(&mut row);
        assert_eq!((row[0], row[2], row[3]), (11.0, 3.0, 4e-3));
        assert!((row[1] - 2.0).abs() < 1e-6, "{row:?}");
        assert_eq!(
            gaussian.names(2),
            ["value_1_mean", "value_1_std", "value_2_mean", "value_2_std"]
        );
    }

    #[test]
    fn probabilities_and_rates_do_not_overflow() {
        let mut row = [0.0, 800.0, -800.0];
        Outputs { kind: OutputKind::Logit, scale: None }.apply(&mut row);
        assert_eq!(row, [0.5, 1.0, 0.0]);
        assert_eq!((softplus(1e4), softplus(-1e4)), (1e4, 0.0));
        let mut row = [0.0];
        Outputs { kind: OutputKind::LogRate, scale: None }.apply(&mut row);
        assert_eq!(row, [1.0]);
    }

    #[test]
    fn heads_are_applied_as_if_each_were_alone() {
        let scale = Some(Standardize { mean: vec![10.0], std: vec![2.0] });
        let alone = [
            (2, Outputs::default()),
            (2, Outputs { kind: OutputKind::Gaussian, scale: scale.clone() }),
            (3, Outputs { kind: OutputKind::Quantiles(vec![0.1, 0.5, 0.9]), scale }),
            (1, Outputs { kind: OutputKind::LogRate, scale: None }),
        ];
        let head = |(k, (count, outputs)): (usize, &(usize, Outputs))| HeadOutputs {
            name: format!("h{k}"),
            count: *count,
            outputs: outputs.clone(),
        };
        let heads = OutputKind::Heads(alone.iter().enumerate().map(head).collect());
        let outputs = Outputs { kind: heads, scale: None };
        let mut rows: Vec<f32> = (0..16).map(|k| (k as f32 * 0.7).sin()).collect();
        let mut expected = rows.clone();
        for row in expected.chunks_exact_mut(8) {
            let mut at = 0;
            for (count, outputs) in &alone {
                outputs.apply(&mut row[at..at + count]);
                at += count;
            }
        }
        outputs.apply(&mut rows);
        assert_eq!(rows, expected);
        let names = [
            "h0.value_1",
            "h0.value_2",
            "h1.mean",
            "h1.std",
            "h2.q0.1",
            "h2.q0.5",
            "h2.q0.9",
            "h3.rate_1",
        ];
        assert_eq!(outputs.names(1), names);
        assert!(outputs.check(8).is_ok());
        let message = "7 outputs: expected those of the heads, [2, 2, 3, 1]";
        assert_eq!(outputs.check(7).unwrap_err().to_string(), message);
        let text = serde_json::to_string(&outputs).unwrap();
        assert_eq!(serde_json::from_str::<Outputs>(&text).unwrap(), outputs);
        let huge = |count| HeadOutputs { name: "x".into(), count, outputs: Outputs::default() };
        let huge = OutputKind::Heads(vec![huge(usize::MAX), huge(2)]);
        assert!(Outputs { kind: huge, scale: None }.check(1).is_err());
    }

    #[test]
    fn outputs_that_are_no_whole_values_are_refused() {
        let outputs = Outputs { kind: OutputKind::Gaussian, scale: None };
        assert!(outputs.check(4).is_ok());
        let message = "3 outputs: expected a multiple of 2, the outputs of one value";
        assert_eq!(outputs.check(3).unwrap_err().to_string(), message);
        let scale = Some(Standardize { mean: vec![0.0], std: vec![0.0] });
        assert!(Outputs { kind: OutputKind::Value, scale }.check(1).is_err());
        let none = Outputs { kind: OutputKind::Quantiles(vec![]), scale: None };
        assert!(none.check(0).is_err());
    }
}
