//! Reading the checkpoint of a run.

use ragged_transforms::{HeadOutputs, Outputs, Pipeline, TokenEncoder};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::targets::{Part, Targets};

/// The key of the metadata.
const KEY: &str = "ragged";

/// Averaged weights, which predictions use where there are any.
const EMA: &str = "ema.";

/// The metadata. A key that this version does not know is an error, since it may change the results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    sha256: String,
    info: Info,
}

/// The parts that a model needs, and those that only training needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Info {
    pub(crate) model: ModelConfig,
    pub(crate) schema: Schema,
    pub(crate) transforms: Pipeline,
    #[serde(default)]
    pub(crate) tokens: TokenEncoder,
    /// How predictions follow from the outputs of the head; absent if they are the outputs.
    #[serde(default)]
    pub(crate) outputs: Outputs,
    records: Vec<Record>,
    #[serde(rename = "identity")]
    _identity: IgnoredAny,
    #[serde(default, rename = "forced")]
    _forced: IgnoredAny,
    #[serde(default, rename = "loss")]
    _loss: IgnoredAny,
    #[serde(default, rename = "heads")]
    _heads: IgnoredAny,
    #[serde(rename = "progress")]
    _progress: IgnoredAny,
    #[serde(rename = "ranking")]
    _ranking: IgnoredAny,
}

/// The record of an epoch.
#[derive(Deserialize)]
struct Record {
    /// The metrics on the validation data, if there are any.
    #[serde(default)]
    valid: Option<IgnoredAny>,
}

/// What the training data were.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schema {
    pub(crate) targets: Targets,
    #[serde(default)]
    pub(crate) features: Option<Vec<String>>,
    #[serde(default, rename = "tokens")]
    _tokens: IgnoredAny,
    #[serde(default, rename = "static_numbers")]
    _static_numbers: IgnoredAny,
    #[serde(default, rename = "static_categories")]
    _static_categories: IgnoredAny,
    #[serde(default)]
    pub(crate) exact: bool,
}

/// A checkpoint whose checksum was right.
pub(crate) struct Checkpoint<'a> {
    pub(crate) info: Info,
    /// The checksum.
    pub(crate) sha256: [u8; 32],
    tensors: SafeTensors<'a>,
    averaged: bool,
}

impl<'a> Checkpoint<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self> {
        let other =
            |expected: &str, got: String| Error::Checkpoint { expected: expected.into(), got };
        let no_file = |error: safetensors::SafeTensorError| {
            other("a .safetensors file", format!("an error: {error}"))
        };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(no_file)?;
        let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text = text.ok_or_else(|| other("metadata of a run", "a file without them".into()))?;
        let Sealed { sha256, info } = serde_json::from_str(text)
            .map_err(|error| other("metadata of a run", format!("an error: {error}")))?;
        let sum = checksum(bytes, &sha256).ok_or_else(|| other("a SHA-256 sum", sha256.clone()))?;
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        if hex != sha256 {
            return Err(other(&format!("the SHA-256 sum {sha256}"), hex));
        }
        if info.records.is_empty() {
            return Err(Error::NoEpoch);
        }
        info.model.check()?;
        info.outputs.check(info.model.num_outputs)?;
        check_heads(&info.schema.targets, &info.outputs)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(no_file)?;
        let averaged = tensors.names().iter().any(|name| name.starts_with(EMA));
        Ok(Self { info, sha256: sum, tensors, averaged })
    }

    /// Whether the run has validation data, by which its best epoch is chosen.
    pub(crate) fn is_validated(&self) -> bool {
        self.info.records.last().is_some_and(|record| record.valid.is_some())
    }

    /// Returns a parameter of this shape.
    pub(crate) fn parameter(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let stored = if self.averaged { format!("{EMA}{name}") } else { name.to_string() };
        let error = |got: String| {
            let expected = format!("F32 {shape:?}");
            Error::Parameter { name: stored.clone(), expected, got }
        };
        let tensor: TensorView = match self.tensors.tensor(&stored) {
            Ok(tensor) => tensor,
            Err(_) => return Err(error("none".into())),
        };
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            return Err(error(format!("{:?} {:?}", tensor.dtype(), tensor.shape())));
        }
        let (values, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match values.iter().find(|value| !value.is_finite()) {
            None => Ok(values),
            Some(value) => Err(error(format!("the value {value}"))),
        }
    }
}

/// Checks that several targets have a head each, with an output per class.
fn check_heads(targets: &Targets, outputs: &Outputs) -> Result<()> {
    let (parts, heads) = (targets.parts(), outputs.kind.heads());
    let fits = |(part, head): (&Part, &HeadOutputs)| {
        let count = match part.labels() {
            Some(labels) => labels.len(),
            None => head.outputs.kind.per_value(),
        };
        part.name == head.name && count == head.count
    };
    if parts.len() == heads.len() && parts.iter().zip(heads).all(fits) {
        return Ok(());
    }
    let expected = format!("a head for each of {} targets", parts.len());
    Err(Error::Checkpoint { expected, got: format!("{} others", heads.len()) })
}

/// Computes the checksum of the bytes with zeros in the place of the sum itself.
fn checksum(bytes: &[u8], sum: &str) -> Option<[u8; 32]> {
    const LEN: usize = 64;
    let at = bytes.windows(LEN).position(|window| window == sum.as_bytes())?;
    let mut hash = Sha256::new();
    hash.update(&bytes[..at]);
    hash.update([b'0'; LEN]);
    hash.update(&bytes[at + LEN..]);
    Some(hash.finalize().into())
}
