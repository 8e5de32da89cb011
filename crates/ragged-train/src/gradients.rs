//! Gradients by parameter name: their sum over batches, their norm, and clipping.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};

use crate::Result;

/// The gradient of every parameter that got one, in the order of the parameters.
pub struct Gradients {
    named: Vec<(String, Option<Tensor>)>,
}

impl Gradients {
    /// Picks the parameters' gradients out of what `backward` returned.
    pub fn new(parameters: &[(String, Var)], mut store: GradStore) -> Self {
        let take = |(name, var): &(String, Var)| (name.clone(), store.remove(var));
        Self { named: parameters.iter().map(take).collect() }
    }

    /// The gradient of one parameter, if it got one.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.named.iter().find(|(n, _)| n == name)?.1.as_ref()
    }

    /// Multiplies all gradients.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn scale(&mut self, factor: f64) -> Result<()> {
        if factor == 1.0 {
            return Ok(());
        }
        self.map(|gradient| gradient * factor)
    }

    /// Adds the gradients of the same parameters for another batch.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn add(&mut self, other: Self) -> Result<()> {
        for ((_, sum), (_, gradient)) in self.named.iter_mut().zip(other.named) {
            *sum = match (sum.take(), gradient) {
                (Some(sum), Some(gradient)) => Some((sum + gradient)?),
                (one, other) => one.or(other),
            };
        }
        Ok(())
    }

    /// The norm of all gradients seen as one vector, summed in f64 in the order of the parameters.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.named.iter().filter_map(|(_, gradient)| gradient.as_ref()) {
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
            self.scale(scale)?;
        }
        Ok(norm)
    }

    /// Brings every single number into `-max_value..=max_value`.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn clip_value(&mut self, max_value: f64) -> Result<()> {
        self.map(|gradient| gradient.clamp(-max_value, max_value))
    }

    fn map(&mut self, f: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<()> {
        for gradient in self.named.iter_mut().filter_map(|(_, gradient)| gradient.as_mut()) {
            *gradient = f(gradient)?;
        }
        Ok(())
    }
}

fn squares(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum()
}
