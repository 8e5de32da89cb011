//! SGD, Adam, AdamW and RMSprop with PyTorch's update rules, their state by parameter name.

mod config;
mod group;
mod in_place;
mod rules;

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor, Var};

pub use config::OptimizerConfig;
pub use group::ParameterGroup;

use crate::{Error, Gradients, Rates, Result};
use in_place::{Slots, update};
use rules::Rule;

/// The name under which a parameter's number of updates is kept.
const STEP: &str = "step";

/// An update rule and its state.
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<(String, Var)>,
    states: Vec<State>,
}

/// What belongs to one parameter.
struct State {
    /// Updates so far: those in which it had a gradient.
    steps: u64,
    slots: Slots,
    lr_scale: f64,
    weight_decay: f64,
}

impl Optimizer {
    /// Fresh state for these parameters, all updated alike.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for values that the rule cannot have.
    pub fn new(config: OptimizerConfig, parameters: Vec<(String, Var)>) -> Result<Self> {
        Self::with_groups(config, parameters, &[])
    }

    /// Fresh state for these parameters; a parameter belongs to the first group that fits its name.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for values that the rule or a group cannot have, and for a group to which
    /// no parameter belongs.
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
                let expected = "a pattern that fits a parameter no earlier group has";
                return Err(Error::config("train.groups.parameters", got, expected));
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

    /// The rule.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// The parameters it updates, in their order.
    pub fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    /// One update. A parameter without a gradient stays as it is.
    ///
    /// # Errors
    ///
    /// Candle's, where a gradient's shape or dtype is not its parameter's.
    pub fn step(&mut self, gradients: &Gradients, rates: Rates) -> Result<()> {
        for ((name, var), state) in self.parameters.iter().zip(&mut self.states) {
            let Some(gradient) = gradients.get(name) else { continue };
            state.steps += 1;
            let rule = Rule {
                config: &self.config,
                rates: Rates { lr: rates.lr * state.lr_scale, ..rates },
                weight_decay: state.weight_decay,
                t: state.steps,
            };
            update(var, gradient, &mut state.slots, &rule)?;
        }
        Ok(())
    }

    /// The state as tensors named `<slot>.<parameter>`, sorted by name; `step.<parameter>` counts
    /// the parameter's updates.
    ///
    /// # Errors
    ///
    /// Candle's alone.
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

    /// Takes up the state that [`state_dict`](Self::state_dict) gave.
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] names the first tensor that is missing or has another shape; the state has
    /// not changed then.
    pub fn load_state_dict(&mut self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        let find = |slot: &str, name: &str, dims: &[usize]| {
            let name = format!("{slot}.{name}");
            match tensors.get(&name) {
                Some(tensor) if tensor.dims() == dims => Ok(tensor),
                other => Err(Error::Batch {
                    name: "optimizer state",
                    expected: format!("{name} of shape {dims:?}"),
                    got: other.map_or("nothing".into(), |t| format!("shape {:?}", t.dims())),
                }),
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
