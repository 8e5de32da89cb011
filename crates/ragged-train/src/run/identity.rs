//! What the results of a run depend on, so that a resumed run is either the same run or said to be another.

use std::collections::{BTreeMap, BTreeSet};

use ragged_models::{NUMERICS_VERSION, SimdLevel};
use serde::{Deserialize, Serialize};

use crate::config::experiment_config::ExperimentConfig;
use crate::error::Result;
use crate::run::data_fingerprint::{DataFingerprint, DataFingerprints};
use crate::run::difference::Difference;
use crate::run::tokenizer;

/// Keys of the configuration that cannot change the weights of a run that has begun: names, places, how often files are
/// written, and what is kept in memory. The places of data files are known by their content, and word vectors are read
/// at the start only.
const IRRELEVANT: [&str; 10] = [
    "name",
    "data.dir",
    "data.base",
    "data.workers",
    "data.stream",
    "data.cache_mb",
    "model.embedding.weights",
    "train.recompute",
    "checkpoint.every_steps",
    "checkpoint.every_minutes",
];

/// What the results of a run depend on, as saved in its checkpoints.
///
/// Two runs with the same identity have the same weights and metrics, bit for bit, whatever the number of
/// threads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunIdentity {
    /// The values of the resolved configuration by their keys, as TOML, without those that cannot change the
    /// weights.
    pub config: BTreeMap<String, String>,
    /// The content of the data files.
    pub data: DataFingerprints,
    /// The name of the SIMD level of the kernels: their results differ between levels in the last bits.
    pub simd: String,
    /// The [version](NUMERICS_VERSION) of the arithmetic of the kernels.
    pub numerics: u32,
}

impl RunIdentity {
    /// Returns the identity of a run with this configuration and these data, on this machine.
    ///
    /// # Errors
    ///
    /// An error of the kernels for an environment variable that names no SIMD level of the processor.
    pub(crate) fn of(config: &ExperimentConfig, data: &DataFingerprints) -> Result<Self> {
        let simd = SimdLevel::current().map_err(ragged_models::Error::from)?.name().to_string();
        let mut values = config.values()?;
        for key in IRRELEVANT {
            values.remove(key);
        }
        if data.train.is_some() {
            values.remove("data.dataset");
        }
        if data.valid.is_some() {
            values.remove("data.valid");
        }
        if data.tokenizer.is_some() {
            values.remove("data.read.tokenizer");
        }
        Ok(Self { config: values, data: data.clone(), simd, numerics: NUMERICS_VERSION })
    }

    /// Returns what differs in `now`.
    pub(crate) fn differences(&self, now: &Self) -> Vec<Difference> {
        let mut differences = vec![];
        let mut compare = |name: &str, before: Option<String>, now: Option<String>| {
            if before != now {
                let absent = || "absent".to_string();
                let (before, now) = (before.unwrap_or_else(absent), now.unwrap_or_else(absent));
                differences.push(Difference { name: name.into(), before, now });
            }
        };
        let keys: BTreeSet<&String> = self.config.keys().chain(now.config.keys()).collect();
        for key in keys {
            compare(key, self.config.get(key).cloned(), now.config.get(key).cloned());
        }
        let shown = |data: &Option<DataFingerprint>| data.as_ref().map(ToString::to_string);
        compare("the training data", shown(&self.data.train), shown(&now.data.train));
        compare("the validation data", shown(&self.data.valid), shown(&now.data.valid));
        compare("the test data", shown(&self.data.test), shown(&now.data.test));
        let shown = |data: &DataFingerprints| data.tokenizer.as_deref().map(tokenizer::shown);
        compare(tokenizer::NAME, shown(&self.data), shown(&now.data));
        compare("the SIMD level", Some(self.simd.clone()), Some(now.simd.clone()));
        let numerics = |identity: &Self| Some(format!("version {}", identity.numerics));
        compare("the arithmetic of the kernels", numerics(self), numerics(now));
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(text: &str) -> RunIdentity {
        let config = ExperimentConfig::parse(text, &[]).unwrap();
        RunIdentity::of(&config, &DataFingerprints::default()).unwrap()
    }

    #[test]
    fn what_changes_the_weights_differs() {
        let before = identity("seed = 1\n[train]\nlr = 0.01\n");
        let now = identity("seed = 2\n[train]\nlr = 0.02\n[model]\nreadout = \"mean\"\n");
        let differences = before.differences(&now);
        let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "model.readout was absent and is \"mean\"",
                "seed was 1 and is 2",
                "train.lr was 0.01 and is 0.02",
            ]
        );
    }

    #[test]
    fn what_cannot_change_the_weights_does_not() {
        let before = identity("name = \"a\"\n");
        let now = identity(
            "name = \"b\"\n[data]\ndir = \"elsewhere\"\nbase = \"/\"\nworkers = 3\n\
             [checkpoint]\nevery_steps = 7\n[train]\nrecompute = 100\n",
        );
        assert_eq!(before.differences(&now), []);
        // Where examples are while they are not needed.
        let data = "[data]\ndataset = \"a.jsonl\"\norder = \"blocks\"\n";
        let now = identity(&format!("{data}stream = true\ncache_mb = 3\n"));
        assert_eq!(identity(data).differences(&now), []);
    }

    /// Files are known by their content, generated data by their name.
    #[test]
    fn a_file_may_move_and_generated_data_may_not() {
        let config = |name: &str| {
            ExperimentConfig::parse(&format!("[data]\ndataset = \"{name}\"\n"), &[]).unwrap()
        };
        let sum = |c: &str| {
            let train = DataFingerprint { sequences: 3, sha256: c.repeat(64) };
            DataFingerprints { train: Some(train), ..Default::default() }
        };
        let of = |name, data: &DataFingerprints| RunIdentity::of(&config(name), data).unwrap();
        let before = of("a.csv", &sum("1"));
        assert_eq!(before.differences(&of("b/a.csv", &sum("1"))), []);
        let differences = before.differences(&of("a.csv", &sum("2")));
        assert_eq!(
            differences[0].to_string(),
            "the training data was 3 sequences with the SHA-256 sum 11111111.. and is 3 sequences with \
             the SHA-256 sum 22222222.."
        );
        let none = DataFingerprints::default();
        let generated = of("variable-sums", &none).differences(&of("fixed-sums", &none));
        assert!(generated.iter().any(|difference| difference.name == "data.dataset"));
    }

    #[test]
    fn another_level_and_another_version_differ() {
        let before = identity("");
        let now = RunIdentity { simd: "other".into(), numerics: 0, ..before.clone() };
        let names: Vec<_> = before.differences(&now).into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["the SIMD level", "the arithmetic of the kernels"]);
    }
}
