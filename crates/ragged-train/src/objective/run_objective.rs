//! What a run minimises: one loss, or those of several heads.

use ragged_datasets::TargetKind;
use ragged_models::Crf;
use ragged_transforms::Outputs;

use crate::objective::criterion::Criterion;
use crate::objective::loss::Loss;
use crate::objective::multi_task::{Head, HeadLoss, MultiTaskLoss};
use crate::objective::scaled::Objective;

/// What a run minimises.
#[derive(Debug, Clone)]
pub enum RunObjective {
    /// The loss of a single target, or of several values.
    One(Box<Objective>),
    /// The losses of several heads.
    Heads(MultiTaskLoss),
}

impl RunObjective {
    /// Returns what the loss is and in which units, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::One(objective) => objective.describe(),
            Self::Heads(loss) => loss.describe(),
        }
    }

    /// Returns how predictions follow from the outputs of the model.
    pub fn outputs(&self) -> &Outputs {
        match self {
            Self::One(objective) => objective.outputs(),
            Self::Heads(loss) => loss.outputs(),
        }
    }

    /// Returns the heads; none for a single loss.
    pub fn heads(&self) -> &[Head] {
        match self {
            Self::One(_) => &[],
            Self::Heads(loss) => loss.heads(),
        }
    }

    /// Returns the number of outputs that a model for these targets needs.
    pub(crate) fn num_outputs(&self, targets: &TargetKind) -> usize {
        match self {
            Self::One(objective) => targets.outputs() * objective.criterion().outputs_per_value(),
            Self::Heads(loss) => loss.outputs().kind.per_value(),
        }
    }

    /// Returns the objective with the loss of a CRF, where there is one, instead of its single loss.
    pub(crate) fn with_crf(self, crf: Option<&Crf>) -> Self {
        match self {
            Self::One(objective) => objective.with_crf(crf).into(),
            heads @ Self::Heads(_) => heads,
        }
    }

    /// Returns the loss of a single target.
    pub(crate) fn single_loss(&self) -> Option<&Criterion> {
        match self {
            Self::One(objective) => Some(objective.criterion()),
            Self::Heads(_) => None,
        }
    }

    /// Returns the losses of the heads.
    pub(crate) fn head_losses(&self) -> Vec<HeadLoss> {
        let of = |head: &Head| {
            let loss = head.objective.criterion().clone();
            HeadLoss { loss, weight: head.weight }
        };
        self.heads().iter().map(of).collect()
    }

    /// Returns the loss that is minimised.
    pub fn loss(&self) -> &dyn Loss {
        match self {
            Self::One(objective) => objective.as_ref(),
            Self::Heads(loss) => loss,
        }
    }
}

impl From<Objective> for RunObjective {
    fn from(objective: Objective) -> Self {
        Self::One(Box::new(objective))
    }
}
