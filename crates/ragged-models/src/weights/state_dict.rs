//! State dicts: tensors by name, read from a file and compared with the parameters.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use crate::error::{Error, Result};
use crate::weights::mismatches::{Mismatches, ShapeMismatch};
use crate::weights::pytorch_file::PytorchFile;

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
/// and prefix; the message names the keys or a name that exist. [`Error::Checkpoint`] also for a
/// tensor of a kind that cannot be read, such as a quantised, sparse or complex one; the message names
/// the tensor and the kind. Entries that are no tensors are ignored.
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
    let content = read(path, options)?;
    content.check(path, options, |_, entry| matches!(entry, NotRead::Tensor(_)))?;
    Ok(content.tensors)
}

/// The part of a file that the options describe. The names are without the prefix.
pub(crate) struct Content {
    pub(crate) tensors: HashMap<String, Tensor>,
    not_read: BTreeMap<String, NotRead>,
}

/// An entry of a file that was not read.
pub(crate) enum NotRead {
    /// A tensor of an unknown kind or beyond the file, and the reason.
    Tensor(String),
    /// Something else than a tensor, in words.
    Other(String),
}

impl Content {
    /// Reads a tensor if its name begins with the prefix.
    fn add(
        &mut self,
        name: &str,
        prefix: &str,
        load: impl FnOnce() -> std::result::Result<Tensor, String>,
    ) {
        let Some(name) = name.strip_prefix(prefix) else { return };
        match load() {
            Ok(tensor) => drop(self.tensors.insert(name.into(), tensor)),
            Err(why) => drop(self.not_read.insert(name.into(), NotRead::Tensor(why))),
        }
    }

    /// Returns an error for the first entry that was not read and that is needed.
    pub(crate) fn check(
        &self,
        path: &Path,
        options: &LoadOptions,
        is_needed: impl Fn(&str, &NotRead) -> bool,
    ) -> Result<()> {
        let needed = self.not_read.iter().find(|(name, entry)| is_needed(name, entry));
        let Some((name, entry)) = needed else { return Ok(()) };
        let name = format!("{}{name}", options.prefix);
        let reason = match entry {
            NotRead::Tensor(why) => format!("tensor {name}: {why}"),
            NotRead::Other(what) => format!("{name} is {what}: expected a tensor"),
        };
        Err(Error::Checkpoint { path: path.to_path_buf(), reason })
    }

    /// Returns an error for the first entry that was not read and that a model needs: those of its
    /// own parameters, and if the options are strict all tensors.
    pub(crate) fn check_for(
        &self,
        path: &Path,
        options: &LoadOptions,
        is_parameter: impl Fn(&str) -> bool,
    ) -> Result<()> {
        self.check(path, options, |name, entry| {
            is_parameter(name) || (options.strict && matches!(entry, NotRead::Tensor(_)))
        })
    }
}

/// Reads the tensors whose names begin with the prefix.
///
/// # Errors
///
/// Those of [`read_state_dict`], except that single tensors that cannot be read are left to
/// [`Content::check`].
pub(crate) fn read(path: &Path, options: &LoadOptions) -> Result<Content> {
    let fail = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let prefix = options.prefix.as_str();
    let mut start = [0; 4];
    let read = |start: &mut [u8]| File::open(path)?.read(start);
    let count = read(&mut start).map_err(Error::io(path))?;
    let mut content = Content { tensors: HashMap::new(), not_read: BTreeMap::new() };
    let names = match &start[..count] {
        [b'P', b'K', 3, 4] => {
            let mut file = PytorchFile::open(path, options.key.as_deref()).map_err(fail)?;
            for (name, what) in file.others() {
                if let Some(name) = name.strip_prefix(prefix) {
                    content.not_read.insert(name.into(), NotRead::Other(what.into()));
                }
            }
            let names = file.tensor_names();
            for name in &names {
                content.add(name, prefix, || file.tensor(name));
            }
            names
        }
        [0x80, 2..=5, ..] => {
            let expected = "expected a file that torch.save of PyTorch 1.6 or later wrote";
            return Err(fail(format!("a pickle without a zip archive: {expected}")));
        }
        _ => {
            if let Some(key) = &options.key {
                return Err(fail(format!("key {key}: only PyTorch checkpoints have keys")));
            }
            let bytes = std::fs::read(path).map_err(Error::io(path))?;
            let file = SafeTensors::deserialize(&bytes)
                .map_err(|source| Error::Safetensors { path: path.to_path_buf(), source })?;
            for (name, view) in file.iter() {
                let load = || view.load(&Device::Cpu).map_err(|error| error.to_string());
                content.add(name, prefix, load);
            }
            file.iter().map(|(name, _)| name.to_string()).collect()
        }
    };
    let first = names.iter().min().ok_or_else(|| fail("the file holds no tensor".into()))?;
    if !names.iter().any(|name| name.starts_with(prefix)) {
        let first: String = first.chars().take(100).collect();
        return Err(fail(format!("no name begins with {prefix}: the first name is {first}")));
    }
    Ok(content)
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
