//! Gradients by parameter name: their sum over batches, their norm, and clipping.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use ragged_models::SparseRows;

use crate::error::Result;
use crate::optim::gradient::Gradient;

/// The gradients of a list of parameters by name, in the order of the parameters.
///
/// ```
/// use candle_core::{DType, Device};
/// use ragged_models::Parameters;
/// use ragged_train::optim::NamedGradients;
///
/// let parameters = Parameters::new(1);
/// let weight = parameters.builder(DType::F32, &Device::Cpu).get(2, "weight")?;
/// let store = (weight * 3.0)?.sum_all()?.backward()?;
/// let mut gradients = NamedGradients::new(&parameters.named(), store);
/// assert!((gradients.norm()? - 18f64.sqrt()).abs() < 1e-12);
/// gradients.clip_norm(1.0)?;
/// assert!((gradients.norm()? - 1.0).abs() < 1e-6);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NamedGradients {
    named: Vec<(String, Option<Gradient>)>,
}

impl NamedGradients {
    /// Takes the gradients of the parameters from the result of `backward`.
    pub fn new(parameters: &[(String, Var)], store: GradStore) -> Self {
        Self::with_sparse(parameters, store, &[])
    }

    /// Takes the gradients of the parameters from the result of `backward`, and those of the parameters that are
    /// tables of `sparse` as gradients of rows.
    pub fn with_sparse(
        parameters: &[(String, Var)],
        mut store: GradStore,
        sparse: &[SparseRows],
    ) -> Self {
        let take = |(name, var): &(String, Var)| {
            let of_rows = sparse.iter().find(|sparse| sparse.table.id() == var.id());
            let gradient = match of_rows {
                None => store.remove(var).map(Gradient::Dense),
                Some(SparseRows { ids, rows, .. }) => store
                    .remove(rows)
                    .map(|gradient| Gradient::Rows { ids: ids.clone(), rows: gradient }),
            };
            (name.clone(), gradient)
        };
        Self { named: parameters.iter().map(take).collect() }
    }

    /// Takes gradients by name, in the order of the parameters.
    pub(crate) fn of(named: Vec<(String, Option<Gradient>)>) -> Self {
        Self { named }
    }

    /// Returns the gradients in the order of the parameters.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&Gradient>> {
        self.named.iter().map(|(_, gradient)| gradient.as_ref())
    }

    /// Returns the gradient of one parameter, or `None` where the loss does not depend on it.
    pub fn get(&self, name: &str) -> Option<&Gradient> {
        self.named.iter().find(|(n, _)| n == name)?.1.as_ref()
    }

    /// Multiplies all gradients by a factor.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn scale(&mut self, factor: f64) -> Result<()> {
        if factor == 1.0 {
            return Ok(());
        }
        self.map(|gradient| gradient * factor)
    }

    /// Adds the gradients of the same parameters from another batch.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn add(&mut self, other: Self) -> Result<()> {
        for ((_, sum), (_, gradient)) in self.named.iter_mut().zip(other.named) {
            *sum = match (sum.take(), gradient) {
                (Some(sum), Some(gradient)) => Some(sum.sum_with(gradient)?),
                (one, other) => one.or(other),
            };
        }
        Ok(())
    }

    /// Returns the norm of all gradients as one vector, summed in `f64` in a fixed order.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.named.iter().filter_map(|(_, gradient)| gradient.as_ref()) {
            let gradient = gradient.elements().flatten_all()?;
            sum += match gradient.dtype() {
                DType::F32 => squares(&gradient.to_vec1::<f32>()?),
                _ => squares(&gradient.to_dtype(DType::F64)?.to_vec1::<f64>()?),
            };
        }
        Ok(sum.sqrt())
    }

    /// Scales all gradients so that their norm is at most `max_norm`. As in PyTorch, the factor is
    /// `max_norm / (norm + 1e-6)` where that is below one. Returns the norm before clipping.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn clip_norm(&mut self, max_norm: f64) -> Result<f64> {
        let norm = self.norm()?;
        let scale = max_norm / (norm + 1e-6);
        if scale < 1.0 {
            self.scale(scale)?;
        }
        Ok(norm)
    }

    /// Clamps every element to `-max_value..=max_value`.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn clip_value(&mut self, max_value: f64) -> Result<()> {
        self.map(|gradient| gradient.clamp(-max_value, max_value))
    }

    fn map(&mut self, f: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<()> {
        for gradient in self.named.iter_mut().filter_map(|(_, gradient)| gradient.as_mut()) {
            gradient.map(&f)?;
        }
        Ok(())
    }
}

/// Returns the sum of the squares: eight sums of every eighth element, which the processor adds at once.
fn squares<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    let mut sums = [0.0; 8];
    let blocks = values.chunks_exact(8);
    let rest = blocks.remainder();
    for block in blocks {
        for (sum, &value) in sums.iter_mut().zip(block) {
            let value: f64 = value.into();
            *sum += value * value;
        }
    }
    for (sum, &value) in sums.iter_mut().zip(rest) {
        let value: f64 = value.into();
        *sum += value * value;
    }
    sums.iter().sum()
}
