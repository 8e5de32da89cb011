//! The state of a run in one file, with a checksum.
//!
//! A checkpoint is a `.safetensors` file. It contains the parameters under their names, the state of
//! the optimiser as `optimizer.<slot>.<parameter>`, averaged weights as `ema.<parameter>`, and
//! recurrent states of unfinished series as `carried.<k>`. Everything else is JSON under the metadata
//! key `ragged`. The JSON starts with the SHA-256 sum of the file, computed with 64 zeros in its place.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use ragged_datasets::formats::Schema;
use ragged_datasets::tokens::TokenEncoder;
use ragged_datasets::transforms::Pipeline;
use ragged_models::{Crf, ModelConfig, Parameters};
use ragged_transforms::{HeadOutputs, Outputs};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::atomic_file::read_regular;
use crate::error::{CheckpointError, Error, Result};
use crate::fit::observer::TrainState;
use crate::fit::progress::Progress;
use crate::fit::record::EpochRecord;
use crate::objective::criterion::Criterion;
use crate::objective::multi_task::{HeadLoss, MultiTaskLoss};
use crate::objective::run_objective::RunObjective;
use crate::objective::scaled::Objective;
use crate::run::best_epochs::BestEpochs;
use crate::run::difference::ForcedResume;
use crate::run::identity::RunIdentity;

const KEY: &str = "ragged";
const OPTIMIZER: &str = "optimizer.";
const EMA: &str = "ema.";
const CARRIED: &str = "carried.";
const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Everything in a checkpoint except tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointInfo {
    /// The configuration of the model.
    pub model: ModelConfig,
    /// The kind of targets with the names of classes, and the names of the features.
    pub schema: Schema,
    /// What the results of the run depend on.
    pub identity: RunIdentity,
    /// The times that the run was resumed although something had changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<ForcedResume>,
    /// The transforms of the input, fitted to the training data.
    pub transforms: Pipeline,
    /// The vocabularies of the training data, and the scales of its static columns.
    #[serde(default, skip_serializing_if = "has_nothing")]
    pub tokens: TokenEncoder,
    /// The loss that was minimised, unless the model has a CRF or several heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Criterion>,
    /// The losses of the heads that were minimised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<HeadLoss>,
    /// How predictions follow from the outputs of the model.
    #[serde(default, skip_serializing_if = "Outputs::is_identity")]
    pub outputs: Outputs,
    /// The records of all epochs that had ended: the lines of `metrics.jsonl`.
    pub records: Vec<EpochRecord>,
    /// The position of the run.
    pub progress: Progress,
    /// The best epochs so far.
    #[serde(rename = "ranking")]
    pub best_epochs: BestEpochs,
}

impl CheckpointInfo {
    /// Returns what was minimised. `crf` is the CRF of the model, if it has one.
    ///
    /// # Errors
    ///
    /// Errors of heads that are not those of the targets.
    pub fn objective(&self, crf: Option<&Crf>) -> Result<RunObjective> {
        let targets = &self.schema.targets;
        if let Some(loss) = &self.loss {
            let objective = Objective::new(loss.clone(), self.outputs.scale.clone(), targets);
            return Ok(RunObjective::from(objective).with_crf(crf));
        }
        let scale = |head: &HeadOutputs| head.outputs.scale.clone();
        let scales = self.outputs.kind.heads().iter().map(scale).collect();
        let (parts, per_step) = (targets.parts(), targets.is_per_step());
        let loss = MultiTaskLoss::new(parts, per_step, &self.heads, scales)?;
        if loss.outputs() != &self.outputs || parts.is_empty() {
            let got = self.outputs.kind.heads().len();
            return Err(Error::Heads { expected: parts.len(), got });
        }
        Ok(RunObjective::Heads(loss))
    }

    /// Returns the number of the last epoch that had ended, from 1; 0 before the end of the first.
    pub fn epoch(&self) -> usize {
        self.records.last().map_or(0, |record| record.epoch)
    }
}

/// Whether there are neither tokens nor static columns.
fn has_nothing(encoder: &TokenEncoder) -> bool {
    encoder.is_empty() && encoder.statics().is_empty()
}

/// The JSON in the metadata. The sum comes first, so that its position can be found.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<T> {
    sha256: String,
    info: T,
}

/// A checkpoint read from a file.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Everything except tensors.
    pub info: CheckpointInfo,
    /// The parameters by name.
    pub parameters: HashMap<String, Tensor>,
    /// The averaged parameters by name; empty where no average was kept.
    pub ema: HashMap<String, Tensor>,
    /// The state of the optimiser by name.
    pub optimizer: HashMap<String, Tensor>,
    /// The recurrent states of unfinished series.
    pub carried: Vec<Tensor>,
}

impl Checkpoint {
    /// Returns the parameters for predictions: the averaged ones where there are any.
    pub fn weights(&self) -> &HashMap<String, Tensor> {
        if self.ema.is_empty() { &self.parameters } else { &self.ema }
    }
}

/// Returns the bytes of a checkpoint file. The same state gives the same bytes.
pub(crate) fn checkpoint_bytes(
    info: &CheckpointInfo,
    parameters: &Parameters,
    state: &TrainState,
) -> Result<Vec<u8>> {
    let mut tensors = parameters.state_dict();
    let prefixed = |prefix: &'static str| move |(name, t)| (format!("{prefix}{name}"), t);
    tensors.extend(state.optimizer.state_dict()?.into_iter().map(prefixed(OPTIMIZER)));
    if let Some(ema) = state.ema {
        tensors.extend(ema.state_dict().into_iter().map(prefixed(EMA)));
    }
    let carried = state.carried.iter().enumerate();
    tensors.extend(carried.map(|(k, state)| (format!("{CARRIED}{k}"), state.clone())));
    let info = serde_json::to_string(&Sealed { sha256: NO_SUM.into(), info })?;
    let mut bytes =
        safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_string(), info)])))?;
    let sum = hex(&Sha256::digest(&bytes));
    if let Some(at) = find(&bytes, NO_SUM) {
        bytes[at..at + sum.len()].copy_from_slice(sum.as_bytes());
    }
    Ok(bytes)
}

