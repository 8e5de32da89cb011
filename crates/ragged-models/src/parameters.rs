//! Named parameters, drawn from a seed or read from a file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::{SimpleBackend, VarBuilder};
use ragged_sequence::random::{Generator, Purpose};
use rand::Rng;

use crate::file::write_whole;
use crate::state_dict::{Differences, LoadOptions, compare, read_state_dict};
use crate::{Error, Result};

/// The parameters of a model by their PyTorch names, in the order of the names.
///
/// Layers take them from [`builder`](Self::builder), so every candle-nn layer can join. A fresh
/// parameter's values depend on the seed, its name and its shape alone: not on the order in which
/// layers are built, nor on what else there is (candle's own CPU generator cannot be seeded).
///
/// Cloning is cheap, and both clones are the same parameters.
#[derive(Clone)]
pub struct Parameters {
    seed: u64,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Parameters {
    /// No parameters yet; those to come are drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, vars: Arc::default() }
    }

    /// What layers are built with: asks for a parameter by name and creates it where it is new.
    pub fn builder(&self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), dtype, device.clone())
    }

    /// All parameters, sorted by name.
    pub fn named(&self) -> Vec<(String, Var)> {
        self.lock().iter().map(|(name, var)| (name.clone(), var.clone())).collect()
    }

    /// How many numbers they hold together.
    pub fn count(&self) -> usize {
        self.lock().values().map(|var| var.elem_count()).sum()
    }

    /// Their present values, detached from any graph.
    pub fn state_dict(&self) -> BTreeMap<String, Tensor> {
        self.lock().iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect()
    }

    /// Sets all values; dtype and device stay those of the parameters.
    ///
    /// # Errors
    ///
    /// [`Error::StateDict`] lists all missing, unexpected and wrongly shaped names; no value has
    /// changed then.
    pub fn load_state_dict(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        self.take(tensors, true).map(drop)
    }

    /// Sets the values of those parameters that the state dict has, and says which names the two do
    /// not share: PyTorch's `load_state_dict(.., strict=False)`.
    ///
    /// # Errors
    ///
    /// [`Error::StateDict`] lists all wrongly shaped names; no value has changed then.
    pub fn load_state_dict_non_strict(
        &self,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<Differences> {
        self.take(tensors, false)
    }

    fn take(&self, tensors: &HashMap<String, Tensor>, strict: bool) -> Result<Differences> {
        let vars = self.lock();
        let parameters = vars.iter().map(|(name, var)| (name, var.dims()));
        let differences = compare(parameters, tensors, strict)?;
        let mut values = vec![];
        for (name, var) in vars.iter() {
            if let Some(tensor) = tensors.get(name) {
                let value = tensor.to_device(var.device())?.to_dtype(var.dtype())?;
                values.push((var, value.contiguous()?));
            }
        }
        for (var, value) in values {
            var.set(&value)?;
        }
        Ok(differences)
    }

    /// Writes a `.safetensors` file, whole or not at all; the same values give the same bytes.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where the folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let bytes = safetensors::serialize(self.state_dict(), None)
            .map_err(|error| Error::file(path, error))?;
        write_whole(path, &bytes)
    }

    /// Loads a `.safetensors` file or a PyTorch checkpoint that holds these parameters and no
    /// others.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file that is not there, damaged or without tensors, and for a state dict
    /// that does not fit, with all differences.
    pub fn load(&self, path: &Path) -> Result<()> {
        self.load_with(path, &LoadOptions::default()).map(drop)
    }

    /// Loads a state dict from somewhere in a file, and says which names it and the parameters do not
    /// share; none where the options are strict.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_with(&self, path: &Path, options: &LoadOptions) -> Result<Differences> {
        let tensors = read_state_dict(path, options)?;
        self.take(&tensors, options.strict).map_err(|error| match error {
            Error::StateDict(_) => Error::file(path, error),
            other => other,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Var>> {
        // A map of names stays whole even where a panic passed by.
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fresh values for one parameter.
    fn draw(&self, name: &str, shape: &Shape, init: Init) -> candle_core::Result<Vec<f64>> {
        let count = shape.dims().iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
        let mut values = Vec::new();
        if count.is_none_or(|count| values.try_reserve_exact(count).is_err()) {
            candle_core::bail!("parameter {name} of shape {shape:?} does not fit in memory");
        }
        let mut rng = Generator::by_name(self.seed, Purpose::Parameters, name);
        let (uniform, center, spread) = match init {
            Init::Const(value) => (true, value, 0.0),
            Init::Uniform { lo, up } => (true, (lo + up) / 2.0, (up - lo) / 2.0),
            Init::Randn { mean, stdev } => (false, mean, stdev),
            Init::Kaiming { dist, fan, non_linearity } => {
                let stdev = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
                match dist {
                    NormalOrUniform::Uniform => (true, 0.0, 3f64.sqrt() * stdev),
                    NormalOrUniform::Normal => (false, 0.0, stdev),
                }
            }
        };
        let unit = rand::distr::Uniform::new(-1.0, 1.0).map_err(candle_core::Error::wrap)?;
        values.extend((0..shape.elem_count()).map(|_| {
            let z = if uniform { rng.sample(unit) } else { rng.sample(rand_distr::StandardNormal) };
            center + spread * z
        }));
        Ok(values)
    }
}

impl SimpleBackend for Parameters {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut vars = self.lock();
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape {
                candle_core::bail!("parameter {name} has shape {:?}, asked {shape:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let values = self.draw(name, &shape, init)?;
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        let var = Var::from_tensor(&tensor.to_dtype(dtype)?.to_device(device)?)?;
        let tensor = var.as_tensor().clone();
        vars.insert(name.to_string(), var);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.lock().get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => candle_core::bail!("no parameter {name}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, names: &[&str]) -> BTreeMap<String, Vec<f64>> {
        let parameters = Parameters::new(seed);
        let vb = parameters.builder(DType::F64, &Device::Cpu);
        for name in names {
            vb.get_with_hints(5, name, Init::Uniform { lo: -1.0, up: 3.0 }).unwrap();
        }
        let values = parameters.state_dict().into_iter();
        values.map(|(name, tensor)| (name, tensor.to_vec1().unwrap())).collect()
    }

    #[test]
    fn values_depend_on_seed_and_name_alone() {
        let (ab, ba) = (draw(7, &["a", "b"]), draw(7, &["b", "a"]));
        assert_eq!(ab, ba);
        assert_ne!(ab["a"], ab["b"]);
        assert_ne!(ab["a"], draw(8, &["a"])["a"]);
        assert!(ab["a"].iter().all(|v| (-1.0..3.0).contains(v)));
    }

    #[test]
    fn a_wrong_state_dict_lists_everything_and_changes_nothing() {
        let parameters = Parameters::new(0);
        let vb = parameters.builder(DType::F32, &Device::Cpu);
        vb.get((2, 3), "a").unwrap();
        vb.get(2, "b").unwrap();
        let tensor = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
        let dict = [("a", tensor(&[3, 2])), ("c", tensor(&[1]))];
        let dict = dict.into_iter().map(|(name, t)| (name.to_string(), t)).collect();
        let error = parameters.load_state_dict(&dict).unwrap_err().to_string();
        let want = "state dict does not fit: a has shape [3, 2], expected [2, 3]; missing b [2]; \
                    unexpected c";
        assert_eq!(error, want);
        let dict = [("a", tensor(&[2, 3])), ("b", tensor(&[2]))];
        let dict = dict.into_iter().map(|(name, t)| (name.to_string(), t)).collect();
        parameters.load_state_dict(&dict).unwrap();
        assert_eq!(parameters.state_dict()["b"].to_vec1::<f32>().unwrap(), [1.0, 1.0]);
    }

    #[test]
    fn an_absurd_size_is_an_error() {
        let vb = Parameters::new(0).builder(DType::F32, &Device::Cpu);
        assert!(vb.get((usize::MAX / 2, 4), "huge").is_err());
        assert!(vb.get(1usize << 60, "large").is_err());
    }
}
