//! `.safetensors` files: arrays, with `labels` as a JSON list under the metadata key `labels`.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::dataset::Dataset;
use crate::error::{Error, Location, Result};
use crate::formats::arrays::{self, Array, Data};
use crate::formats::collect::Collector;
use crate::formats::errors::io;
use crate::in_memory::InMemory;

const LABELS: &str = "labels";

/// Reads the tensors and cuts them into sequences.
pub(super) fn read(bytes: &[u8], into: &mut Collector) -> Result<()> {
    let tensors = SafeTensors::deserialize(bytes).map_err(library)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(library)?;
    let mut found = BTreeMap::new();
    for (name, view) in tensors.iter() {
        let data =
            data(&view).map_err(|reason| Location::Whole.error(format!("{name}: {reason}")))?;
        found.insert(name.to_string(), Array { dims: view.shape().to_vec(), data });
    }
    if let Some(labels) = metadata.metadata().as_ref().and_then(|m| m.get(LABELS)) {
        let labels: Vec<String> = serde_json::from_str(labels).map_err(|error| {
            let reason = format!("metadata {LABELS}: expected a list of texts: {error}");
            Location::Whole.caused_by(reason, error)
        })?;
        let labels = Array { dims: vec![labels.len()], data: Data::Text(labels) };
        found.insert(LABELS.into(), labels);
    }
    arrays::read(found, into)
}

fn data(view: &TensorView) -> Result<Data, String> {
    let bytes = view.data();
    Ok(match view.dtype() {
        Dtype::F16 => Data::of_bytes(bytes, |b| f64::from(f16::from_le_bytes(b)))?,
        Dtype::BF16 => Data::of_bytes(bytes, |b| f64::from(bf16::from_le_bytes(b)))?,
        Dtype::F32 => Data::of_bytes(bytes, |b| f64::from(f32::from_le_bytes(b)))?,
        Dtype::F64 => Data::of_bytes(bytes, f64::from_le_bytes)?,
        Dtype::BOOL | Dtype::U8 => Data::integers(bytes, |b| i64::from(u8::from_le_bytes(b))),
        Dtype::I8 => Data::integers(bytes, |b| i64::from(i8::from_le_bytes(b))),
        Dtype::I16 => Data::integers(bytes, |b| i64::from(i16::from_le_bytes(b))),
        Dtype::U16 => Data::integers(bytes, |b| i64::from(u16::from_le_bytes(b))),
        Dtype::I32 => Data::integers(bytes, |b| i64::from(i32::from_le_bytes(b))),
        Dtype::U32 => Data::integers(bytes, |b| i64::from(u32::from_le_bytes(b))),
        Dtype::I64 => Data::integers(bytes, i64::from_le_bytes),
        other => return Err(format!("dtype {other:?} is not supported: expected plain numbers")),
    })
}

/// Writes `values`, `lengths` and `targets`.
pub(super) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    let mut buffers = vec![];
    for (name, Array { dims, data }) in arrays::arrays(dataset) {
        let (dtype, bytes): (_, Vec<u8>) = match data {
            Data::Float(values) => {
                (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Data::Integer(values) => {
                (Dtype::I64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            // Only labels are texts, and these are in the metadata.
            Data::Text(_) => continue,
        };
        buffers.push((name, dtype, dims, bytes));
    }
    let metadata = match dataset.target_kind().labels() {
        None => None,
        Some(labels) => {
            let labels = serde_json::to_string(labels).map_err(library)?;
            Some(HashMap::from([(LABELS.to_string(), labels)]))
        }
    };
    let mut views = vec![];
    for (name, dtype, dims, bytes) in &buffers {
        let view = TensorView::new(*dtype, dims.clone(), bytes);
        views.push((*name, view.map_err(library)?));
    }
    let bytes = safetensors::serialize(views, metadata).map_err(library)?;
    out.write_all(&bytes).map_err(io)
}

/// An error of the library, with its own message.
fn library(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Location::Whole.caused_by(error.to_string(), error)
}
