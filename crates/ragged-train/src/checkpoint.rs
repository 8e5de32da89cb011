//! A run's state in one file, so that it is there whole or not at all.
//!
//! A `.safetensors` file: the parameters under their own names, the optimiser's tensors under
//! `optimizer.<slot>.<parameter>`, and everything else as JSON under the one metadata key `ragged`.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use ragged_datasets::{Standardize, TargetKind};
use ragged_models::{ModelConfig, Parameters, write_whole};
use serde::{Deserialize, Serialize};

use crate::{EpochRecord, Error, Optimizer, Result};

const KEY: &str = "ragged";
const OPTIMIZER: &str = "optimizer.";

/// What a checkpoint knows beside its tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointInfo {
    /// How to build the model.
    pub model: ModelConfig,
    /// What was predicted, with the names of classes.
    pub targets: TargetKind,
    /// How the input was scaled.
    pub standardize: Option<Standardize>,
    /// The epoch after which it was written.
    pub record: EpochRecord,
}

/// A checkpoint read from disk.
pub struct Checkpoint {
    /// Everything but tensors.
    pub info: CheckpointInfo,
    /// The parameters by name.
    pub parameters: HashMap<String, Tensor>,
    /// The optimiser's state by name.
    pub optimizer: HashMap<String, Tensor>,
}

/// Writes a checkpoint; the same state gives the same bytes.
///
/// # Errors
///
/// [`Error::File`] or the model's, where the file cannot be written; an earlier one stays whole.
pub fn save_checkpoint(
    path: &Path,
    info: &CheckpointInfo,
    parameters: &Parameters,
    optimizer: &Optimizer,
) -> Result<()> {
    let mut tensors = parameters.state_dict();
    let (state, _) = optimizer.state_dict();
    tensors.extend(state.into_iter().map(|(name, t)| (format!("{OPTIMIZER}{name}"), t)));
    let info = serde_json::to_string(info).map_err(|error| Error::file(path, error))?;
    let metadata = HashMap::from([(KEY.to_string(), info)]);
    let bytes = safetensors::serialize(tensors, Some(metadata));
    Ok(write_whole(path, &bytes.map_err(|error| Error::file(path, error))?)?)
}

/// Reads what [`save_checkpoint`] wrote.
///
/// # Errors
///
/// [`Error::File`] for a file that is missing, damaged or no checkpoint.
pub fn load_checkpoint(path: &Path) -> Result<Checkpoint> {
    let bytes = std::fs::read(path).map_err(|error| Error::file(path, error))?;
    let broken = |error: String| Error::file(path, format!("not a checkpoint: {error}"));
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
        .map_err(|error| broken(error.to_string()))?;
    let info = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
    let info = info.ok_or_else(|| broken(format!("it has no metadata key {KEY}")))?;
    let info = serde_json::from_str(info).map_err(|error| broken(error.to_string()))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .map_err(|error| broken(error.to_string()))?;
    let (mut parameters, mut optimizer) = (HashMap::new(), HashMap::new());
    for (name, tensor) in tensors {
        match name.strip_prefix(OPTIMIZER) {
            Some(slot) => optimizer.insert(slot.to_string(), tensor),
            None => parameters.insert(name, tensor),
        };
    }
    Ok(Checkpoint { info, parameters, optimizer })
}
