//! Training or evaluation: what differs between the two passes through a layer.

use rand::RngCore;

/// How a layer runs.
pub enum Mode<'a> {
    /// Dropout is off, and neither activations nor gradients are recorded: PyTorch's
    /// `model.eval()` within `torch.no_grad()`.
    Eval,
    /// Dropout draws from this generator, and the result can be differentiated.
    Train(&'a mut dyn RngCore),
}

impl Mode<'_> {
    /// The same mode for one part of a model, when several parts need it in turn.
    pub fn reborrow(&mut self) -> Mode<'_> {
        match self {
            Self::Eval => Mode::Eval,
            Self::Train(rng) => Mode::Train(*rng),
        }
    }

    /// Whether gradients are recorded.
    pub fn is_train(&self) -> bool {
        matches!(self, Self::Train(_))
    }
}
