//! State dicts: the tensors of a file by name, and what differs from the parameters they are for.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use crate::{Error, Result, pytorch_file};

/// How a state dict is found in a file, and how well it must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// The key under which a PyTorch checkpoint holds it, such as `model_state_dict`.
    pub key: Option<String>,
    /// What stands before the names, such as `encoder.lstm.`; names that begin otherwise are another
    /// module's and are left aside. Empty for none.
    pub prefix: String,
    /// Whether missing and unexpected names are errors, as in PyTorch. Default true. Wrong shapes
    /// always are.
    pub strict: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { key: None, prefix: String::new(), strict: true }
    }
}

/// The names that a state dict and some parameters do not share, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Parameters that the state dict lacks.
    pub missing: Vec<String>,
    /// Tensors that no parameter is called by.
    pub unexpected: Vec<String>,
}

/// The tensors of a `.safetensors` file or of a PyTorch checkpoint (`.pt`, `.pth`), whose content,
/// not name, says which it is. Of the options, `strict` has no say here.
///
/// # Errors
///
/// [`Error::File`] for a file that cannot be read or understood, and for one in which no tensor was
/// found, with the keys or prefixes under which there are some.
pub fn read_state_dict(path: &Path, options: &LoadOptions) -> Result<HashMap<String, Tensor>> {
    let fail = |reason: String| Error::file(path, reason);
    let mut start = [0; 4];
    let read = |start: &mut [u8]| std::io::Read::read(&mut std::fs::File::open(path)?, start);
    let count = read(&mut start).map_err(|error| Error::file(path, error))?;
    let tensors = match &start[..count] {
        [b'P', b'K', 3, 4] => pytorch_file::read(path, options.key.as_deref()).map_err(fail)?,
        [0x80, 2, ..] => {
            let expected = "expected one that torch.save of PyTorch 1.6 or later wrote";
            return Err(fail(format!("a pickle without an archive around it: {expected}")));
        }
        _ => {
            if let Some(key) = &options.key {
                return Err(fail(format!("key {key}: only PyTorch checkpoints have keys")));
            }
            let bytes = std::fs::read(path).map_err(|error| Error::file(path, error))?;
            candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
                .map_err(|error| fail(format!("not a safetensors file: {error}")))?
        }
    };
    if tensors.is_empty() {
        return Err(fail("no tensor in it".into()));
    }
    let mut first = tensors.keys().min().cloned().unwrap_or_default();
    let tensors: HashMap<_, _> = tensors
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(&options.prefix)?.into(), tensor)))
        .collect();
    if tensors.is_empty() {
        first.truncate(100);
        return Err(fail(format!("no name begins with {}: one is {first}", options.prefix)));
    }
    Ok(tensors)
}

/// Compares a state dict with parameters' names and shapes.
///
/// All wrong shapes, and where `strict` all missing and unexpected names, are in one error.
pub(crate) fn compare<'a>(
    parameters: impl Iterator<Item = (&'a String, &'a [usize])>,
    tensors: &HashMap<String, Tensor>,
    strict: bool,
) -> Result<Differences> {
    let (mut wrong, mut missing, mut differences) = (vec![], vec![], Differences::default());
    let mut unexpected: Vec<&String> = tensors.keys().collect();
    for (name, dims) in parameters {
        match tensors.get(name) {
            None => {
                missing.push(format!("missing {name} {dims:?}"));
                differences.missing.push(name.clone());
            }
            Some(tensor) if tensor.dims() != dims => {
                wrong.push(format!("{name} has shape {:?}, expected {dims:?}", tensor.dims()));
            }
            Some(_) => {}
        }
        unexpected.retain(|other| *other != name);
    }
    unexpected.sort();
    differences.unexpected = unexpected.into_iter().cloned().collect();
    if strict {
        wrong.append(&mut missing);
        wrong.extend(differences.unexpected.iter().map(|name| format!("unexpected {name}")));
    }
    if wrong.is_empty() { Ok(differences) } else { Err(Error::StateDict(wrong)) }
}
