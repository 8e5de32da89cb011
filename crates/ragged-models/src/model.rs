//! Either of the lecture's models, and its folder on disk.

use std::path::Path;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use crate::file::write_whole;
use crate::{Error, FixedLengthLstm, LstmConfig, Parameters, Result, VariableLengthLstm};

/// Which of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// [`FixedLengthLstm`].
    Fixed,
    /// [`VariableLengthLstm`].
    Variable,
}

/// All that it takes to build a model anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Which of the two models.
    pub kind: ModelKind,
    /// The recurrent layer.
    pub lstm: LstmConfig,
    /// O, the outputs of the linear head: targets or classes; at least 1.
    pub output_size: usize,
}

impl ModelConfig {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        if self.output_size == 0 {
            let expected = "at least 1".into();
            return Err(Error::Config { name: "output_size", expected, got: "0".into() });
        }
        self.lstm.validate()
    }
}

/// Either of the lecture's two models.
pub enum Model {
    /// Sequences of one length, padded.
    Fixed(FixedLengthLstm),
    /// Sequences of any lengths, packed.
    Variable(VariableLengthLstm),
}

impl Model {
    /// Builds the model that the configuration names.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], and candle's where `vb` does not have the parameters.
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        Ok(match config.kind {
            ModelKind::Fixed => Self::Fixed(FixedLengthLstm::new(config, vb)?),
            ModelKind::Variable => Self::Variable(VariableLengthLstm::new(config, vb)?),
        })
    }
}

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

/// Reads what [`save_model`] wrote: the configuration, the model, and its parameters.
///
/// # Errors
///
/// [`Error::File`] for a file that is missing, damaged, or of a model of another shape.
pub fn load_model(
    folder: &Path,
    dtype: DType,
    device: &Device,
) -> Result<(ModelConfig, Model, Parameters)> {
    let path = folder.join(CONFIG);
    let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, error))?;
    let config: ModelConfig =
        serde_json::from_str(&text).map_err(|error| Error::file(&path, error))?;
    let parameters = Parameters::new(0);
    let model = Model::new(&config, parameters.builder(dtype, device));
    let model = model.map_err(|error| Error::file(&path, error))?;
    parameters.load(&folder.join(PARAMETERS))?;
    Ok((config, model, parameters))
}
