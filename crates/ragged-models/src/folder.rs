//! A model as a folder on disk: its configuration and its parameters.

use std::path::Path;

use candle_core::{DType, Device};

use crate::file::write_whole;
use crate::{Error, Model, ModelConfig, Parameters, Result};

const CONFIG: &str = "config.json";
const PARAMETERS: &str = "model.safetensors";

/// Writes `config.json` and `model.safetensors` into a folder, which is made where it is missing.
///
/// # Errors
///
/// [`Error::File`] names the file that cannot be written.
pub fn save_model(folder: &Path, config: &ModelConfig, parameters: &Parameters) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, error))?;
    let path = folder.join(CONFIG);
    let text = serde_json::to_string_pretty(config).map_err(|error| Error::file(&path, error))?;
    parameters.save(&folder.join(PARAMETERS))?;
    write_whole(&path, format!("{text}\n").as_bytes())
}

/// Reads what [`save_model`] wrote: the model and its parameters.
///
/// # Errors
///
/// [`Error::File`] for a file that is missing, damaged, or of a model of another shape.
pub fn load_model(folder: &Path, dtype: DType, device: &Device) -> Result<(Model, Parameters)> {
    let path = folder.join(CONFIG);
    let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, error))?;
    let config: ModelConfig =
        serde_json::from_str(&text).map_err(|error| Error::file(&path, error))?;
    let parameters = Parameters::new(0);
    let model = Model::new(&config, parameters.builder(dtype, device));
    let model = model.map_err(|error| Error::file(&path, error))?;
    parameters.load(&folder.join(PARAMETERS))?;
    Ok((model, parameters))
}
