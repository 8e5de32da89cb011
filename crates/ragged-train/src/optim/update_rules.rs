//! The update rules of SGD, Adam, AdamW and RMSprop on plain slices, in PyTorch's order of operations.
//!
//! Letters: `p` parameter, `g` gradient, `t` the number of this update of the parameter, from 1.

use crate::optim::optimizer_config::OptimizerConfig;
use crate::optim::schedule::Hyperparameters;
use crate::optim::slots::Real;

/// Everything that an update of one parameter depends on, except the elements themselves.
pub(crate) struct UpdateRule<'a> {
    pub(crate) config: &'a OptimizerConfig,
    pub(crate) hyperparameters: Hyperparameters,
    pub(crate) weight_decay: f64,
    pub(crate) t: u64,
}

impl UpdateRule<'_> {
    /// Updates one parameter. `slots` are the vectors that `OptimizerConfig::slots` names, in that
    /// order.
    pub(crate) fn apply<T: Real>(&self, p: &mut [T], g: &[T], slots: &mut [&mut [T]]) {
        let num = T::from_f64;
        let (lr, decay) = (num(self.hyperparameters.lr), num(self.weight_decay));
        let momentum = self.hyperparameters.momentum;
        match (self.config, slots) {
            (OptimizerConfig::Sgd { .. }, []) => {
                for (p, &g) in p.iter_mut().zip(g) {
                    *p -= lr * (g + decay * *p);
                }
            }
            // b = m b + (1 - dampening) g, in the first update b = g; then p -= lr b, or with
            // Nesterov p -= lr (g + m b).
            (&OptimizerConfig::Sgd { momentum: m, dampening, nesterov, .. }, [buffer]) => {
                let m = num(momentum.unwrap_or(m));
                let take = if self.t == 1 { T::one() } else { num(1.0 - dampening) };
                for ((p, &g), b) in p.iter_mut().zip(g).zip(buffer.iter_mut()) {
                    let g = g + decay * *p;
                    *b = m * *b + take * g;
                    *p -= lr * if nesterov { g + m * *b } else { *b };
                }
            }
            (&OptimizerConfig::Adam { betas, eps, .. }, [m, v]) => {
                let rule = Adam::new(self, betas, eps);
                rule.apply(p, g, m, v, decay, T::one());
            }
            (&OptimizerConfig::AdamW { betas, eps, .. }, [m, v]) => {
                let rule = Adam::new(self, betas, eps);
                rule.apply(p, g, m, v, T::zero(), T::one() - lr * decay);
            }
            (&OptimizerConfig::RmsProp { alpha, eps, momentum: m, centered, .. }, slots) => {
                let m = num(momentum.unwrap_or(m));
                let (keep, take, eps) = (num(alpha), num(1.0 - alpha), num(eps));
                let [square, rest @ ..] = slots else { return };
                let (mut average, mut buffer) = (None, None);
                match (centered, rest) {
                    (true, [b, a]) => (buffer, average) = (Some(b), Some(a)),
                    (true, [a]) => average = Some(a),
                    (false, [b]) => buffer = Some(b),
                    _ => {}
                }
                for (k, (p, &g)) in p.iter_mut().zip(g).enumerate() {
                    let g = g + decay * *p;
                    square[k] = keep * square[k] + take * g * g;
                    let mut spread = square[k];
                    if let Some(average) = average.as_deref_mut() {
                        average[k] = average[k] + take * (g - average[k]);
                        spread -= average[k] * average[k];
                    }
                    let direction = g / (spread.sqrt() + eps);
                    *p -= lr
                        * match buffer.as_deref_mut() {
                            Some(buffer) => {
                                buffer[k] = m * buffer[k] + direction;
                                buffer[k]
                            }
                            None => direction,
                        };
                }
            }
            // The slots are created from the same configuration, so no other combination occurs.
            _ => {}
        }
    }
}

/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
/// `p = shrink p - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
struct Adam {
    b1: f64,
    b2: f64,
    eps: f64,
    rate: f64,
    root: f64,
}

impl Adam {
    fn new(rule: &UpdateRule, betas: (f64, f64), eps: f64) -> Self {
        let t = rule.t.min(i32::MAX as u64) as i32;
        let (b1, b2) = (rule.hyperparameters.momentum.unwrap_or(betas.0), betas.1);
        let rate = rule.hyperparameters.lr / (1.0 - b1.powi(t));
        Self { b1, b2, eps, rate, root: (1.0 - b2.powi(t)).sqrt() }
    }

    fn apply<T: Real>(&self, p: &mut [T], g: &[T], m: &mut [T], v: &mut [T], decay: T, shrink: T) {
        let num = T::from_f64;
        let (b1, c1, b2, c2) = (num(self.b1), num(1.0 - self.b1), num(self.b2), num(1.0 - self.b2));
        let (eps, rate, scale) = (num(self.eps), num(self.rate), num(1.0 / self.root));
        for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            let g = g + decay * *p;
            *m = b1 * *m + c1 * g;
            *v = b2 * *v + c2 * g * g;
            *p = shrink * *p - rate * *m / (v.sqrt() * scale + eps);
        }
    }
}
