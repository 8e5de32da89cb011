//! The choice of the optimiser, and its options except for the learning rate.

use serde::{Deserialize, Serialize};

use crate::config::error::ConfigError;
use crate::error::Result;

/// An optimiser with PyTorch's names and defaults.
///
/// ```
/// use ragged_train::OptimizerConfig;
///
/// let text = "name = \"rmsprop\"\nmomentum = 0.9\n";
/// let config: OptimizerConfig = toml::from_str(text).unwrap();
/// assert_eq!(config.momentum(), 0.9);
/// assert_eq!(OptimizerConfig::default(), OptimizerConfig::adam());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent.
    Sgd {
        /// The decay of the momentum buffer; 0 for no momentum. Default 0.
        #[serde(default)]
        momentum: f64,
        /// The fraction of the gradient that is not added to the momentum buffer. Default 0.
        #[serde(default)]
        dampening: f64,
        /// Whether to use Nesterov's momentum. Default false.
        #[serde(default)]
        nesterov: bool,
        /// The L2 penalty (weight decay). Default 0.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2015).
    Adam {
        /// The decays of the running averages of the gradient and of its square. Default 0.9 and
        /// 0.999.
        #[serde(default = "betas")]
        betas: (f64, f64),
        /// Added to the denominator for numerical stability. Default 1e-8.
        #[serde(default = "eps")]
        eps: f64,
        /// The L2 penalty (weight decay). Default 0.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW {
        /// The decays of the running averages of the gradient and of its square. Default 0.9 and
        /// 0.999.
        #[serde(default = "betas")]
        betas: (f64, f64),
        /// Added to the denominator for numerical stability. Default 1e-8.
        #[serde(default = "eps")]
        eps: f64,
        /// The weight decay: the parameter shrinks by this fraction times the learning rate. Default
        /// 0.01.
        #[serde(default = "decay")]
        weight_decay: f64,
    },
    /// RMSprop (Hinton's lecture 6; the centred variant of Graves 2013).
    RmsProp {
        /// The decay of the running average of the squared gradient. Default 0.99.
        #[serde(default = "alpha")]
        alpha: f64,
        /// Added to the denominator for numerical stability. Default 1e-8.
        #[serde(default = "eps")]
        eps: f64,
        /// The L2 penalty (weight decay). Default 0.
        #[serde(default)]
        weight_decay: f64,
        /// The decay of the momentum buffer; 0 for no momentum. Default 0.
        #[serde(default)]
        momentum: f64,
        /// Whether to divide by the standard deviation of the gradient instead of its root mean
        /// square. Default false.
        #[serde(default)]
        centered: bool,
    },
}

fn betas() -> (f64, f64) {
    (0.9, 0.999)
}

fn eps() -> f64 {
    1e-8
}

fn decay() -> f64 {
    0.01
}

fn alpha() -> f64 {
    0.99
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::adam()
    }
}

impl OptimizerConfig {
    /// Returns SGD with PyTorch's defaults: no momentum and no weight decay.
    pub fn sgd() -> Self {
        Self::Sgd { momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay: 0.0 }
    }

    /// Returns Adam with PyTorch's defaults.
    pub fn adam() -> Self {
        Self::Adam { betas: betas(), eps: eps(), weight_decay: 0.0 }
    }

    /// Returns AdamW with PyTorch's defaults.
    pub fn adamw() -> Self {
        Self::AdamW { betas: betas(), eps: eps(), weight_decay: decay() }
    }

    /// Returns RMSprop with PyTorch's defaults.
    pub fn rmsprop() -> Self {
        let (alpha, eps) = (alpha(), eps());
        Self::RmsProp { alpha, eps, weight_decay: 0.0, momentum: 0.0, centered: false }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names the first value that is out of range.
    pub fn validate(&self) -> Result<()> {
        let check = |name: &str, got: f64, ok: bool, expected: &str| match ok {
            true => Ok(()),
            false => {
                Err(ConfigError::range(format!("train.optimizer.{name}"), got, expected).into())
            }
        };
        let within = |name: &str, v: f64| check(name, v, (0.0..1.0).contains(&v), "0 to below 1");
        let positive = |name: &str, v: f64| check(name, v, v >= 0.0 && v.is_finite(), "at least 0");
        positive("weight_decay", self.weight_decay())?;
        match *self {
            Self::Sgd { momentum, dampening, nesterov, .. } => {
                within("momentum", momentum)?;
                within("dampening", dampening)?;
                check("momentum", momentum, !nesterov || momentum > 0.0, "above 0 with nesterov")?;
                check("dampening", dampening, !nesterov || dampening == 0.0, "0 with nesterov")
            }
            Self::Adam { betas, eps, .. } | Self::AdamW { betas, eps, .. } => {
                within("betas", betas.0)?;
                within("betas", betas.1)?;
                positive("eps", eps)
            }
            Self::RmsProp { alpha, eps, momentum, .. } => {
                within("alpha", alpha)?;
                within("momentum", momentum)?;
                positive("eps", eps)
            }
        }
    }

    /// Returns the weight decay of the parameters outside all groups.
    pub fn weight_decay(&self) -> f64 {
        match *self {
            Self::Sgd { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. }
            | Self::RmsProp { weight_decay, .. } => weight_decay,
        }
    }

    /// Returns the momentum, or for Adam and AdamW the first beta: the value that a one-cycle schedule
    /// changes.
    pub fn momentum(&self) -> f64 {
        match *self {
            Self::Sgd { momentum, .. } | Self::RmsProp { momentum, .. } => momentum,
            Self::Adam { betas, .. } | Self::AdamW { betas, .. } => betas.0,
        }
    }

    /// Returns PyTorch's names of the state tensors of every parameter.
    pub(crate) fn slots(&self) -> &'static [&'static str] {
        match *self {
            Self::Sgd { momentum, .. } => {
                if momentum > 0.0 {
                    &["momentum_buffer"]
                } else {
                    &[]
                }
            }
            Self::Adam { .. } | Self::AdamW { .. } => &["exp_avg", "exp_avg_sq"],
            Self::RmsProp { momentum, centered, .. } => match (momentum > 0.0, centered) {
                (false, false) => &["square_avg"],
                (true, false) => &["square_avg", "momentum_buffer"],
                (false, true) => &["square_avg", "grad_avg"],
                (true, true) => &["square_avg", "momentum_buffer", "grad_avg"],
            },
        }
    }
}
