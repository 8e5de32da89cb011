//! From gradients to an update: clipping, optimisers, parameter groups, schedules, averaged weights.
//!
//! In reading order: [`NamedGradients`]; [`Optimizer`] with its [`OptimizerConfig`] and
//! [`ParameterGroup`]s; [`Schedule`] and [`Plateau`]; [`Ema`]. The arithmetic of the optimisers is in
//! `update_rules.rs`.

pub(crate) mod ema;
pub(crate) mod gradient;
pub(crate) mod gradients;
pub(crate) mod in_place;
pub(crate) mod optimizer;
pub(crate) mod optimizer_config;
pub(crate) mod parameter_group;
pub(crate) mod plateau;
pub(crate) mod schedule;
pub(crate) mod slots;
pub(crate) mod update_rules;

pub use ema::Ema;
pub use gradient::Gradient;
pub use gradients::NamedGradients;
pub use optimizer::Optimizer;
pub use optimizer_config::OptimizerConfig;
pub use parameter_group::ParameterGroup;
pub use plateau::Plateau;
pub use schedule::{Anneal, Hyperparameters, Schedule, SchedulePoint, ScheduleUnit};
