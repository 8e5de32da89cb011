//! SGD, Adam and AdamW with PyTorch's update rules, their state by parameter name.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::update::{Real, Update, update};
use crate::{Error, Gradients, Result};

/// Which rule, with PyTorch's names and defaults for what it takes beside the learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent.
    Sgd {
        /// How much of the last direction stays; 0 for plain descent.
        #[serde(default)]
        momentum: f64,
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
            false => Err(Error::Config(format!("{name} is {got}: expected {expected}"))),
        };
        let within = |name: &str, v: f64| check(name, v, (0.0..1.0).contains(&v), "0 to below 1");
        let positive = |name: &str, v: f64| check(name, v, v >= 0.0 && v.is_finite(), "at least 0");
        match *self {
            Self::Sgd { momentum, nesterov, weight_decay } => {
                within("momentum", momentum)?;
                check("momentum", momentum, !nesterov || momentum > 0.0, "above 0 for nesterov")?;
                positive("weight_decay", weight_decay)
            }
            Self::Adam { betas, eps, weight_decay } | Self::AdamW { betas, eps, weight_decay } => {
                within("betas[0]", betas.0)?;
                within("betas[1]", betas.1)?;
                positive("eps", eps)?;
                positive("weight_decay", weight_decay)
            }
        }
    }

    /// PyTorch's names for the tensors that the rule keeps for every parameter.
    fn slots(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd { momentum: 0.0, .. } => &[],
            Self::Sgd { .. } => &["momentum_buffer"],
            Self::Adam { .. } | Self::AdamW { .. } => &["exp_avg", "exp_avg_sq"],
        }
    }
}

/// An update rule and its state.
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<(String, Var)>,
    /// A parameter's slots, in the order of [`OptimizerConfig::slots`].
    state: Vec<Vec<Tensor>>,
    updates: u64,
}

impl Optimizer {
    /// Fresh state for these parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for values that the rule cannot have.
    pub fn new(config: OptimizerConfig, parameters: Vec<(String, Var)>) -> Result<Self> {
        config.validate()?;
        let zeros = |(_, var): &(String, Var)| -> Result<Vec<Tensor>> {
            config.slots().iter().map(|_| Ok(var.zeros_like()?)).collect()
        };
        let state = parameters.iter().map(zeros).collect::<Result<_>>()?;
        Ok(Self { config, parameters, state, updates: 0 })
    }

    /// The parameters it updates, in their order.
    pub fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    /// How many updates it has made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// One update at learning rate `lr`. A parameter without a gradient stays as it is.
    ///
    /// # Errors
    ///
    /// Candle's, where a gradient's shape or dtype is not its parameter's.
    pub fn step(&mut self, gradients: &Gradients, lr: f64) -> Result<()> {
        self.updates += 1;
        for ((name, var), state) in self.parameters.iter().zip(&self.state) {
            if let Some(gradient) = gradients.get(name) {
                step(&self.config, self.updates, lr, var.as_tensor(), gradient, state)?;
            }
        }
        Ok(())
    }

    /// The state as tensors named `<slot>.<parameter>`, sorted by name, and the updates so far.
    pub fn state_dict(&self) -> (BTreeMap<String, Tensor>, u64) {
        let slots = self.config.slots();
        let named = self.parameters.iter().zip(&self.state).flat_map(|((name, _), state)| {
            slots.iter().zip(state).map(move |(slot, t)| (format!("{slot}.{name}"), t.clone()))
        });
        (named.collect(), self.updates)
    }

    /// Takes up the state that [`state_dict`](Self::state_dict) gave.
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] names the first tensor that is missing or has another shape; the state has
    /// not changed then.
    pub fn load_state_dict(
        &mut self,
        tensors: &HashMap<String, Tensor>,
        updates: u64,
    ) -> Result<()> {
        let slots = self.config.slots();
        let load = |(name, var): &(String, Var)| -> Result<Vec<Tensor>> {
            let slot = |slot: &&str| match tensors.get(&format!("{slot}.{name}")) {
                Some(tensor) if tensor.dims() == var.dims() => {
                    Ok(tensor.to_device(var.device())?.to_dtype(var.dtype())?.copy()?)
                }
                other => Err(Error::Batch {
                    name: "optimizer state",
                    expected: format!("{slot}.{name} of shape {:?}", var.dims()),
                    got: other.map_or("nothing".into(), |t| format!("shape {:?}", t.dims())),
                }),
            };
            slots.iter().map(slot).collect()
        };
        self.state = self.parameters.iter().map(load).collect::<Result<_>>()?;
        self.updates = updates;
        Ok(())
    }
}

