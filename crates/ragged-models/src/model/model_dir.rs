//! A model directory: the configuration and the parameters of a model on disk.

use std::path::Path;

use candle_core::{DType, Device};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::config::ModelConfig;
use crate::weights::atomic_file::write_atomically;
use crate::weights::parameters::Parameters;

const CONFIG: &str = "config.json";
const PARAMETERS: &str = "model.safetensors";

/// Writes `config.json` and `model.safetensors` into a directory, which is created if missing.
///
/// # Errors
///
/// [`Error::Io`] names the file that cannot be written.
///
/// ```
/// use candle_core::{DType, Device};
/// use ragged_models::{
///     Model, ModelConfig, ModelKind, Parameters, RecurrentConfig, load_model, save_model,
/// };
///
/// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
/// let parameters = Parameters::new(42);
/// Model::new(&config, parameters.builder(DType::F32, &Device::Cpu))?;
/// let dir = tempfile::tempdir()?;
/// save_model(dir.path(), &config, &parameters)?;
/// let (model, _) = load_model(dir.path(), DType::F32, &Device::Cpu)?;
/// assert_eq!(model.config(), &config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_model(model_dir: &Path, config: &ModelConfig, parameters: &Parameters) -> Result<()> {
    std::fs::create_dir_all(model_dir).map_err(Error::io(model_dir))?;
    let path = model_dir.join(CONFIG);
    let text = serde_json::to_string_pretty(config).map_err(json(&path))?;
    parameters.save(&model_dir.join(PARAMETERS))?;
    write_atomically(&path, format!("{text}\n").as_bytes())
}

/// Reads the model and its parameters from a directory that [`save_model`] wrote; see there for an
/// example.
///
/// # Errors
///
/// [`Error::Io`] for a missing file, [`Error::Json`] and [`Error::Safetensors`] for a damaged one, and
/// [`Error::File`] for a configuration that is not allowed or parameters that do not fit it.
pub fn load_model(model_dir: &Path, dtype: DType, device: &Device) -> Result<(Model, Parameters)> {
    let path = model_dir.join(CONFIG);
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    let config: ModelConfig = serde_json::from_str(&text).map_err(json(&path))?;
    let parameters = Parameters::new(0);
    let model = Model::new(&config, parameters.builder(dtype, device));
    let model = model.map_err(|error| error.in_file(&path))?;
    parameters.load(&model_dir.join(PARAMETERS))?;
    Ok((model, parameters))
}

/// Returns a function that adds the file to an error of its JSON text.
fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Error + '_ {
    move |source| Error::Json { path: path.to_path_buf(), source }
}
