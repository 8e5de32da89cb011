//! The exponential moving average of the weights.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Tensor, Var};

use crate::config::error::ConfigError;
use crate::error::{Error, Result};

/// The exponential moving average of the parameters.
///
/// After every update, `average = decay average + (1 - decay) parameter`; after the first update, the
/// average is a copy of the parameters. PyTorch's `AveragedModel` with `get_ema_multi_avg_fn` computes
/// the same.
///
/// ```
/// use candle_core::{DType, Device};
/// use ragged_models::Parameters;
/// use ragged_train::optim::Ema;
///
/// let parameters = Parameters::new(1);
/// let weight = parameters.builder(DType::F32, &Device::Cpu).get(2, "weight")?;
/// let mut ema = Ema::new(0.99, parameters.named())?;
/// ema.update()?;
/// let average = ema.state_dict()["weight"].to_vec1::<f32>()?;
/// assert_eq!(average, weight.to_vec1::<f32>()?);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    parameters: Vec<(String, Var)>,
    /// Empty before the first update.
    averages: Vec<Tensor>,
}

impl Ema {
    /// Creates an average of no updates yet.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a decay below 0, or of 1 or more.
    pub fn new(decay: f64, parameters: Vec<(String, Var)>) -> Result<Self> {
        if !(0.0..1.0).contains(&decay) {
            return Err(ConfigError::range("train.ema_decay", decay, "0 to below 1").into());
        }
        Ok(Self { decay, parameters, averages: vec![] })
    }

    /// Adds the current parameters to the average.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn update(&mut self) -> Result<()> {
        if self.averages.is_empty() {
            let copy = |(_, var): &(String, Var)| Ok(var.as_detached_tensor().copy()?);
            self.averages = self.parameters.iter().map(copy).collect::<Result<_>>()?;
            return Ok(());
        }
        for (average, (_, var)) in self.averages.iter_mut().zip(&self.parameters) {
            let share = (var.as_detached_tensor() * (1.0 - self.decay))?;
            *average = ((&*average * self.decay)? + share)?;
        }
        Ok(())
    }

    /// Exchanges the parameters and their averages: once before an evaluation, and once after it.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn swap(&mut self) -> Result<()> {
        for (average, (_, var)) in self.averages.iter_mut().zip(&self.parameters) {
            let parameter = var.as_detached_tensor().copy()?;
            var.set(average)?;
            *average = parameter;
        }
        Ok(())
    }

    /// Returns the averages by parameter name.
    pub fn state_dict(&self) -> BTreeMap<String, Tensor> {
        let named = self.parameters.iter().zip(&self.averages);
        named.map(|((name, _), average)| (name.clone(), average.clone())).collect()
    }

    /// Loads averages from [`state_dict`](Self::state_dict).
    ///
    /// # Errors
    ///
    /// [`Error::MissingTensor`] or [`Error::Shape`] for the first tensor that is missing or has another
    /// shape; the averages are then unchanged.
    pub fn load_state_dict(&mut self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        if tensors.is_empty() {
            self.averages.clear();
            return Ok(());
        }
        let load = |(name, var): &(String, Var)| match tensors.get(name) {
            Some(tensor) if tensor.dims() == var.dims() => Ok(tensor.to_dtype(var.dtype())?),
            other => Err(Error::misfit(format!("averaged weight {name}"), var.dims(), other)),
        };
        self.averages = self.parameters.iter().map(load).collect::<Result<_>>()?;
        Ok(())
    }
}
