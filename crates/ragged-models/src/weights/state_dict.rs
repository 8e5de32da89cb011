//! State dicts: tensors by name, read from a file and compared with the parameters.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use crate::error::{Error, Result};
use crate::weights::mismatches::{Mismatches, ShapeMismatch};
use crate::weights::pytorch_file;

/// Where a state dict is in a file, and how strictly it must fit the parameters.
///
/// ```
/// use ragged_models::LoadOptions;
///
/// // torch.save({"model_state_dict": model.state_dict(), ..}), of a model with an `encoder`.
/// let options = LoadOptions {
///     key: Some("model_state_dict".into()),
///     prefix: "encoder.".into(),
///     ..LoadOptions::default()
/// };
/// assert!(options.strict);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// The key of the state dict in a PyTorch checkpoint, such as `model_state_dict`. Default none:
    /// the checkpoint is the state dict.
    pub key: Option<String>,
    /// The prefix to remove from the names, such as `encoder.lstm.`. Tensors whose names begin
    /// differently belong to other modules and are ignored. Default empty.
    pub prefix: String,
    /// Whether missing and unexpected names are errors, as in PyTorch. Default true. Wrong shapes
    /// are always errors.
    pub strict: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { key: None, prefix: String::new(), strict: true }
    }
}

/// The names that occur only in the parameters or only in the state dict, sorted.
///
/// ```
/// use std::collections::HashMap;
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Linear, Parameters};
///
/// let parameters = Parameters::new(1);
/// Linear::new(2, 1, parameters.builder(DType::F32, &Device::Cpu))?;
/// let weight = Tensor::zeros((1, 2), DType::F32, &Device::Cpu)?;
/// let tensors = HashMap::from([("weight".to_string(), weight)]);
/// let differences = parameters.load_state_dict_non_strict(&tensors)?;
/// assert_eq!(differences.missing, ["bias"]);
/// assert!(differences.unexpected.is_empty());
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Parameters that are not in the state dict.
    pub missing: Vec<String>,
    /// Tensors of the state dict that are not parameters.
    pub unexpected: Vec<String>,
}

/// Reads the tensors of a `.safetensors` file or of a PyTorch checkpoint (`.pt`, `.pth`).
///
/// The content of the file, not its name, decides which of the two it is. The option `strict` has no
/// effect here.
///
/// # Errors
///
/// [`Error::Io`] for a file that cannot be read, [`Error::Safetensors`] and [`Error::Checkpoint`] for
/// a file that cannot be parsed. [`Error::Checkpoint`] also for a file without tensors under the key
/// and prefix; the message names the keys or a name that exist.
///
/// ```
/// use candle_core::{DType, Device};
/// use ragged_models::{Linear, LoadOptions, Parameters, read_state_dict};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("linear.safetensors");
/// let parameters = Parameters::new(1);
/// Linear::new(2, 1, parameters.builder(DType::F32, &Device::Cpu))?;
/// parameters.save(&path)?;
/// let tensors = read_state_dict(&path, &LoadOptions::default())?;
/// assert_eq!(tensors["weight"].dims(), [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_state_dict(path: &Path, options: &LoadOptions) -> Result<HashMap<String, Tensor>> {
    let fail = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let mut start = [0; 4];
    let read = |start: &mut [u8]| File::open(path)?.read(start);
    let count = read(&mut start).map_err(Error::io(path))?;
    let tensors = match &start[..count] {
        [b'P', b'K', 3, 4] => pytorch_file::read(path, options.key.as_deref()).map_err(fail)?,
        [0x80, 2, ..] => {
            let expected = "expected a file that torch.save of PyTorch 1.6 or later wrote";
            return Err(fail(format!("a pickle without a zip archive: {expected}")));
        }
        _ => {
            if let Some(key) = &options.key {
                return Err(fail(format!("key {key}: only PyTorch checkpoints have keys")));
            }
            read_safetensors(path)?
        }
    };
    if tensors.is_empty() {
        return Err(fail("the file holds no tensor".into()));
    }
    let mut first = tensors.keys().min().cloned().unwrap_or_default();
    let tensors: HashMap<_, _> = tensors
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(&options.prefix)?.into(), tensor)))
        .collect();
    if tensors.is_empty() {
        first.truncate(100);
        let prefix = &options.prefix;
        return Err(fail(format!("no name begins with {prefix}: the first name is {first}")));
    }
    Ok(tensors)
}

/// Reads the tensors of a `.safetensors` file.
fn read_safetensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|source| Error::Safetensors { path: path.to_path_buf(), source })?;
    let tensors = file.tensors().into_iter();
    tensors.map(|(name, view)| Ok((name, view.load(&Device::Cpu)?))).collect()
}

/// Compares a state dict with the names and shapes of parameters.
///
/// All wrong shapes, and if `strict` all missing and unexpected names, are in one error.
pub(crate) fn compare<'a>(
    parameters: impl Iterator<Item = (&'a String, &'a [usize])>,
    tensors: &HashMap<String, Tensor>,
    strict: bool,
) -> Result<Differences> {
    let mut found = Mismatches::default();
    let mut unexpected: Vec<&String> = tensors.keys().collect();
    for (name, dims) in parameters {
        match tensors.get(name) {
            None => found.missing.push((name.clone(), dims.to_vec())),
            Some(tensor) if tensor.dims() != dims => {
                let (expected, got) = (dims.to_vec(), tensor.dims().to_vec());
                found.shapes.push(ShapeMismatch { name: name.clone(), expected, got });
            }
            Some(_) => {}
        }
        unexpected.retain(|other| *other != name);
    }
    unexpected.sort();
    found.unexpected = unexpected.into_iter().cloned().collect();
    let names_differ = !found.missing.is_empty() || !found.unexpected.is_empty();
    if found.shapes.is_empty() && !(strict && names_differ) {
        let missing = found.missing.into_iter().map(|(name, _)| name).collect();
        return Ok(Differences { missing, unexpected: found.unexpected });
    }
    if !strict {
        found = Mismatches { shapes: found.shapes, ..Mismatches::default() };
    }
    Err(Error::StateDict(found))
}
