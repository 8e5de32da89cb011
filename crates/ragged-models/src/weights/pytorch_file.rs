//! Reading the files that `torch.save` writes.
//!
//! Such a file is a zip archive. `NAME/data.pkl` is a pickle of the saved object, in which tensors
//! are calls of `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ..)`.
//! `NAME/data/KEY` holds the elements of the storage KEY, little-endian.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use candle_core::pickle::{Object, Stack};
use candle_core::{DType, Device, Tensor};
use zip::ZipArchive;

type Archive = ZipArchive<BufReader<File>>;
/// The error describes the problem; the caller adds the path of the file.
type ParseOutput<T> = Result<T, String>;

/// Reads the tensors of the saved dictionary, or of the dictionary that it holds under `key`.
pub(crate) fn read(path: &Path, key: Option<&str>) -> ParseOutput<HashMap<String, Tensor>> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let file = File::open(path).map_err(|error| text(&error))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| text(&error))?;
    let pickle = archive.file_names().find_map(|name| match name {
        Ok(name) if name == "data.pkl" || name.ends_with("/data.pkl") => Some(name.into_owned()),
        _ => None,
    });
    let pickle =
        pickle.ok_or("a zip archive without data.pkl: expected a file that torch.save wrote")?;
    let root = pickle.trim_end_matches("data.pkl").to_string();
    let object = {
        let entry = archive.by_name(&pickle).map_err(|error| text(&error))?;
        let mut stack = Stack::empty();
        let parsed = stack.read_loop(&mut BufReader::new(entry)).and_then(|()| stack.finalize());
        parsed.map_err(|error| format!("data.pkl: {error}"))?
    };
    let mut entries = dictionary(object).ok_or("expected a saved dictionary of tensors")?;
    if let Some(key) = key {
        entries = entries_under(entries, key)?;
    }
    let nested: Vec<String> = entries.iter().filter_map(holds_tensors).collect();
    let mut tensors = HashMap::new();
    for (name, object) in entries {
        if let (Object::Unicode(name), Some(record)) = (name, TensorRecord::of(&object)) {
            let tensor = record.and_then(|record| record.tensor(&mut archive, &root));
            tensors.insert(name.clone(), tensor.map_err(|why| format!("tensor {name}: {why}"))?);
        }
    }
    if tensors.is_empty() {
        return Err(match nested.is_empty() {
            true => "the file holds no tensor".into(),
            false => {
                format!("no tensor at the top level: there are tensors under {}", nested.join(", "))
            }
        });
    }
    Ok(tensors)
}

fn dictionary(object: Object) -> Option<Vec<(Object, Object)>> {
    match object {
        Object::Dict(entries) => Some(entries),
        _ => None,
    }
}

