//! The layer that reads the sequences of which the steps of a batch consist.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_sequence::InnerSequences;

use crate::embedding::config::InnerConfig;
use crate::embedding::table::Embedding;
use crate::error::Result;
use crate::layer::kind::{Layer, layer};
use crate::layer::outputs::NeededOutputs;
use crate::mode::Mode;
use crate::model::readout::Readout;
use crate::op::gather::gather;
use crate::recompute::Recompute;

/// An embedding, then a recurrent layer whose final hidden states are the features of a step.
#[derive(Debug, Clone)]
pub(crate) struct InnerLayer {
    table: Embedding,
    layer: Arc<dyn Layer>,
    /// The number of final hidden states, of both directions if there are two.
    features: usize,
}

impl InnerLayer {
    /// Takes the parameters from `vb`.
    pub(crate) fn new(config: &InnerConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            table: Embedding::new(config.table, vb.pp("embedding"))?,
            layer: layer(config.cell, &config.layer, vb)?,
            features: config.layer.output_features(),
        })
    }

    /// Returns the final states of the sequence of each step, `[N, features]`. Each sequence runs once, however many
    /// steps consist of it.
    pub(crate) fn forward(&self, inner: &InnerSequences, mode: Mode) -> Result<Tensor> {
        let ids = inner.sequences();
        if ids.batch_size() == 0 {
            return Ok(Tensor::zeros((0, self.features), self.table.dtype(), ids.data().device())?);
        }
        let rows = ids.data().to_vec1()?;
        let rows = ids.map(|_| self.table.rows(rows).map_err(candle_core::Error::wrap))?;
        let outputs = self.layer.run(&rows, None, mode, NeededOutputs::STATES)?;
        let states = Readout::Final.read(&outputs)?;
        Ok(gather(&states, Arc::new(inner.rows().to_vec()))?)
    }

    /// Returns the same stage, whose layer computes its activations once more.
    pub(crate) fn with_recompute(self, recompute: Option<Recompute>) -> Self {
        Self { layer: self.layer.with_recompute(recompute), ..self }
    }

    /// Returns a copy for inference, with the parameters as they are now.
    pub(crate) fn prepare(&self) -> Result<Self> {
        let (table, layer) = (self.table.copy()?, self.layer.prepare()?);
        Ok(Self { table, layer, features: self.features })
    }
}
