//! The linear head, with PyTorch's initialisation (candle-nn's differs).

use candle_nn::{Init, Linear, VarBuilder};

use crate::Result;

/// `weight` `[O, I]` and `bias` `[O]`, both from U(-1/sqrt(I), 1/sqrt(I)) as in `torch.nn.Linear`.
pub(crate) fn linear(input_size: usize, output_size: usize, vb: VarBuilder) -> Result<Linear> {
    let bound = 1.0 / (input_size as f64).sqrt();
    let init = Init::Uniform { lo: -bound, up: bound };
    let weight = vb.get_with_hints((output_size, input_size), "weight", init)?;
    let bias = vb.get_with_hints(output_size, "bias", init)?;
    Ok(Linear::new(weight, Some(bias)))
}
