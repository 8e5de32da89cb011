//! Gradients by parameter name, and their global norm.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};

use crate::Result;

/// The gradient of every parameter that got one, in the order of the parameters.
pub struct Gradients {
    named: Vec<(String, Tensor)>,
}

impl Gradients {
    /// Picks the parameters' gradients out of what `backward` returned.
    pub fn new(parameters: &[(String, Var)], mut store: GradStore) -> Self {
        let take = |(name, var): &(String, Var)| Some((name.clone(), store.remove(var)?));
        Self { named: parameters.iter().filter_map(take).collect() }
    }

    /// The gradient of one parameter, if it got one.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.named.iter().find(|(n, _)| n == name).map(|(_, gradient)| gradient)
    }

    /// The norm of all gradients seen as one vector, summed in f64 in the order of the parameters.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for (_, gradient) in &self.named {
            let gradient = gradient.flatten_all()?;
            sum += match gradient.dtype() {
                DType::F32 => squares(gradient.to_vec1::<f32>()?.into_iter().map(f64::from)),
                _ => squares(gradient.to_dtype(DType::F64)?.to_vec1::<f64>()?.into_iter()),
            };
        }
        Ok(sum.sqrt())
    }

    /// Scales all gradients down so that their norm is at most `max_norm`, as PyTorch does:
    /// by `max_norm / (norm + 1e-6)` where that is below one. Returns the norm before.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn clip_norm(&mut self, max_norm: f64) -> Result<f64> {
        let norm = self.norm()?;
        let scale = max_norm / (norm + 1e-6);
        if scale < 1.0 {
            for (_, gradient) in &mut self.named {
                *gradient = (&*gradient * scale)?;
            }
        }
        Ok(norm)
    }
}

fn squares(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum()
}
