//! The outputs of a recurrent layer that the head of a model receives.

use candle_core::Tensor;
use ragged_sequence::{PackedLayout, Pooling, pool};
use serde::{Deserialize, Serialize};

use crate::cell::state::State;
use crate::error::Result;
use crate::layer::outputs::{LayerOutputs, NeededOutputs, all_have_steps};

/// The rows of the layer that the head receives: one per sequence, or all of them.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{
///     Mode, Model, ModelConfig, ModelKind, Parameters, Readout, RecurrentConfig,
/// };
/// use ragged_sequence::pack_sequence;
///
/// let sequence = |length| Tensor::ones((length, 3), DType::F32, &Device::Cpu);
/// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
/// let lecture = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
/// for (readout, rows) in [(Readout::Mean, 2), (Readout::Steps, 7)] {
///     let config = ModelConfig { readout, ..lecture.clone() };
///     let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
///     assert_eq!(model.forward(&packed, Mode::Inference)?.dims(), [rows, 1]);
/// }
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Readout {
    /// The final hidden states of the last layer, of both directions if it has two: PyTorch's `h_n`.
    Final,
    /// The output of the last step of each sequence: PyTorch's `output[:, -1]` for equal lengths. The
    /// reverse direction visits that step first.
    Last,
    /// The output of the first step.
    First,
    /// The mean of the outputs.
    Mean,
    /// The maximum of the outputs, feature by feature.
    Max,
    /// The sum of the outputs.
    Sum,
    /// The mean of the outputs, weighted by [attention](crate::AttentionConfig).
    Attention,
    /// Every output: one prediction per step.
    Steps,
}

impl Readout {
    /// Returns the pooling of the outputs, for the readouts that pool.
    pub(crate) fn pooling(self) -> Option<Pooling> {
        Some(match self {
            Self::Final | Self::Attention | Self::Steps => return None,
            Self::Last => Pooling::Last,
            Self::First => Pooling::First,
            Self::Mean => Pooling::Mean,
            Self::Max => Pooling::Max,
            Self::Sum => Pooling::Sum,
        })
    }

    /// Returns the outputs of a layer over this batch that [`read`](Self::read) needs.
    pub(crate) fn needs(self, layout: &PackedLayout, bidirectional: bool) -> NeededOutputs {
        match self {
            Self::Final => NeededOutputs::STATES,
            Self::Last if !bidirectional && all_have_steps(layout) => NeededOutputs::STATES,
            _ => NeededOutputs::ROWS,
        }
    }

    /// Returns rows `[B, output_features]` in the caller's order, or `[N, output_features]` for every
    /// step.
    pub(crate) fn read<S: State>(self, outputs: &LayerOutputs<S>) -> Result<Tensor> {
        match (self, self.pooling()) {
            (Self::Final, _) => outputs.last_hidden(),
            (Self::Last, _) => outputs.last_output(),
            (_, Some(pooling)) => Ok(pool(&outputs.output()?, pooling)?),
            (_, None) => outputs.rows(),
        }
    }
}
