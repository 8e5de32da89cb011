//! What keeps a state dict from being loaded.

use std::fmt;

/// Everything that keeps a state dict from being loaded, sorted by name within each list.
///
/// ```
/// use std::collections::HashMap;
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Error, Linear, Parameters};
///
/// let parameters = Parameters::new(1);
/// Linear::new(2, 1, parameters.builder(DType::F32, &Device::Cpu))?;
/// let weight = Tensor::zeros((1, 3), DType::F32, &Device::Cpu)?;
/// let tensors = HashMap::from([("weight".to_string(), weight)]);
/// let Err(Error::StateDict(mismatches)) = parameters.load_state_dict(&tensors) else { panic!() };
/// assert_eq!(mismatches.shapes[0].got, [1, 3]);
/// assert_eq!(mismatches.missing[0].0, "bias");
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatches {
    /// Tensors whose shape is not the parameter's.
    pub shapes: Vec<ShapeMismatch>,
    /// Names and shapes of the parameters that are not in the state dict.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Names of the tensors that are not parameters.
    pub unexpected: Vec<String>,
}

/// A tensor of a state dict whose shape is not the parameter's; see [`Mismatches`] for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeMismatch {
    /// The name of the parameter.
    pub name: String,
    /// The shape of the parameter.
    pub expected: Vec<usize>,
    /// The shape of the tensor.
    pub got: Vec<usize>,
}

impl fmt::Display for Mismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self.shapes.iter().map(|ShapeMismatch { name, expected, got }| {
            format!("{name} has shape {got:?}, expected {expected:?}")
        });
        let missing = self.missing.iter().map(|(name, dims)| format!("missing {name} {dims:?}"));
        let unexpected = self.unexpected.iter().map(|name| format!("unexpected {name}"));
        f.write_str(&shapes.chain(missing).chain(unexpected).collect::<Vec<_>>().join("; "))
    }
}
