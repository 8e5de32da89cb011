//! Parameters that are updated in their own way.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Parameters whose learning rate or weight decay differs from the others'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// Which ones: a name, in which `*` stands for any letters. The first group that fits counts.
    pub parameters: String,
    /// A factor on the learning rate, at every point of its schedule; 0 keeps them as they are.
    /// Default 1.
    #[serde(default = "one")]
    pub lr_scale: f64,
    /// In place of the rule's weight decay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

fn one() -> f64 {
    1.0
}

impl ParameterGroup {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        let values = [("lr_scale", Some(self.lr_scale)), ("weight_decay", self.weight_decay)];
        for (name, value) in values {
            let value = value.unwrap_or(0.0);
            if !(0.0..f64::INFINITY).contains(&value) {
                return Err(Error::config(format!("train.groups.{name}"), value, "at least 0"));
            }
        }
        Ok(())
    }

    /// Whether it speaks of this parameter.
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.parameters, name)
    }
}

/// Whether `*` in `pattern` can stand for something that makes it `name`.
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
    fn a_star_stands_for_any_letters() {
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
