//! Which update rule, and what it takes beside the learning rate.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// An update rule with PyTorch's names and defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent.
    Sgd {
        /// How much of the last direction stays; 0 for plain descent.
        #[serde(default)]
        momentum: f64,
        /// The share of the gradient that does not join the momentum.
        #[serde(default)]
        dampening: f64,
        /// Whether to look ahead along the momentum (Nesterov).
        #[serde(default)]
        nesterov: bool,
        /// The share of the parameter that joins its gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2015).
    Adam {
        /// How slowly the two moments follow.
        #[serde(default = "betas")]
        betas: (f64, f64),
        /// Keeps the denominator from zero.
        #[serde(default = "eps")]
        eps: f64,
        /// The share of the parameter that joins its gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW {
        /// How slowly the two moments follow.
        #[serde(default = "betas")]
        betas: (f64, f64),
        /// Keeps the denominator from zero.
        #[serde(default = "eps")]
        eps: f64,
        /// The share of the parameter that is taken off, times the learning rate.
        #[serde(default = "decay")]
        weight_decay: f64,
    },
    /// RMSprop (Hinton's lecture 6; centred as in Graves 2013).
    RmsProp {
        /// How slowly the mean square follows.
        #[serde(default = "alpha")]
        alpha: f64,
        /// Keeps the denominator from zero.
        #[serde(default = "eps")]
        eps: f64,
        /// The share of the parameter that joins its gradient.
        #[serde(default)]
        weight_decay: f64,
        /// How much of the last direction stays; 0 for none.
        #[serde(default)]
        momentum: f64,
        /// Whether to divide by the deviation in place of the root mean square.
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
        Self::Adam { betas: betas(), eps: eps(), weight_decay: 0.0 }
    }
}

impl OptimizerConfig {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        let check = |name: &str, got: f64, ok: bool, expected: &str| match ok {
            true => Ok(()),
            false => Err(Error::config(format!("train.optimizer.{name}"), got, expected)),
        };
        let within = |name: &str, v: f64| check(name, v, (0.0..1.0).contains(&v), "0 to below 1");
        let positive = |name: &str, v: f64| check(name, v, v >= 0.0 && v.is_finite(), "at least 0");
        positive("weight_decay", self.weight_decay())?;
        match *self {
            Self::Sgd { momentum, dampening, nesterov, .. } => {
                within("momentum", momentum)?;
                within("dampening", dampening)?;
                check("momentum", momentum, !nesterov || momentum > 0.0, "above 0 for nesterov")?;
                check("dampening", dampening, !nesterov || dampening == 0.0, "0 for nesterov")
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

    /// The weight decay of parameters that no group speaks of.
    pub fn weight_decay(&self) -> f64 {
        match *self {
            Self::Sgd { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. }
            | Self::RmsProp { weight_decay, .. } => weight_decay,
        }
    }

    /// The momentum, or for Adam and AdamW the first of the betas: what a one-cycle schedule moves.
    pub fn momentum(&self) -> f64 {
        match *self {
            Self::Sgd { momentum, .. } | Self::RmsProp { momentum, .. } => momentum,
            Self::Adam { betas, .. } | Self::AdamW { betas, .. } => betas.0,
        }
    }

    /// PyTorch's names for what the rule keeps for every parameter.
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
