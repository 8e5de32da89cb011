//! The configuration of an experiment: defaults, then a TOML file, then single values.
//!
//! In reading order: [`ExperimentConfig`] and its sections; [`Override`], a single value;
//! [`ConfigError`], which names the key that is wrong and where it was written.

pub(crate) mod deserialize;
pub(crate) mod error;
pub(crate) mod experiment_config;
pub(crate) mod head_section;
pub(crate) mod overrides;
pub(crate) mod run_name;
pub(crate) mod sections;
pub(crate) mod span;
pub(crate) mod synthetic_sections;
pub(crate) mod token_sections;
mod validate;
pub(crate) mod validate_forecast;

pub use error::{ConfigError, ConfigOrigin, ConfigProblem};
pub use experiment_config::ExperimentConfig;
pub use head_section::HeadSection;
pub use overrides::Override;
pub use sections::{
    CheckpointSection, CrfScheme, DataSection, ModelSection, Order, TargetTransform,
};
pub use synthetic_sections::{SumsSection, SyntheticSection};
