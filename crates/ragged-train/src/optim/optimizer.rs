//! An optimiser: the parameters, and their state by name.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor, Var};

use crate::config::error::ConfigError;
use crate::error::{Error, Result};
use crate::optim::gradients::NamedGradients;
use crate::optim::in_place::update_in_place;
use crate::optim::optimizer_config::OptimizerConfig;
use crate::optim::parameter_group::ParameterGroup;
use crate::optim::schedule::Hyperparameters;
use crate::optim::slots::Slots;
use crate::optim::update_rules::UpdateRule;

/// The name of the entry in a state dict that counts the updates of a parameter.
const STEP: &str = "step";

/// An optimiser with PyTorch's update rules: SGD, Adam, AdamW or RMSprop.
///
/// ```
/// use candle_core::{DType, Device};
/// use ragged_models::Parameters;
/// use ragged_train::optim::{Hyperparameters, NamedGradients};
/// use ragged_train::{Optimizer, OptimizerConfig};
///
/// let parameters = Parameters::new(1);
/// let weight = parameters.builder(DType::F32, &Device::Cpu).get(2, "weight")?;
/// let mut optimizer = Optimizer::new(OptimizerConfig::sgd(), parameters.named())?;
/// let before = weight.to_vec1::<f32>()?;
/// let store = (&weight * 3.0)?.sum_all()?.backward()?;
/// let gradients = NamedGradients::new(&parameters.named(), store);
/// optimizer.step(&gradients, Hyperparameters::new(0.5))?;
/// let after = weight.to_vec1::<f32>()?;
/// assert!((before[0] - after[0] - 1.5).abs() < 1e-6);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<(String, Var)>,
    states: Vec<State>,
}

/// The state of one parameter.
#[derive(Debug)]
struct State {
    /// Updates so far in which the parameter had a gradient.
    steps: u64,
    slots: Slots,
    lr_scale: f64,
    weight_decay: f64,
}

impl Optimizer {
    /// Creates an optimiser that updates all parameters in the same way.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a value out of range.
    pub fn new(config: OptimizerConfig, parameters: Vec<(String, Var)>) -> Result<Self> {
        Self::with_groups(config, parameters, &[])
    }

    /// Creates an optimiser with parameter groups. A parameter belongs to the first group that matches
    /// its name.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a value out of range, and for a group without a parameter.
    pub fn with_groups(
        config: OptimizerConfig,
        parameters: Vec<(String, Var)>,
        groups: &[ParameterGroup],
    ) -> Result<Self> {
        config.validate()?;
        groups.iter().try_for_each(ParameterGroup::validate)?;
        let group = |name: &str| groups.iter().position(|group| group.matches(name));
        for (index, unused) in groups.iter().enumerate() {
            if !parameters.iter().any(|(name, _)| group(name) == Some(index)) {
                let got = format!("{:?}", unused.parameters);
                let expected = "a pattern that matches a parameter outside the earlier groups";
                return Err(ConfigError::range("train.groups.parameters", got, expected).into());
            }
        }
        let state = |(name, var): &(String, Var)| -> Result<State> {
            let group = group(name).map(|index| &groups[index]);
            Ok(State {
                steps: 0,
                slots: Slots::zeros(var, config.slots().len())?,
                lr_scale: group.map_or(1.0, |group| group.lr_scale),
                weight_decay: group
                    .and_then(|group| group.weight_decay)
                    .unwrap_or(config.weight_decay()),
            })
        };
        let states = parameters.iter().map(state).collect::<Result<_>>()?;
        Ok(Self { config, parameters, states })
    }

    /// Returns the configuration.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// Returns the parameters in their order.
    pub fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    /// Updates the parameters. A parameter without a gradient does not change; of one with a gradient of rows, only
    /// these rows and their state change, as with PyTorch's `SparseAdam`.
    ///
    /// # Errors
    ///
    /// Errors from candle, where a gradient has another shape or dtype than its parameter.
    pub fn step(
        &mut self,
        gradients: &NamedGradients,
        hyperparameters: Hyperparameters,
    ) -> Result<()> {
        for ((name, var), state) in self.parameters.iter().zip(&mut self.states) {
            let Some(gradient) = gradients.get(name) else { continue };
            state.steps += 1;
            let rule = UpdateRule {
                config: &self.config,
                hyperparameters: Hyperparameters {
                    lr: hyperparameters.lr * state.lr_scale,
                    ..hyperparameters
                },
                weight_decay: state.weight_decay,
                t: state.steps,
            };
            update_in_place(var, gradient, &mut state.slots, &rule)?;
        }
        Ok(())
    }

    /// Returns the state as tensors named `<slot>.<parameter>`, where the slots have PyTorch's names,
    /// such as `exp_avg`. `step.<parameter>` is the number of updates of the parameter.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn state_dict(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut tensors = BTreeMap::new();
        for ((name, var), state) in self.parameters.iter().zip(&self.states) {
            for (slot, tensor) in self.config.slots().iter().zip(state.slots.to_tensors(var)?) {
                tensors.insert(format!("{slot}.{name}"), tensor);
            }
            let steps = Tensor::new(state.steps as i64, &Device::Cpu)?;
            tensors.insert(format!("{STEP}.{name}"), steps);
        }
        Ok(tensors)
    }

    /// Loads a state from [`state_dict`](Self::state_dict).
    ///
    /// # Errors
    ///
    /// [`Error::MissingTensor`] or [`Error::Shape`] for the first tensor that is missing or has another
    /// shape; the state is then unchanged.
    pub fn load_state_dict(&mut self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        let find = |slot: &str, name: &str, dims: &[usize]| {
            let name = format!("{slot}.{name}");
            match tensors.get(&name) {
                Some(tensor) if tensor.dims() == dims => Ok(tensor),
                other => Err(Error::misfit(format!("optimizer state {name}"), dims, other)),
            }
        };
        let load = |(name, var): &(String, Var)| -> Result<(u64, Slots)> {
            let slots = self.config.slots().iter().map(|slot| find(slot, name, var.dims()));
            let slots = Slots::from_tensors(var, &slots.collect::<Result<Vec<_>>>()?)?;
            Ok((find(STEP, name, &[])?.to_scalar::<i64>()?.max(0) as u64, slots))
        };
        let loaded = self.parameters.iter().map(load).collect::<Result<Vec<_>>>()?;
        for (state, (steps, slots)) in self.states.iter_mut().zip(loaded) {
            (state.steps, state.slots) = (steps, slots);
        }
        Ok(())
    }
}