/// One parameter's update; `t` counts from 1.
fn step(
    config: &OptimizerConfig,
    t: u64,
    lr: f64,
    p: &Tensor,
    g: &Tensor,
    state: &[Tensor],
) -> Result<()> {
    match *config {
        OptimizerConfig::Sgd { momentum, nesterov, weight_decay } => {
            let [buffer] = state else {
                return Ok(update(p, g, g, Descend { lr, weight_decay, look: 0.0 })?);
            };
            update(buffer, g, p, Follow { keep: momentum, take: 1.0, weight_decay })?;
            if nesterov {
                update(p, g, buffer, Descend { lr, weight_decay, look: momentum })?;
            } else {
                update(p, buffer, buffer, Descend { lr, weight_decay: 0.0, look: 0.0 })?;
            }
        }
        OptimizerConfig::Adam { betas, eps, weight_decay } => {
            adam(t, lr, betas, eps, (weight_decay, 0.0), p, g, state)?;
        }
        OptimizerConfig::AdamW { betas, eps, weight_decay } => {
            adam(t, lr, betas, eps, (0.0, weight_decay), p, g, state)?;
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)] // The letters of the paper, used once.
fn adam(
    t: u64,
    lr: f64,
    (b1, b2): (f64, f64),
    eps: f64,
    (coupled, decoupled): (f64, f64),
    p: &Tensor,
    g: &Tensor,
    state: &[Tensor],
) -> Result<()> {
    let [m, v] = state else { return Ok(()) };
    let t = t.min(i32::MAX as u64) as i32;
    update(m, g, p, Follow { keep: b1, take: 1.0 - b1, weight_decay: coupled })?;
    update(v, g, p, FollowSquare { keep: b2, weight_decay: coupled })?;
    let rate = lr / (1.0 - b1.powi(t));
    let scale = 1.0 / (1.0 - b2.powi(t)).sqrt();
    update(p, m, v, Adapt { rate, scale, eps, shrink: 1.0 - lr * decoupled })?;
    Ok(())
}

/// `m = keep m + take (g + weight_decay p)`.
struct Follow {
    keep: f64,
    take: f64,
    weight_decay: f64,
}

impl Update for Follow {
    #[inline(always)]
    fn apply<T: Real>(&self, m: T, g: T, p: T) -> T {
        let g = g + T::from_f64(self.weight_decay) * p;
        T::from_f64(self.keep) * m + T::from_f64(self.take) * g
    }
}

/// `v = keep v + (1 - keep) (g + weight_decay p)^2`.
struct FollowSquare {
    keep: f64,
    weight_decay: f64,
}

impl Update for FollowSquare {
    #[inline(always)]
    fn apply<T: Real>(&self, v: T, g: T, p: T) -> T {
        let g = g + T::from_f64(self.weight_decay) * p;
        T::from_f64(self.keep) * v + T::from_f64(1.0 - self.keep) * g * g
    }
}

/// `p = shrink p - rate m / (scale sqrt(v) + eps)`.
struct Adapt {
    rate: f64,
    scale: f64,
    eps: f64,
    shrink: f64,
}

impl Update for Adapt {
    #[inline(always)]
    fn apply<T: Real>(&self, p: T, m: T, v: T) -> T {
        let denominator = v.sqrt() * T::from_f64(self.scale) + T::from_f64(self.eps);
        T::from_f64(self.shrink) * p - T::from_f64(self.rate) * m / denominator
    }
}

/// `p = p - lr (g + weight_decay p + look b)`.
struct Descend {
    lr: f64,
    weight_decay: f64,
    look: f64,
}

impl Update for Descend {
    #[inline(always)]
    fn apply<T: Real>(&self, p: T, g: T, b: T) -> T {
        let direction = g + T::from_f64(self.weight_decay) * p + T::from_f64(self.look) * b;
        p - T::from_f64(self.lr) * direction
    }
}
