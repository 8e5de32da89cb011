//! What of a recurrent layer the head of a model sees.

use candle_core::Tensor;
use ragged_sequence::{Pooling, pool};
use serde::{Deserialize, Serialize};

use crate::run::Run;
use crate::{Result, State};

/// Which rows of the layer a head reads: one a sequence, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Readout {
    /// The final hidden states of the last layer, of both directions where it has two: PyTorch's
    /// `h_n`.
    Final,
    /// The output of each sequence's last step: PyTorch's `output[:, -1]` for equal lengths. In the
    /// reverse direction that step is the first one.
    Last,
    /// The output of the first step.
    First,
    /// The mean of the outputs.
    Mean,
    /// The largest outputs, feature by feature.
    Max,
    /// The sum of the outputs.
    Sum,
    /// Every output: one prediction a step.
    Steps,
}

impl Readout {
    /// The way of pooling outputs, for those that pool.
    pub(crate) fn pooling(self) -> Option<Pooling> {
        Some(match self {
            Self::Final | Self::Steps => return None,
            Self::Last => Pooling::Last,
            Self::First => Pooling::First,
            Self::Mean => Pooling::Mean,
            Self::Max => Pooling::Max,
            Self::Sum => Pooling::Sum,
        })
    }

    /// `[B, output_size]` in the caller's order, or `[N, output_size]` for every step.
    pub(crate) fn read<S: State>(self, run: &Run<S>) -> Result<Tensor> {
        match (self, self.pooling()) {
            (Self::Final, _) => run.last_hidden(),
            (Self::Last, _) => run.last_output(),
            (_, Some(pooling)) => Ok(pool(&run.output()?, pooling)?),
            (_, None) => run.rows(),
        }
    }
}
