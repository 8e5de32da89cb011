//! Named parameters, whose values are drawn from a seed or read from a file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::{SimpleBackend, VarBuilder};
use ragged_sequence::random::{Generator, Purpose};
use rand::Rng;

use crate::error::{Error, Result};
use crate::weights::atomic_file::write_atomically;
use crate::weights::state_dict::{self, Differences, LoadOptions, compare};

/// The parameters of a model by their PyTorch names, sorted by name.
///
/// Layers take their parameters from [`builder`](Self::builder), which also serves the layers of
/// candle-nn. The initial values of a parameter depend only on the seed, the name and the shape: not
/// on the order in which layers are built, and not on the other parameters. (The generator of
/// candle's CPU device, which candle's `VarMap` uses, cannot be seeded.)
///
/// Clones are cheap and share the same parameters.
///
/// ```
/// use candle_core::{DType, Device};
/// use ragged_models::{Gru, Parameters, RecurrentConfig};
///
/// let parameters = Parameters::new(42);
/// Gru::new(&RecurrentConfig::new(7, 15), parameters.builder(DType::F32, &Device::Cpu))?;
/// let names: Vec<String> = parameters.named().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["bias_hh_l0", "bias_ih_l0", "weight_hh_l0", "weight_ih_l0"]);
/// assert_eq!(parameters.count(), 3 * 15 * (7 + 15 + 2));
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Parameters {
    seed: u64,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Parameters {
    /// Creates an empty set of parameters. New parameters are drawn from `seed`.
    ///
    /// ```
    /// # use ragged_models::Parameters;
    /// assert_eq!(Parameters::new(42).count(), 0);
    /// ```
    pub fn new(seed: u64) -> Self {
        Self { seed, vars: Arc::default() }
    }

    /// Returns the builder from which layers take their parameters: it returns a parameter by name,
    /// and creates it if it does not exist.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::Parameters;
    /// let parameters = Parameters::new(42);
    /// let vb = parameters.builder(DType::F32, &Device::Cpu);
    /// // A layer of candle-nn.
    /// candle_nn::layer_norm(15, 1e-5, vb.pp("norm"))?;
    /// assert_eq!(parameters.named()[0].0, "norm.bias");
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn builder(&self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), dtype, device.clone())
    }

    /// Returns all parameters, sorted by name. Optimisers of candle-nn take the second parts.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Linear, Parameters};
    /// use candle_nn::{Optimizer, SGD};
    ///
    /// let parameters = Parameters::new(42);
    /// Linear::new(15, 1, parameters.builder(DType::F32, &Device::Cpu))?;
    /// let vars = parameters.named().into_iter().map(|(_, var)| var).collect();
    /// let optimizer = SGD::new(vars, 0.1)?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn named(&self) -> Vec<(String, Var)> {
        self.lock().iter().map(|(name, var)| (name.clone(), var.clone())).collect()
    }

    /// Returns the total number of elements of all parameters.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Linear, Parameters};
    /// let parameters = Parameters::new(42);
    /// Linear::new(15, 1, parameters.builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(parameters.count(), 16);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn count(&self) -> usize {
        self.lock().values().map(|var| var.elem_count()).sum()
    }

    /// Returns the current values by name, detached from any graph.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Linear, Parameters};
    /// let parameters = Parameters::new(42);
    /// Linear::new(15, 1, parameters.builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(parameters.state_dict()["weight"].dims(), [1, 15]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn state_dict(&self) -> BTreeMap<String, Tensor> {
        self.lock().iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect()
    }

    /// Sets all values. The dtype and device of the parameters do not change.
    ///
    /// # Errors
    ///
    /// [`Error::StateDict`] lists all missing names, unexpected names and wrong shapes; no value is
    /// changed then.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Linear, Parameters};
    /// let (parameters, others) = (Parameters::new(42), Parameters::new(43));
    /// for parameters in [&parameters, &others] {
    ///     Linear::new(15, 1, parameters.builder(DType::F32, &Device::Cpu))?;
    /// }
    /// parameters.load_state_dict(&others.state_dict().into_iter().collect())?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn load_state_dict(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        self.set_values(tensors, true).map(drop)
    }

    /// Sets the values of those parameters that are in the state dict, and returns the names that
    /// are not in both: PyTorch's `load_state_dict(.., strict=False)`.
    ///
    /// # Errors
    ///
    /// [`Error::StateDict`] lists all wrong shapes; no value is changed then.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Linear, Parameters};
    /// let parameters = Parameters::new(42);
    /// Linear::new(15, 1, parameters.builder(DType::F32, &Device::Cpu))?;
    /// let differences = parameters.load_state_dict_non_strict(&HashMap::new())?;
    /// assert_eq!(differences.missing, ["bias", "weight"]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn load_state_dict_non_strict(
        &self,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<Differences> {
        self.set_values(tensors, false)
    }

    fn set_values(&self, tensors: &HashMap<String, Tensor>, strict: bool) -> Result<Differences> {
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

    /// Writes a `.safetensors` file, atomically: a reader finds the whole file or none. The same
    /// values give the same bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Linear, Parameters};
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("linear.safetensors");
    /// let parameters = Parameters::new(42);
    /// Linear::new(15, 1, parameters.builder(DType::F32, &Device::Cpu))?;
    /// parameters.save(&path)?;
    /// parameters.load(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, path: &Path) -> Result<()> {
        let bytes = safetensors::serialize(self.state_dict(), None)
            .map_err(|source| Error::Safetensors { path: path.to_path_buf(), source })?;
        write_atomically(path, &bytes)
    }

    /// Loads a `.safetensors` file or a PyTorch checkpoint that holds exactly these parameters.
    ///
    /// # Errors
    ///
    /// The errors of [`read_state_dict`](crate::read_state_dict), also for an entry with the name of a
    /// parameter that is no tensor, and [`Error::File`] with [`Error::StateDict`] as its source for a
    /// state dict that does not fit. No value is changed then.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use ragged_models::Parameters;
    /// let error = Parameters::new(42).load(Path::new("no-such-file.safetensors")).unwrap_err();
    /// assert!(error.to_string().starts_with("no-such-file.safetensors: "));
    /// ```
    pub fn load(&self, path: &Path) -> Result<()> {
        self.load_with(path, &LoadOptions::default()).map(drop)
    }

    /// Loads the part of a file that the options describe, and returns the names that are not in
    /// both the file and the parameters; there are none if the options are strict.
    ///
    /// # Errors
    ///
    /// The errors of [`load`](Self::load). If the options are not strict, tensors that cannot be read
    /// are ignored where no parameter has their name.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Linear, LoadOptions, Parameters};
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("model.safetensors");
    /// let (saved, parameters) = (Parameters::new(42), Parameters::new(43));
    /// Linear::new(15, 1, saved.builder(DType::F32, &Device::Cpu).pp("head"))?;
    /// saved.save(&path)?;
    /// Linear::new(15, 1, parameters.builder(DType::F32, &Device::Cpu))?;
    /// let options = LoadOptions { prefix: "head.".into(), ..LoadOptions::default() };
    /// parameters.load_with(&path, &options)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load_with(&self, path: &Path, options: &LoadOptions) -> Result<Differences> {
        let content = state_dict::read(path, options)?;
        content.check_for(path, options, |name| self.lock().contains_key(name))?;
        self.set_values(&content.tensors, options.strict).map_err(|error| error.in_file(path))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Var>> {
        // A panic while the lock is held cannot leave the map in an invalid state.
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws the initial values of one parameter.
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
                candle_core::bail!(
                    "parameter {name} has shape {:?}, but shape {shape:?} was requested",
                    var.shape()
                );
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
    fn values_depend_only_on_seed_and_name() {
        let (ab, ba) = (draw(7, &["a", "b"]), draw(7, &["b", "a"]));
        assert_eq!(ab, ba);
        assert_ne!(ab["a"], ab["b"]);
        assert_ne!(ab["a"], draw(8, &["a"])["a"]);
        assert!(ab["a"].iter().all(|v| (-1.0..3.0).contains(v)));
    }

    #[test]
    fn a_wrong_state_dict_lists_all_mismatches_and_changes_nothing() {
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
    fn a_size_beyond_memory_is_an_error() {
        let vb = Parameters::new(0).builder(DType::F32, &Device::Cpu);
        assert!(vb.get((usize::MAX / 2, 4), "huge").is_err());
        assert!(vb.get(1usize << 60, "large").is_err());
    }
}
