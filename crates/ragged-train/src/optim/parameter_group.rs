//! Parameters with a learning rate or weight decay of their own.

use serde::{Deserialize, Serialize};

use crate::config::error::ConfigError;
use crate::error::Result;

/// Parameters with a learning rate or weight decay of their own.
///
/// ```
/// use ragged_train::optim::ParameterGroup;
///
/// // The biases: half the learning rate, no weight decay.
/// let group =
///     ParameterGroup { lr_scale: 0.5, weight_decay: Some(0.0), ..ParameterGroup::new("*bias*") };
/// assert!(group.matches("lstm.bias_hh_l0") && !group.matches("linear.weight"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// A name in which `*` matches any characters. A parameter belongs to the first group that
    /// matches.
    pub parameters: String,
    /// A factor of the learning rate; 0 freezes the parameters. Default 1.
    #[serde(default = "one")]
    pub lr_scale: f64,
    /// The weight decay. Default that of the optimiser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

fn one() -> f64 {
    1.0
}

impl ParameterGroup {
    /// Creates a group with the learning rate and the weight decay of the optimiser.
    pub fn new(parameters: impl Into<String>) -> Self {
        Self { parameters: parameters.into(), lr_scale: 1.0, weight_decay: None }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names the first value that is out of range.
    pub fn validate(&self) -> Result<()> {
        let values = [("lr_scale", Some(self.lr_scale)), ("weight_decay", self.weight_decay)];
        for (name, value) in values {
            let value = value.unwrap_or(0.0);
            if !(0.0..f64::INFINITY).contains(&value) {
                let key = format!("train.groups.{name}");
                return Err(ConfigError::range(key, value, "at least 0").into());
            }
        }
        Ok(())
    }

    /// Returns whether the pattern matches a parameter name.
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.parameters, name)
    }
}

/// Returns whether `name` matches `pattern`, in which `*` matches any characters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().any(|(at, _)| matches(after, &rest[at..])) || matches(after, "")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_characters() {
        #[track_caller]
        fn check(pattern: &str, yes: &[&str], no: &[&str]) {
            for name in yes {
                assert!(matches(pattern, name), "{pattern} {name}");
            }
            for name in no {
                assert!(!matches(pattern, name), "{pattern} {name}");
            }
        }
        check("linear.bias", &["linear.bias"], &["linear.bias2", "lstm.bias_hh_l0"]);
        check("lstm.*", &["lstm.bias_hh_l0", "lstm."], &["linear.bias", "xlstm.a"]);
        check("*bias*", &["linear.bias", "lstm.bias_hh_l0_reverse"], &["linear.weight"]);
        check("*_l0", &["lstm.weight_hh_l0"], &["lstm.weight_hh_l1", "lstm.weight_hh_l0_reverse"]);
        check("*", &["", "a"], &[]);
    }
}
