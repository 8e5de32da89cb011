//! `.safetensors` files: arrays of numbers, and texts as JSON lists in the metadata.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Location, Result};
use crate::formats::arrays::{self, Array, Data};
use crate::formats::collect::Collector;
use crate::formats::errors::io;
use crate::in_memory::InMemory;

/// The metadata keys of texts.
const TEXTS: [&str; 3] = ["labels", "features", "ids"];

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
    for name in TEXTS {
        let Some(texts) = metadata.metadata().as_ref().and_then(|m| m.get(name)) else { continue };
        let texts: Vec<String> = serde_json::from_str(texts).map_err(|error| {
            let reason = format!("metadata {name}: expected a list of texts: {error}");
            Location::Whole.caused_by(reason, error)
        })?;
        found.insert(name.into(), arrays::text_array(texts));
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
        Dtype::U64 => Data::unsigned(bytes, u64::from_le_bytes),
        other => return Err(format!("dtype {other:?} is not supported: expected plain numbers")),
    })
}

/// Writes all arrays.
pub(super) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    let (mut buffers, mut metadata) = (vec![], HashMap::new());
    for (name, Array { dims, data }) in arrays::arrays(dataset) {
        let (dtype, bytes): (_, Vec<u8>) = match data {
            Data::Float(values) => match arrays::single(&values) {
                Some(values) => {
                    (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
                }
                None => (Dtype::F64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            },
            Data::Integer(values) => {
                (Dtype::I64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Data::Unsigned(values) => {
                (Dtype::U64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Data::Text(texts) => {
                metadata.insert(name.to_string(), serde_json::to_string(&texts).map_err(library)?);
                continue;
            }
        };
        buffers.push((name, dtype, dims, bytes));
    }
    let metadata = (!metadata.is_empty()).then_some(metadata);
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
