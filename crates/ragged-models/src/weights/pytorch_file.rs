//! The files that `torch.save` writes.
//!
//! Such a file is a zip archive. `NAME/data.pkl` is a pickle of the saved object, in which calls
//! describe the tensors. `NAME/data/KEY` holds the elements of the storage KEY, and `NAME/byteorder`
//! is `little` or `big`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use candle_core::Tensor;
use zip::ZipArchive;

use crate::weights::pickle::machine;
use crate::weights::pickle::object_graph::{Pickle, Value};
use crate::weights::storages::Storages;
use crate::weights::tensor_record::{self, TensorRecord};

/// The most bytes that the pickle may have. That of a checkpoint with 100,000 tensors has about 10 MB.
const MAX_PICKLE: u64 = 1 << 28;

/// The error describes the problem; the caller adds the path of the file.
type ParseOutput<T> = Result<T, String>;

/// The entries of a saved dictionary. The elements of the tensors are not read yet.
pub(crate) struct PytorchFile {
    storages: Storages<BufReader<File>>,
    entries: BTreeMap<String, Entry>,
}

/// An entry of a saved dictionary.
enum Entry {
    /// A tensor, or the reason why it cannot be read.
    Tensor(ParseOutput<TensorRecord>),
    /// Something else, in words.
    Other(String),
}

impl PytorchFile {
    /// Reads the saved dictionary, or the dictionary that it holds under `key`.
    ///
    /// # Errors
    ///
    /// The reason why the file is not a checkpoint with tensors.
    pub(crate) fn open(path: &Path, key: Option<&str>) -> ParseOutput<Self> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let archive = ZipArchive::new(BufReader::new(file));
        let mut archive = archive.map_err(|error| error.to_string())?;
        let name = archive.file_names().find_map(|name| match name {
            Ok(name) if name == "data.pkl" || name.ends_with("/data.pkl") => {
                Some(name.into_owned())
            }
            _ => None,
        });
        let name =
            name.ok_or("a zip archive without data.pkl: expected a file that torch.save wrote")?;
        let root = name.strip_suffix("data.pkl").unwrap_or_default().to_string();
        if archive.index_for_name(&format!("{root}constants.pkl")).is_some() {
            let expected = "expected a file that torch.save wrote, of module.state_dict()";
            return Err(format!("a TorchScript archive: {expected}"));
        }
        let mut bytes = vec![];
        let entry = archive.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
        let read = entry.take(MAX_PICKLE + 1).read_to_end(&mut bytes);
        let read = read.map_err(|error| format!("{name}: {error}"))?;
        if read as u64 > MAX_PICKLE {
            return Err(format!("{name}: expected at most {MAX_PICKLE} bytes"));
        }
        let pickle = machine::parse(&bytes).map_err(|error| format!("data.pkl: {error}"))?;
        let entries = entries(&pickle, key)?;
        Ok(Self { storages: Storages::open(archive, root)?, entries })
    }

    /// Returns the names of the tensors, sorted, including those that cannot be read.
    pub(crate) fn tensor_names(&self) -> Vec<String> {
        let tensors = self.entries.iter().filter(|(_, entry)| matches!(entry, Entry::Tensor(_)));
        tensors.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the names of the entries that are no tensors, and what they are.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Other(what) => Some((name.as_str(), what.as_str())),
            Entry::Tensor(_) => None,
        })
    }

    /// Reads a tensor.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be read.
    pub(crate) fn tensor(&mut self, name: &str) -> ParseOutput<Tensor> {
        match self.entries.get(name) {
            Some(Entry::Tensor(record)) => self.storages.tensor(record.as_ref()?),
            Some(Entry::Other(what)) => Err(format!("expected a tensor, got {what}")),
            None => Err("no such entry".into()),
        }
    }
}

/// Returns the entries of the saved dictionary, or of the dictionary under `key`.
fn entries(pickle: &Pickle<'_>, key: Option<&str>) -> ParseOutput<BTreeMap<String, Entry>> {
    let mut found = pickle.dictionary(pickle.root).ok_or_else(|| {
        let advice = "expected a dictionary of tensors: save module.state_dict()";
        format!("the file holds {}, {advice}", pickle.describe(pickle.root))
    })?;
    if let Some(key) = key {
        let value = found.get(key).ok_or_else(|| {
            let keys: Vec<&str> = found.keys().copied().collect();
            format!("no key {key}: the keys are {}", keys.join(", "))
        })?;
        let nested = pickle.dictionary(*value);
        found = nested.ok_or_else(|| format!("{key} is not a dictionary"))?;
    }
    let entry = |value: Value<'_>| -> Entry {
        tensor_record::parse(pickle, value)
            .map_or_else(|| Entry::Other(pickle.describe(value)), Entry::Tensor)
    };
    let is_tensor = |&value: &Value<'_>| tensor_record::parse(pickle, value).is_some();
    if !found.values().any(is_tensor) {
        let nested: Vec<&str> = found
            .iter()
            .filter(|&(_, &value)| {
                pickle.dictionary(value).is_some_and(|entries| entries.values().any(is_tensor))
            })
            .map(|(&name, _)| name)
            .collect();
        return Err(match nested.is_empty() {
            true => "the file holds no tensor".into(),
            false => {
                format!("no tensor at the top level: there are tensors under {}", nested.join(", "))
            }
        });
    }
    Ok(found.into_iter().map(|(name, value)| (name.to_string(), entry(value))).collect())
}