/// Reads a checkpoint and verifies its checksum.
///
/// # Errors
///
/// [`Error::Io`] for a file that cannot be read, [`Error::Checkpoint`] for one that is damaged or no
/// checkpoint.
pub fn load_checkpoint(path: &Path) -> Result<Checkpoint> {
    let bytes = read_regular(path)?;
    read_checkpoint(bytes).map_err(|source| Error::Checkpoint { path: path.to_path_buf(), source })
}

/// Parses everything except tensors, without a check of the checksum.
pub(crate) fn read_info(bytes: &[u8]) -> std::result::Result<CheckpointInfo, CheckpointError> {
    Ok(read_sealed(bytes)?.info)
}

fn read_sealed(bytes: &[u8]) -> std::result::Result<Sealed<CheckpointInfo>, CheckpointError> {
    let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes)?;
    let info = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let info = info.ok_or(CheckpointError::NoMetadata { key: KEY })?;
    Ok(serde_json::from_str(info)?)
}

fn read_checkpoint(mut bytes: Vec<u8>) -> std::result::Result<Checkpoint, CheckpointError> {
    let Sealed { sha256: expected, info } = read_sealed(&bytes)?;
    let at = find(&bytes, &expected).filter(|_| expected.len() == NO_SUM.len());
    let at = at.ok_or(CheckpointError::NoSum)?;
    bytes[at..at + NO_SUM.len()].copy_from_slice(NO_SUM.as_bytes());
    let got = hex(&Sha256::digest(&bytes));
    if got != expected {
        return Err(CheckpointError::Damaged { expected, got });
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
    let (mut parameters, mut ema, mut optimizer) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut carried = BTreeMap::new();
    for (name, tensor) in tensors {
        if let Some(slot) = name.strip_prefix(OPTIMIZER) {
            optimizer.insert(slot.to_string(), tensor);
        } else if let Some(name) = name.strip_prefix(EMA) {
            ema.insert(name.to_string(), tensor);
        } else if let Some(k) = name.strip_prefix(CARRIED).and_then(|k| k.parse::<usize>().ok()) {
            carried.insert(k, tensor);
        } else {
            parameters.insert(name, tensor);
        }
    }
    let carried = carried.into_values().collect();
    Ok(Checkpoint { info, parameters, ema, optimizer, carried })
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    bytes.windows(text.len().max(1)).position(|window| window == text.as_bytes())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use ragged_datasets::{Dataset, FixedLengthSums, FixedLengthSumsConfig};
    use ragged_models::{ModelKind, RecurrentConfig};

    use super::*;
    use crate::config::experiment_config::ExperimentConfig;
    use crate::fit::early_stopping::EarlyStopping;
    use crate::objective::loss::Loss;
    use crate::objective::monitor::Monitor;
    use crate::objective::targets::Targets;
    use crate::optim::schedule::Schedule;
    use crate::run::data_fingerprint::DataFingerprints;

    /// JSON has neither NaN nor infinities. Both were once read as missing values, or not at all.
    #[test]
    fn state_that_is_not_finite_comes_back_with_its_bits() {
        let data = FixedLengthSums::new(FixedLengthSumsConfig::default()).unwrap();
        let config = ExperimentConfig::parse("", &[]).unwrap();
        for bad in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut progress = Progress::new(&Criterion::Mse, bad);
            let monitor = &Monitor::Loss;
            progress.early_stopping.update(&EarlyStopping::new(3), monitor, bad);
            let (patience, cooldown) = (1, 0);
            let plateau =
                Schedule::Plateau { factor: 0.5, patience, threshold: 0.0, cooldown, min_lr: 0.0 };
            progress.plateau.update(&plateau, monitor, bad);
            let column = |value: f64| Tensor::new(&[[value]], &Device::Cpu).unwrap();
            let target = column(1.0);
            let (targets, sums) = (Targets::new(&target), &mut progress.sums.metrics);
            Criterion::Mse.measure(bad, &column(bad), &targets, sums).unwrap();
            progress.update(1, bad, bad);
            let mut ended = progress.clone();
            let mut record = ended.end_epoch(&Criterion::Mse);
            record.valid = Some(record.train.clone());
            let mut best_epochs = BestEpochs::default();
            best_epochs.insert(monitor, bad, 1, 2);
            let layer = RecurrentConfig::new(1, 1);
            let info = CheckpointInfo {
                model: ModelConfig::new(ModelKind::Variable, layer, 1),
                schema: Schema::of(&data),
                identity: RunIdentity::of(&config, &DataFingerprints::default()).unwrap(),
                forced: vec![],
                transforms: Pipeline::identity(data.features()),
                tokens: TokenEncoder::default(),
                loss: Some(Criterion::Mse),
                heads: vec![],
                outputs: Outputs::default(),
                records: vec![record],
                progress,
                best_epochs,
            };
            let text = serde_json::to_string(&info).unwrap();
            assert!(!text.contains("\"best\":null"), "{text}");
            let again: CheckpointInfo = serde_json::from_str(&text).unwrap();
            // The text contains the bits of every float.
            assert_eq!(serde_json::to_string(&again).unwrap(), text);
            assert!(again.progress.early_stopping != Default::default(), "{bad}");
        }
    }
}