/// Returns the entries of the dictionary that is stored under a key.
fn entries_under(entries: Vec<(Object, Object)>, key: &str) -> ParseOutput<Vec<(Object, Object)>> {
    let is_key = |name: &Object| matches!(name, Object::Unicode(name) if name == key);
    let names = entries.iter().filter_map(|(name, _)| match name {
        Object::Unicode(name) => Some(name.clone()),
        _ => None,
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    let found = entries.into_iter().find(|(name, _)| is_key(name));
    let (_, object) =
        found.ok_or_else(|| format!("no key {key}: the keys are {}", names.join(", ")))?;
    dictionary(object).ok_or_else(|| format!("{key} is not a dictionary"))
}

/// Returns the key of an entry if its value is a dictionary with a tensor.
fn holds_tensors((name, object): &(Object, Object)) -> Option<String> {
    let (Object::Unicode(name), Object::Dict(entries)) = (name, object) else { return None };
    entries.iter().any(|(_, object)| TensorRecord::of(object).is_some()).then(|| name.clone())
}

/// The description of a tensor in the pickle.
struct TensorRecord {
    dtype: DType,
    storage: String,
    offset: usize,
    size: Vec<usize>,
    stride: Vec<usize>,
}

impl TensorRecord {
    /// Parses an object; `None` if it is not a tensor.
    fn of(object: &Object) -> Option<ParseOutput<Self>> {
        let Object::Reduce { callable, args } = object else { return None };
        let (Object::Class { module_name, class_name }, Object::Tuple(args)) =
            (&**callable, &**args)
        else {
            return None;
        };
        match (module_name.as_str(), class_name.as_str()) {
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::parse(args)),
            // A parameter contains its tensor as the first argument.
            ("torch._utils", "_rebuild_parameter") => args.first().and_then(Self::of),
            _ => None,
        }
    }

    fn parse(args: &[Object]) -> ParseOutput<Self> {
        let [Object::PersistentLoad(storage), offset, size, stride, ..] = args else {
            return Err("expected a storage, offset, size and stride".into());
        };
        let Object::Tuple(storage) = &**storage else { return Err("expected a storage".into()) };
        let [_, Object::Class { class_name, .. }, Object::Unicode(key), ..] = storage.as_slice()
        else {
            return Err("expected the type and key of a storage".into());
        };
        let dtype = match class_name.as_str() {
            "FloatStorage" => DType::F32,
            "DoubleStorage" => DType::F64,
            "HalfStorage" => DType::F16,
            "BFloat16Storage" => DType::BF16,
            "ByteStorage" | "BoolStorage" => DType::U8,
            "ShortStorage" => DType::I16,
            "IntStorage" => DType::I32,
            "LongStorage" => DType::I64,
            other => return Err(format!("{other} is not supported")),
        };
        let (storage, offset) = (key.clone(), whole_number(offset)?);
        let record = Self {
            dtype,
            storage,
            offset,
            size: whole_numbers(size)?,
            stride: whole_numbers(stride)?,
        };
        if record.size.len() != record.stride.len() {
            return Err("size and stride differ in length".into());
        }
        Ok(record)
    }

    /// Reads the elements.
    fn tensor(&self, archive: &mut Archive, root: &str) -> ParseOutput<Tensor> {
        let name = format!("{root}data/{}", self.storage);
        let mut bytes = vec![];
        let entry = archive.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
        BufReader::new(entry)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("{name}: {error}"))?;
        let held = bytes.len() / self.dtype.size_in_bytes();
        let outside =
            || format!("size {:?} is beyond the {held} elements of its storage", self.size);
        let count = self.size.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
        let count = count.filter(|&count| count <= held).ok_or_else(outside)?;
        let mut indices = Vec::with_capacity(count);
        for k in 0..count {
            let mut rest = k;
            let mut offsets = self.size.iter().zip(&self.stride).rev().map(|(&dim, &stride)| {
                let index = rest % dim;
                rest /= dim;
                index.checked_mul(stride)
            });
            let index = offsets.try_fold(self.offset, |sum, offset| sum.checked_add(offset?));
            indices.push(index.filter(|&index| index < held).ok_or_else(outside)? as i64);
        }
        let tensor = || -> candle_core::Result<Tensor> {
            let bytes = &bytes[..held * self.dtype.size_in_bytes()];
            let storage = Tensor::from_raw_buffer(bytes, self.dtype, &[held], &Device::Cpu)?;
            let indices = Tensor::from_vec(indices, count, &Device::Cpu)?;
            storage.index_select(&indices, 0)?.reshape(self.size.as_slice())
        };
        tensor().map_err(|error| error.to_string())
    }
}

/// Parses a size, stride or offset.
fn whole_number(object: &Object) -> ParseOutput<usize> {
    let number = match *object {
        Object::Int(number) => number.into(),
        Object::Long(number) => number,
        _ => -1,
    };
    usize::try_from(number).map_err(|_| "expected a whole number".into())
}

/// Parses a tuple of sizes or strides.
fn whole_numbers(object: &Object) -> ParseOutput<Vec<usize>> {
    match object {
        Object::Tuple(numbers) => numbers.iter().map(whole_number).collect(),
        _ => Err("expected whole numbers".into()),
    }
}
