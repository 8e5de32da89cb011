//! The names and shapes of a model's parameters, without their memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::init::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};

use crate::error::Result;
use crate::model::Model;
use crate::model::config::ModelConfig;
use crate::weights::state_dict::compare;

/// The names and shapes of the parameters of a model that is not built.
///
/// ```
/// use ragged_models::{ModelConfig, ModelKind, ParameterShapes, RecurrentConfig};
///
/// // Parameters of 2.6 TB are counted in no time.
/// let layer = RecurrentConfig::new(7, 400_000);
/// let shapes = ParameterShapes::of(&ModelConfig::new(ModelKind::Variable, layer, 1))?;
/// assert_eq!(shapes.count(), 640_014_800_001);
/// assert_eq!(shapes.iter().next(), Some(("linear.bias", &[1][..])));
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterShapes {
    shapes: BTreeMap<String, Vec<usize>>,
    count: usize,
}

impl ParameterShapes {
    /// Returns the parameters that [`Model::new`] would create.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a value that is not allowed, and an error from candle for
    /// more elements than `usize` can count.
    pub fn of(config: &ModelConfig) -> Result<Self> {
        let found = Arc::new(Mutex::new(Self { shapes: BTreeMap::new(), count: 0 }));
        let recorder = Recorder(found.clone());
        Model::new(config, VarBuilder::from_backend(Box::new(recorder), DType::F32, Device::Cpu))?;
        let found = found.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(found.clone())
    }

    /// Returns the number of elements of all parameters.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the parameters, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.shapes.iter().map(|(name, dims)| (name.as_str(), dims.as_slice()))
    }

    /// Checks that a state dict has exactly these parameters, before any memory is allocated for them.
    ///
    /// # Errors
    ///
    /// [`Error::StateDict`](crate::Error::StateDict) lists all missing names, unexpected names and wrong shapes.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use ragged_models::{Error, ModelConfig, ModelKind, ParameterShapes, RecurrentConfig};
    /// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
    /// let error = ParameterShapes::of(&config)?.check(&HashMap::new()).unwrap_err();
    /// assert!(matches!(error, Error::StateDict(_)));
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn check(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        let shapes = self.shapes.iter().map(|(name, dims)| (name, dims.as_slice()));
        compare(shapes, tensors, true).map(drop)
    }
}

/// Records what a model asks for, and answers with zeros that share one element.
struct Recorder(Arc<Mutex<ParameterShapes>>);

impl SimpleBackend for Recorder {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = shape.dims().iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        let Some(total) = count.and_then(|count| found.count.checked_add(count)) else {
            candle_core::bail!("parameter {name} of shape {shape:?} does not fit in memory");
        };
        if found.shapes.insert(name.into(), shape.dims().to_vec()).is_none() {
            found.count = total;
        }
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("no parameter {name}")
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).shapes.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RecurrentConfig;
    use crate::layer::kind::LayerKind;
    use crate::model::config::ModelKind;
    use crate::weights::parameters::Parameters;

    #[test]
    fn the_shapes_are_those_of_the_model() {
        for cell in [LayerKind::Lstm, LayerKind::Gru, LayerKind::Rnn] {
            let layer = RecurrentConfig {
                num_layers: 2,
                bidirectional: true,
                trainable_state: true,
                ..RecurrentConfig::new(3, 5)
            };
            let config = ModelConfig { cell, ..ModelConfig::new(ModelKind::Variable, layer, 4) };
            let parameters = Parameters::new(1);
            Model::new(&config, parameters.builder(DType::F32, &Device::Cpu)).unwrap();
            let shapes = ParameterShapes::of(&config).unwrap();
            assert_eq!(shapes.count(), parameters.count());
            shapes.check(&parameters.state_dict().into_iter().collect()).unwrap();
        }
    }

    #[test]
    fn absurd_sizes_are_errors() {
        let of = |layer: RecurrentConfig, outputs: usize| {
            let config = ModelConfig::new(ModelKind::Variable, layer, outputs);
            ParameterShapes::of(&config).unwrap_err().to_string()
        };
        let layers = RecurrentConfig { num_layers: 1 << 63, ..RecurrentConfig::new(1, 1) };
        assert_eq!(of(layers, 1), "num_layers is 9223372036854775808: expected at most 1000");
        let outputs = of(RecurrentConfig::new(1, 3), usize::MAX);
        assert!(outputs.contains("parameter linear.weight"), "{outputs}");
        let hidden = of(RecurrentConfig::new(1, 1 << 40), 1);
        assert!(hidden.contains("expected a size that fits in memory"), "{hidden}");
    }
}
