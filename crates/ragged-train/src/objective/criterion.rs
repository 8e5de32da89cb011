//! The usual losses, with PyTorch's definitions.

use std::fmt;

use ragged_transforms::OutputKind;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::config::error::ConfigError;
use crate::error::Result;

/// A loss to minimise.
///
/// Each is the mean over the targets that are not missing, computed in 64 bits, and has PyTorch's definition and
/// gradient. In a configuration, `train.loss` is its name, or a table with its options.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_train::Criterion;
/// use ragged_train::objective::{Loss, Targets};
///
/// let prediction = Tensor::new(&[[1f32], [2.0], [7.0]], &Device::Cpu)?;
/// // The last target is missing.
/// let target = Tensor::new(&[[1f32], [4.0], [f32::NAN]], &Device::Cpu)?;
/// let loss = Criterion::Mse.value(&prediction, &Targets::new(&target))?;
/// assert_eq!(loss.to_scalar::<f32>()?, 2.0);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Criterion {
    /// The mean squared error.
    Mse,
    /// The mean absolute error.
    L1,
    /// Squared up to an error of `delta` and linear beyond (`nn.HuberLoss`).
    Huber {
        /// Default 1.
        #[serde(default = "one")]
        delta: f64,
    },
    /// Squared below an error of `beta` and linear beyond (`nn.SmoothL1Loss`): the Huber loss divided by `beta`.
    #[serde(rename = "smooth-l1")]
    SmoothL1 {
        /// Default 1.
        #[serde(default = "one")]
        beta: f64,
    },
    /// The negative log-likelihood of classes `[B]` under logits `[B, C]`, in nats (`nn.CrossEntropyLoss`).
    CrossEntropy {
        /// The weight of each class; the mean divides by the sum of the weights of the targets. Default 1.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        weight: Vec<f64>,
        /// The share of a target that is spread evenly over all classes, 0 to below 1. Default 0.
        #[serde(default)]
        label_smoothing: f64,
    },
    /// The negative log-likelihood of lists of labels under the outputs of every step, summed over all alignments, divided
    /// by the number of labels (`nn.CTCLoss`). The first output is the blank. A target that its sequence is too short for
    /// counts as zero.
    Ctc,
    /// Binary cross-entropy of values from 0 to 1 under logits, for several labels at once
    /// (`nn.BCEWithLogitsLoss`).
    Bce {
        /// The weight of the positive targets of each value, or of all. Default 1.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pos_weight: Vec<f64>,
    },
    /// The negative log-likelihood of counts under a Poisson distribution, without the term of the target alone
    /// (`nn.PoissonNLLLoss`).
    Poisson {
        /// Whether the output is the logarithm of the rate, and not the rate. Default true.
        #[serde(default = "yes")]
        log_input: bool,
    },
    /// The negative log-likelihood under a normal distribution, without its constant (`nn.GaussianNLLLoss`). Each
    /// value has two outputs: the mean, and s, from which the variance follows as `softplus(s)`.
    Gaussian,
    /// The pinball loss, whose minimum is at the quantiles of the target. Each value has an output per quantile.
    Quantile {
        /// Above 0 and below 1, in increasing order. Default 0.1, 0.5 and 0.9.
        #[serde(default = "usual_quantiles")]
        quantiles: Vec<f64>,
    },
}

fn one() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

fn usual_quantiles() -> Vec<f64> {
    vec![0.1, 0.5, 0.9]
}

impl Criterion {
    /// Returns cross-entropy with equal weights and without label smoothing.
    pub fn cross_entropy() -> Self {
        Self::CrossEntropy { weight: vec![], label_smoothing: 0.0 }
    }

