//! A run's state in one file, which is there whole or not at all, and knows when it is damaged.
//!
//! A `.safetensors` file: the parameters under their own names, the optimiser's tensors under
//! `optimizer.<slot>.<parameter>`, averaged weights under `ema.<parameter>`, states of series under
//! way under `carried.<k>`, and everything else as JSON under the one metadata key `ragged`, the first of it the SHA-256 sum of the file as it is
//! with 64 zeros in the place of that sum.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use ragged_datasets::TargetKind;
use ragged_datasets::transforms::Pipeline;
use ragged_models::{ModelConfig, Parameters};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{EpochRecord, Error, Progress, Ranking, Result, TrainState};

const KEY: &str = "ragged";
const OPTIMIZER: &str = "optimizer.";
const EMA: &str = "ema.";
const CARRIED: &str = "carried.";
const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a checkpoint knows beside its tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointInfo {
    /// How to build the model.
    pub model: ModelConfig,
    /// What was predicted, with the names of classes.
    pub targets: TargetKind,
    /// What the input went through.
    pub transforms: Pipeline,
    /// The last epoch that had ended.
    pub record: Option<EpochRecord>,
    /// Where the run stood.
    pub progress: Progress,
    /// The best epochs up to then.
    pub ranking: Ranking,
    /// The bytes of `metrics.jsonl` up to then.
    pub metrics_bytes: u64,
}

/// The layout of the metadata: the sum stands first, at a place that can be found.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<T> {
    sha256: String,
    info: T,
}

/// A checkpoint read from disk.
pub struct Checkpoint {
    /// Everything but tensors.
    pub info: CheckpointInfo,
    /// The parameters by name.
    pub parameters: HashMap<String, Tensor>,
    /// The averaged parameters by name; none where no average was kept.
    pub ema: HashMap<String, Tensor>,
    /// The optimiser's state by name.
    pub optimizer: HashMap<String, Tensor>,
    /// The states of series that were under way.
    pub carried: Vec<Tensor>,
}

impl Checkpoint {
    /// The parameters that predictions are made with: the averaged ones where there are any.
    pub fn weights(&self) -> &HashMap<String, Tensor> {
        if self.ema.is_empty() { &self.parameters } else { &self.ema }
    }
}

/// A checkpoint as the bytes of its file; the same state gives the same bytes.
///
/// # Errors
///
/// Candle's and [`Error::Batch`], where the state cannot be put into bytes.
pub(crate) fn checkpoint_bytes(
    info: &CheckpointInfo,
    parameters: &Parameters,
    state: &TrainState,
) -> Result<Vec<u8>> {
    let failed = |reason: String| Error::Batch {
        name: "checkpoint",
        expected: "a state that can be written".into(),
        got: reason,
    };
    let mut tensors = parameters.state_dict();
    let prefixed = |prefix: &'static str| move |(name, t)| (format!("{prefix}{name}"), t);
    tensors.extend(state.optimizer.state_dict()?.into_iter().map(prefixed(OPTIMIZER)));
    if let Some(ema) = state.ema {
        tensors.extend(ema.state_dict().into_iter().map(prefixed(EMA)));
    }
    let carried = state.carried.iter().enumerate();
    tensors.extend(carried.map(|(k, state)| (format!("{CARRIED}{k}"), state.clone())));
    let sealed = Sealed { sha256: NO_SUM.into(), info };
    let info = serde_json::to_string(&sealed).map_err(|error| failed(error.to_string()))?;
    let metadata = HashMap::from([(KEY.to_string(), info)]);
    let bytes = safetensors::serialize(tensors, Some(metadata));
    let mut bytes = bytes.map_err(|error| failed(error.to_string()))?;
    let sum = hex(&Sha256::digest(&bytes));
    let place = find(&bytes, NO_SUM).ok_or_else(|| failed("no place for the sum".into()))?;
    bytes[place..place + sum.len()].copy_from_slice(sum.as_bytes());
    Ok(bytes)
}

/// Reads a checkpoint that a run has written, and checks its sum.
///
/// # Errors
///
/// [`Error::File`] for a file that is missing, damaged or no checkpoint.
pub fn load_checkpoint(path: &Path) -> Result<Checkpoint> {
    let mut bytes = std::fs::read(path).map_err(|error| Error::file(path, error))?;
    let broken = |error: String| Error::file(path, format!("not a checkpoint: {error}"));
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
        .map_err(|error| broken(error.to_string()))?;
    let info = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
    let info = info.ok_or_else(|| broken(format!("it has no metadata key {KEY}")))?;
    let sealed: Sealed<CheckpointInfo> =
        serde_json::from_str(info).map_err(|error| broken(error.to_string()))?;
    let (sum, info) = (sealed.sha256, sealed.info);
    let place = find(&bytes, &sum).filter(|_| sum.len() == NO_SUM.len());
    let place = place.ok_or_else(|| broken("it has no SHA-256 sum".into()))?;
    bytes[place..place + NO_SUM.len()].copy_from_slice(NO_SUM.as_bytes());
    let found = hex(&Sha256::digest(&bytes));
    if found != sum {
        let reason = format!("damaged: its SHA-256 sum is {found}, not {sum}");
        return Err(Error::file(path, reason));
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .map_err(|error| broken(error.to_string()))?;
    let mut checkpoint = Checkpoint {
        info,
        parameters: HashMap::new(),
        ema: HashMap::new(),
        optimizer: HashMap::new(),
        carried: vec![],
    };
    let mut carried = BTreeMap::new();
    for (name, tensor) in tensors {
        if let Some(slot) = name.strip_prefix(OPTIMIZER) {
            checkpoint.optimizer.insert(slot.to_string(), tensor);
        } else if let Some(name) = name.strip_prefix(EMA) {
            checkpoint.ema.insert(name.to_string(), tensor);
        } else if let Some(place) = name.strip_prefix(CARRIED).and_then(|k| k.parse::<usize>().ok())
        {
            carried.insert(place, tensor);
        } else {
            checkpoint.parameters.insert(name, tensor);
        }
    }
    checkpoint.carried = carried.into_values().collect();
    Ok(checkpoint)
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    bytes.windows(text.len().max(1)).position(|window| window == text.as_bytes())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
