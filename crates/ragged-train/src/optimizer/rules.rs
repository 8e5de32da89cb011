//! The update rules on plain slices, in PyTorch's order of operations.
//!
//! Letters: `p` parameter, `g` gradient, `t` updates of the parameter counted from 1.

use super::in_place::Real;
use crate::{OptimizerConfig, Rates};

/// What one parameter's update takes beside the numbers.
pub(super) struct Rule<'a> {
    pub(super) config: &'a OptimizerConfig,
    pub(super) rates: Rates,
    pub(super) weight_decay: f64,
    pub(super) t: u64,
}

impl Rule<'_> {
    /// Updates one parameter; `slots` are those that the configuration names, in its order.
    pub(super) fn apply<T: Real>(&self, p: &mut [T], g: &[T], slots: &mut [Vec<T>]) {
        let num = T::from_f64;
        let (lr, decay) = (num(self.rates.lr), num(self.weight_decay));
        let momentum = self.rates.momentum;
        match (self.config, slots) {
            (OptimizerConfig::Sgd { .. }, []) => {
                for (p, &g) in p.iter_mut().zip(g) {
                    *p -= lr * (g + decay * *p);
                }
            }
            // b = m b + (1 - dampening) g, at first b = g;  p = p - lr b, or lr (g + m b) ahead.
            (&OptimizerConfig::Sgd { momentum: m, dampening, nesterov, .. }, [buffer]) => {
                let m = num(momentum.unwrap_or(m));
                let take = if self.t == 1 { T::one() } else { num(1.0 - dampening) };
                for ((p, &g), b) in p.iter_mut().zip(g).zip(buffer) {
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
            // Slots are made from the same configuration, so no other pair comes here.
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
    fn new(rule: &Rule, betas: (f64, f64), eps: f64) -> Self {
        let t = rule.t.min(i32::MAX as u64) as i32;
        let (b1, b2) = (rule.rates.momentum.unwrap_or(betas.0), betas.1);
        let rate = rule.rates.lr / (1.0 - b1.powi(t));
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
