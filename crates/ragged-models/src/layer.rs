//! A recurrent layer of whatever kind, for models that a configuration describes.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_sequence::PackedSequence;
use serde::{Deserialize, Serialize};

use crate::run::Run;
use crate::{
    Cell, Gru, GruCell, Lstm, LstmCell, Mode, Recurrent, RecurrentConfig, Result, Rnn, RnnCell,
    State,
};

/// The kind of a recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// [`Lstm`].
    #[default]
    Lstm,
    /// [`Gru`].
    Gru,
    /// [`Rnn`], whose non-linearity the configuration says.
    Rnn,
}

impl CellKind {
    /// What parameters of such a layer are called in a model.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lstm => LstmCell::NAME,
            Self::Gru => GruCell::NAME,
            Self::Rnn => RnnCell::NAME,
        }
    }
}

/// A [`Recurrent`] layer, its state as a list of tensors, hidden part first.
pub(crate) trait Layer: Send + Sync {
    /// The state before the first step of `batch` sequences.
    fn initial_state(&self, batch: usize) -> Result<Vec<Tensor>>;

    /// Runs a packed batch.
    fn run(
        &self,
        input: &PackedSequence,
        state: Option<Vec<Tensor>>,
        mode: Mode,
    ) -> Result<Run<Vec<Tensor>>>;
}

impl<C: Cell + Send + Sync> Layer for Recurrent<C>
where
    C::State: Send + Sync,
{
    fn initial_state(&self, batch: usize) -> Result<Vec<Tensor>> {
        Ok(Recurrent::initial_state(self, batch)?.parts().into_iter().cloned().collect())
    }

    fn run(
        &self,
        input: &PackedSequence,
        state: Option<Vec<Tensor>>,
        mode: Mode,
    ) -> Result<Run<Vec<Tensor>>> {
        let state = state.map(C::State::from_parts);
        Ok(Recurrent::run(self, input, state.as_ref(), mode, false)?.erased())
    }
}

/// Builds a layer of the kind asked for.
pub(crate) fn layer(
    kind: CellKind,
    config: &RecurrentConfig,
    vb: VarBuilder,
) -> Result<Box<dyn Layer>> {
    let vb = vb.pp(kind.name());
    Ok(match kind {
        CellKind::Lstm => Box::new(Lstm::new(config, vb)?),
        CellKind::Gru => Box::new(Gru::new(config, vb)?),
        CellKind::Rnn => Box::new(Rnn::new(config, vb)?),
    })
}
