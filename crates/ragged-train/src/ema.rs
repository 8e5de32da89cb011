//! The exponential moving average of the weights.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Tensor, Var};

use crate::{Error, Result};

/// A slow copy of the parameters: `average = decay average + (1 - decay) parameter` after every
/// update, and the parameters themselves after the first, as PyTorch's `AveragedModel` with
/// `get_ema_multi_avg_fn` has it.
pub struct Ema {
    decay: f64,
    parameters: Vec<(String, Var)>,
    /// Empty before the first update.
    averages: Vec<Tensor>,
}

impl Ema {
    /// Nothing averaged yet.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a decay outside 0 to below 1.
    pub fn new(decay: f64, parameters: Vec<(String, Var)>) -> Result<Self> {
        if !(0.0..1.0).contains(&decay) {
            return Err(Error::config("train.ema_decay", decay, "0 to below 1"));
        }
        Ok(Self { decay, parameters, averages: vec![] })
    }

    /// Takes in the parameters as they are now.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn update(&mut self) -> Result<()> {
        if self.averages.is_empty() {
            let copy = |(_, var): &(String, Var)| Ok(var.as_detached_tensor().copy()?);
            self.averages = self.parameters.iter().map(copy).collect::<Result<_>>()?;
            return Ok(());
        }
        for (average, (_, var)) in self.averages.iter_mut().zip(&self.parameters) {
            let fresh = (var.as_detached_tensor() * (1.0 - self.decay))?;
            *average = ((&*average * self.decay)? + fresh)?;
        }
        Ok(())
    }

    /// Exchanges the parameters and their averages: once before an evaluation, once after it.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn swap(&mut self) -> Result<()> {
        for (average, (_, var)) in self.averages.iter_mut().zip(&self.parameters) {
            let parameter = var.as_detached_tensor().copy()?;
            var.set(average)?;
            *average = parameter;
        }
        Ok(())
    }

    /// The averages by parameter name.
    pub fn state_dict(&self) -> BTreeMap<String, Tensor> {
        let named = self.parameters.iter().zip(&self.averages);
        named.map(|((name, _), average)| (name.clone(), average.clone())).collect()
    }

    /// Takes up what [`state_dict`](Self::state_dict) gave.
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] names the first tensor that is missing or has another shape; nothing has
    /// changed then.
    pub fn load_state_dict(&mut self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        if tensors.is_empty() {
            self.averages.clear();
            return Ok(());
        }
        let load = |(name, var): &(String, Var)| match tensors.get(name) {
            Some(tensor) if tensor.dims() == var.dims() => Ok(tensor.to_dtype(var.dtype())?),
            other => Err(Error::Batch {
                name: "average",
                expected: format!("{name} of shape {:?}", var.dims()),
                got: other.map_or("nothing".into(), |t| format!("shape {:?}", t.dims())),
            }),
        };
        self.averages = self.parameters.iter().map(load).collect::<Result<_>>()?;
        Ok(())
    }
}