    /// Returns the name that `train.loss` has.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mse => "mse",
            Self::L1 => "l1",
            Self::Huber { .. } => "huber",
            Self::SmoothL1 { .. } => "smooth-l1",
            Self::CrossEntropy { .. } => "cross-entropy",
            Self::Ctc => "ctc",
            Self::Bce { .. } => "bce",
            Self::Poisson { .. } => "poisson",
            Self::Gaussian => "gaussian",
            Self::Quantile { .. } => "quantile",
        }
    }

    /// Returns what the loss is, in words.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Mse => "mean squared error",
            Self::L1 => "mean absolute error",
            Self::Huber { .. } => "Huber loss",
            Self::SmoothL1 { .. } => "smooth L1 loss",
            Self::CrossEntropy { .. } => "cross-entropy in nats",
            Self::Ctc => "CTC loss per label in nats",
            Self::Bce { .. } => "binary cross-entropy in nats",
            Self::Poisson { .. } => "Poisson negative log-likelihood in nats",
            Self::Gaussian => "Gaussian negative log-likelihood in nats",
            Self::Quantile { .. } => "pinball loss",
        }
    }

    /// Returns what the outputs of a model are for each value.
    pub fn output_kind(&self) -> OutputKind {
        match self {
            Self::Bce { .. } => OutputKind::Logit,
            Self::Poisson { log_input: true } => OutputKind::LogRate,
            Self::Gaussian => OutputKind::Gaussian,
            Self::Quantile { quantiles } => OutputKind::Quantiles(quantiles.clone()),
            _ => OutputKind::Value,
        }
    }

    /// Returns the number of outputs of a model for each value.
    pub fn outputs_per_value(&self) -> usize {
        self.output_kind().per_value()
    }

    /// Returns whether the targets are classes.
    pub fn is_for_classes(&self) -> bool {
        matches!(self, Self::CrossEntropy { .. })
    }

    /// Returns whether the targets are lists of labels.
    pub fn is_for_transcription(&self) -> bool {
        matches!(self, Self::Ctc)
    }

    /// Returns whether targets may be shifted and scaled: not counts or probabilities.
    pub fn allows_scaling(&self) -> bool {
        !matches!(
            self,
            Self::CrossEntropy { .. } | Self::Ctc | Self::Bce { .. } | Self::Poisson { .. }
        )
    }

    /// Checks every option.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names the first value that is out of range.
    pub fn validate(&self) -> Result<()> {
        self.validate_at("train.loss")
    }

    /// Checks every option; `key` is that of the loss.
    pub(crate) fn validate_at(&self, key: &str) -> Result<()> {
        let check = |option: &str, got: f64, ok: bool, expected: &str| match ok {
            true => Ok(()),
            false => Err(ConfigError::range(format!("{key}.{option}"), got, expected)),
        };
        let positive = |got: f64| got > 0.0 && got.is_finite();
        match self {
            Self::Huber { delta } => {
                check("delta", *delta, positive(*delta), "a number above 0")?;
            }
            Self::SmoothL1 { beta } => {
                let ok = (0.0..f64::INFINITY).contains(beta);
                check("beta", *beta, ok, "a number of at least 0")?;
            }
            Self::CrossEntropy { weight, label_smoothing } => {
                let ok = (0.0..1.0).contains(label_smoothing);
                check("label_smoothing", *label_smoothing, ok, "0 to below 1")?;
                for &weight in weight {
                    let ok = (0.0..f64::INFINITY).contains(&weight);
                    check("weight", weight, ok, "numbers of at least 0")?;
                }
            }
            Self::Bce { pos_weight } => {
                for &weight in pos_weight {
                    check("pos_weight", weight, positive(weight), "numbers above 0")?;
                }
            }
            Self::Quantile { quantiles } => {
                for &q in quantiles {
                    check("quantiles", q, q > 0.0 && q < 1.0, "numbers above 0 and below 1")?;
                }
                if quantiles.is_empty() || !quantiles.is_sorted_by(|a, b| a < b) {
                    let (key, got) = (format!("{key}.quantiles"), format!("{quantiles:?}"));
                    let expected = "one or more numbers in increasing order";
                    return Err(ConfigError::range(key, got, expected).into());
                }
            }
            Self::Mse | Self::L1 | Self::Poisson { .. } | Self::Gaussian | Self::Ctc => {}
        }
        Ok(())
    }
}

/// Deserialises a loss from its name alone or from a table with its options.
pub(crate) fn name_or_table<'de, D>(from: D) -> std::result::Result<Option<Criterion>, D::Error>
where
    D: Deserializer<'de>,
{
    struct NameOrTable;

    impl<'de> Visitor<'de> for NameOrTable {
        type Value = Criterion;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("the name of a loss, or a section with a `name`")
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> std::result::Result<Criterion, E> {
            let pairs = std::iter::once(("name", name));
            Criterion::deserialize(serde::de::value::MapDeserializer::new(pairs))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Criterion, A::Error> {
            Criterion::deserialize(MapAccessDeserializer::new(map))
        }
    }

    from.deserialize_any(NameOrTable).map(Some)
}
