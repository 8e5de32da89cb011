//! One case as it lies on disk, and the comparison of results with it.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

/// A result whose error is one line for the report.
pub(super) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The options and tensors of a file.
pub(super) struct Case {
    options: Value,
    tensors: HashMap<String, Tensor>,
}

impl Case {
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let bytes = std::fs::read(path)?;
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)?;
        let case = metadata.metadata().as_ref().and_then(|metadata| metadata.get("case"));
        let options = serde_json::from_str(case.ok_or("the metadata has no key \"case\"")?)?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        Ok(Self { options, tensors })
    }

    /// An option, `null` where the case does not have it.
    pub(super) fn option(&self, key: &str) -> &Value {
        &self.options[key]
    }

    pub(super) fn text(&self, key: &str) -> Outcome<&str> {
        let wrong = || format!("option {key}: expected a text, got {}", self.option(key)).into();
        self.option(key).as_str().ok_or_else(wrong)
    }

    pub(super) fn flag(&self, key: &str) -> Outcome<bool> {
        let wrong = || format!("option {key}: expected true or false, got {}", self.option(key));
        Ok(self.option(key).as_bool().ok_or_else(wrong)?)
    }

    pub(super) fn size(&self, key: &str) -> Outcome<usize> {
        let wrong = || format!("option {key}: expected a size, got {}", self.option(key));
        let size = self.option(key).as_u64().and_then(|size| size.try_into().ok());
        Ok(size.ok_or_else(wrong)?)
    }

    /// The dtype of the case, and the relative error that it allows.
    pub(super) fn precision(&self) -> Outcome<(DType, f64)> {
        match self.text("dtype")? {
            "f32" => Ok((DType::F32, 1e-4)),
            "f64" => Ok((DType::F64, 1e-9)),
            other => Err(format!("unknown dtype {other:?}").into()),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    pub(super) fn tensor(&self, name: &str) -> Outcome<&Tensor> {
        Ok(self.find(name).ok_or_else(|| format!("the case has no tensor {name}"))?)
    }

    /// The tensors below a prefix, which their names lose.
    pub(super) fn below(&self, prefix: &str) -> HashMap<String, Tensor> {
        let named = self.tensors.iter();
        named.filter_map(|(k, t)| Some((k.strip_prefix(prefix)?.into(), t.clone()))).collect()
    }
}

/// The worst difference so far, and which tensor has it.
pub(super) struct Comparison {
    pub(super) worst: f64,
    pub(super) tensor: String,
    pub(super) tolerance: f64,
}

impl Comparison {
    pub(super) fn new(tolerance: f64) -> Self {
        Self { worst: 0.0, tensor: "everything exact".into(), tolerance }
    }

    /// Compares by `max|got - want| / max(1, max|want|)`; what is not a number is infinitely off.
    pub(super) fn add(&mut self, name: &str, got: &Tensor, want: &Tensor) -> Outcome<()> {
        if got.dims() != want.dims() {
            let (got, want) = (got.dims(), want.dims());
            return Err(format!("{name} has shape {got:?}, PyTorch's {want:?}").into());
        }
        let (got, want) = (flat(got)?, flat(want)?);
        let scale = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        let difference = got.iter().zip(&want).map(|(g, w)| (g - w).abs() / scale);
        let error = difference.map(|d| if d.is_nan() { f64::INFINITY } else { d });
        let error = error.fold(0.0, f64::max);
        if error > self.worst {
            (self.worst, self.tensor) = (error, name.into());
        }
        Ok(())
    }

    /// Compares whole numbers.
    pub(super) fn add_sizes(&mut self, name: &str, got: &[usize], want: &Tensor) -> Outcome<()> {
        let got: Vec<i64> = got.iter().map(|&size| size as i64).collect();
        let count = got.len();
        self.add(name, &Tensor::from_vec(got, count, &Device::Cpu)?, want)
    }
}

fn flat(tensor: &Tensor) -> Outcome<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}
