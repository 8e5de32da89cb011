//! The linear layer.

use candle_core::{Result, Tensor};
use candle_nn::{Init, Module, VarBuilder};

use crate::op::linear::linear;

/// A linear layer, `y = W x + b`: the counterpart of `torch.nn.Linear`, with PyTorch's
/// initialisation (candle-nn's differs).
///
/// The result for a row does not depend, in any bit, on the other rows of the batch.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::Module;
/// use ragged_models::{Linear, Parameters};
///
/// let parameters = Parameters::new(1);
/// let linear = Linear::new(15, 2, parameters.builder(DType::F32, &Device::Cpu))?;
/// let rows = Tensor::ones((3, 15), DType::F32, &Device::Cpu)?;
/// assert_eq!(linear.forward(&rows)?.dims(), [3, 2]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[O, I]`.
    weight: Tensor,
    /// `[O]`.
    bias: Tensor,
}

impl Linear {
    /// Takes `weight` `[O, I]` and `bias` `[O]` from `vb`; new ones are drawn from
    /// U(-1/sqrt(I), 1/sqrt(I)).
    ///
    /// # Errors
    ///
    /// Errors from candle if `vb` does not have the parameters.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Linear, Parameters};
    /// let parameters = Parameters::new(1);
    /// Linear::new(15, 2, parameters.builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(parameters.count(), 2 * 15 + 2);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn new(
        in_features: usize,
        out_features: usize,
        vb: VarBuilder,
    ) -> crate::error::Result<Self> {
        let bound = 1.0 / (in_features as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let weight = vb.get_with_hints((out_features, in_features), "weight", init)?;
        let bias = vb.get_with_hints(out_features, "bias", init)?;
        Ok(Self { weight, bias })
    }

    /// Returns a copy with parameters of its own, without gradients.
    pub(crate) fn copy(&self) -> Result<Self> {
        let copy = |parameter: &Tensor| parameter.copy().map(|copy| copy.detach());
        Ok(Self { weight: copy(&self.weight)?, bias: copy(&self.bias)? })
    }
}

impl Module for Linear {
    /// `[.., I]` to `[.., O]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Self { weight, bias } = self;
        if x.dims().last() != weight.dims().last() {
            candle_core::bail!(
                "linear: expected a tensor [.., {}], got shape {:?}",
                weight.dims()[1],
                x.dims()
            );
        }
        let mut dims = x.dims().to_vec();
        dims[x.rank() - 1] = weight.dims()[0];
        let rows = x.reshape((dims[..x.rank() - 1].iter().product::<usize>(), weight.dims()[1]))?;
        match linear(&rows, weight, bias)? {
            Some(y) => y.reshape(dims),
            None => rows.matmul(&weight.t()?)?.broadcast_add(bias)?.reshape(dims),
        }
    }
}
