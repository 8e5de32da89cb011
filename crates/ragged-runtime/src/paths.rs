//! The best paths of models with a CRF.

use crate::crf::BestPath;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::sequence::Sequence;

impl Model {
    /// Whether the model has a CRF, for [`predict_paths`](Self::predict_paths).
    pub fn has_crf(&self) -> bool {
        self.crf.is_some()
    }

    /// Returns the best path of each sequence, for a model with a CRF (`model.crf`). It depends on all steps, so that
    /// such a model has no sessions.
    ///
    /// # Errors
    ///
    /// [`Error::Crf`] for a model without a CRF, and the errors of [`predict_sequences`](Self::predict_sequences).
    ///
    /// ```no_run
    /// use ragged_runtime::{Model, Sequence, Tokens};
    ///
    /// let model = Model::open("runs/entities".as_ref())?;
    /// let tokens = Tokens::Texts(&["Ada", "met", "Charles"]);
    /// let paths = model.predict_paths(&[Sequence { tokens, ..Default::default() }])?;
    /// if let Some(labels) = model.targets().labels() {
    ///     println!("{}", labels[paths[0].classes[0] as usize]);
    /// }
    /// # Ok::<(), ragged_runtime::Error>(())
    /// ```
    pub fn predict_paths(&self, sequences: &[Sequence<'_>]) -> Result<Vec<BestPath>> {
        let crf = self.crf.as_ref().ok_or(Error::Crf { expected: "a model with one" })?;
        crf.best_paths(&self.outputs_of(sequences)?)
    }
}
