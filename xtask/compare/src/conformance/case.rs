//! A case file, and the comparison of results with it.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

/// A result whose error becomes a line of the report.
pub(super) type CaseResult<T> = Result<T, Box<dyn std::error::Error>>;

/// The options and tensors of a file.
pub(super) struct Case {
    options: Value,
    tensors: HashMap<String, Tensor>,
}

impl Case {
    pub(super) fn read(path: &Path) -> CaseResult<Self> {
        let bytes = std::fs::read(path)?;
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)?;
        let case = metadata.metadata().as_ref().and_then(|metadata| metadata.get("case"));
        let options = serde_json::from_str(case.ok_or("the metadata has no key \"case\"")?)?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        Ok(Self { options, tensors })
    }

    /// Returns an option, or `null` if the case does not have it.
    pub(super) fn option(&self, key: &str) -> &Value {
        &self.options[key]
    }

    pub(super) fn text(&self, key: &str) -> CaseResult<&str> {
        let wrong = || format!("option {key}: expected a string, got {}", self.option(key)).into();
        self.option(key).as_str().ok_or_else(wrong)
    }

    pub(super) fn flag(&self, key: &str) -> CaseResult<bool> {
        let wrong = || format!("option {key}: expected true or false, got {}", self.option(key));
        Ok(self.option(key).as_bool().ok_or_else(wrong)?)
    }

    pub(super) fn size(&self, key: &str) -> CaseResult<usize> {
        let wrong = || format!("option {key}: expected a size, got {}", self.option(key));
        let size = self.option(key).as_u64().and_then(|size| size.try_into().ok());
        Ok(size.ok_or_else(wrong)?)
    }

    /// Returns the dtype of the case and its relative tolerance.
    pub(super) fn precision(&self) -> CaseResult<(DType, f64)> {
        match self.text("dtype")? {
            "f32" => Ok((DType::F32, 1e-4)),
            "f64" => Ok((DType::F64, 1e-9)),
            other => Err(format!("unknown dtype {other:?}").into()),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    pub(super) fn tensor(&self, name: &str) -> CaseResult<&Tensor> {
        Ok(self.find(name).ok_or_else(|| format!("the case has no tensor {name}"))?)
    }

    /// Returns the tensors whose names have the prefix, under the rest of their names.
    pub(super) fn below(&self, prefix: &str) -> HashMap<String, Tensor> {
        let named = self.tensors.iter();
        named.filter_map(|(k, t)| Some((k.strip_prefix(prefix)?.into(), t.clone()))).collect()
    }
}

/// The largest difference so far, and the tensor that has it.
pub(super) struct Comparison {
    pub(super) max_error: f64,
    pub(super) tensor: String,
    pub(super) tolerance: f64,
}

impl Comparison {
    pub(super) fn new(tolerance: f64) -> Self {
        Self { max_error: 0.0, tensor: "everything exact".into(), tolerance }
    }

    /// Compares by `max|got - want| / max(1, max|want|)`; a NaN counts as an infinite error.
    pub(super) fn add(&mut self, name: &str, got: &Tensor, want: &Tensor) -> CaseResult<()> {
        if got.dims() != want.dims() {
            let (got, want) = (got.dims(), want.dims());
            return Err(format!("{name} has shape {got:?}, PyTorch's {want:?}").into());
        }
        let (got, want) = (flat(got)?, flat(want)?);
        let scale = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        let difference = got.iter().zip(&want).map(|(g, w)| (g - w).abs() / scale);
        let error = difference.map(|d| if d.is_nan() { f64::INFINITY } else { d });
        let error = error.fold(0.0, f64::max);
        if error > self.max_error {
            (self.max_error, self.tensor) = (error, name.into());
        }
        Ok(())
    }

    /// Compares sizes or indices.
    pub(super) fn add_sizes(&mut self, name: &str, got: &[usize], want: &Tensor) -> CaseResult<()> {
        let got: Vec<i64> = got.iter().map(|&size| size as i64).collect();
        let count = got.len();
        self.add(name, &Tensor::from_vec(got, count, &Device::Cpu)?, want)
    }
}

fn flat(tensor: &Tensor) -> CaseResult<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}
