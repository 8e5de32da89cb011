//! Several examples as tensors.

use candle_core::Tensor;
use ragged_sequence::{PackedLayout, PackedSequence, PackedTokens};

/// The sequences of a batch: what a model receives.
#[derive(Debug, Clone)]
pub struct BatchInput {
    /// The time steps.
    pub steps: BatchSteps,
    /// What is the same in all steps of a sequence, if the data have any.
    pub statics: Option<BatchStatics>,
}

/// The time steps of a batch, in one of the forms that models take.
#[derive(Debug, Clone)]
pub enum BatchSteps {
    /// The features of the real steps only.
    Packed(PackedSequence),
    /// The tokens of the real steps only, with their features if they have any.
    Tokens(PackedTokens),
    /// A rectangle, zero after the end of shorter sequences.
    Padded {
        /// `[B, T, features]`.
        input: Tensor,
        /// The length of each sequence, `[B]`.
        lengths: Vec<usize>,
    },
}

/// What is the same in all steps of the sequences of a batch.
#[derive(Debug, Clone)]
pub struct BatchStatics {
    /// The numbers, `[B, F]`.
    pub numbers: Tensor,
    /// The indices of the categories, `[B, K]` of dtype `u32`.
    pub categories: Tensor,
}

impl From<BatchSteps> for BatchInput {
    fn from(steps: BatchSteps) -> Self {
        Self { steps, statics: None }
    }
}

impl BatchSteps {
    /// Returns the order of the packed rows, or `None` for a padded batch.
    pub fn layout(&self) -> Option<&PackedLayout> {
        match self {
            Self::Packed(packed) => Some(packed.layout()),
            Self::Tokens(tokens) => Some(tokens.layout()),
            Self::Padded { .. } => None,
        }
    }

    /// Returns the number of steps without padding.
    fn real_steps(&self) -> usize {
        match self {
            Self::Padded { lengths, .. } => lengths.iter().sum(),
            other => other.layout().map_or(0, PackedLayout::rows),
        }
    }

    /// Returns B x T.
    fn padded_steps(&self) -> usize {
        match self {
            Self::Padded { lengths, .. } => {
                lengths.len() * lengths.iter().copied().max().unwrap_or(0)
            }
            other => other.layout().map_or(0, rectangle),
        }
    }
}

/// B examples as tensors. [`Collate`](crate::Collate) makes batches of examples.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The sequences.
    pub input: BatchInput,
    /// What is to be predicted: class indices of dtype `u32`, or values of dtype `f32`.
    ///
    /// Targets per sequence are `[B]` (classes) or `[B, K]` (values). Targets per step have the layout
    /// of the input: `[N]` or `[N, K]` for packed rows, `[B, T]` or `[B, T, K]` for padded ones. They
    /// are zero in the padding, which a loss must exclude by the lengths.
    ///
    /// Lists of labels are joined to `[L]`, as PyTorch's `ctc_loss` takes them, in the order of the examples; their
    /// lengths are [`target_lengths`](Self::target_lengths).
    pub target: Tensor,
    /// The number of labels of each sequence, `[B]`, for lists of labels.
    pub target_lengths: Option<Vec<usize>>,
    /// The errors of a naive forecast in the past of each sequence, `[B, K]`, for [forecasts](crate::forecast).
    pub naive_errors: Option<Vec<f64>>,
    /// The indices of the examples in the data set.
    pub indices: Vec<usize>,
}

impl Batch {
    /// Creates a batch from its parts, which must have matching sizes.
    pub fn new(input: impl Into<BatchInput>, target: Tensor, indices: Vec<usize>) -> Self {
        Self { input: input.into(), target, target_lengths: None, naive_errors: None, indices }
    }

    /// Returns the batch with the lengths of its targets, which are lists of labels joined to one.
    #[must_use]
    pub fn with_target_lengths(self, lengths: Vec<usize>) -> Self {
        Self { target_lengths: Some(lengths), ..self }
    }

    /// Returns the batch with the errors of a naive forecast, `[B, K]`.
    #[must_use]
    pub fn with_naive_errors(self, errors: Vec<f64>) -> Self {
        Self { naive_errors: Some(errors), ..self }
    }

    /// Returns B, the number of sequences.
    pub fn batch_size(&self) -> usize {
        self.indices.len()
    }

    /// Returns the number of steps without padding.
    pub fn real_steps(&self) -> usize {
        self.input.steps.real_steps()
    }

    /// Returns the number of steps of the padded rectangle, B x T, whether the batch is padded or not.
    pub fn padded_steps(&self) -> usize {
        self.input.steps.padded_steps()
    }
}

/// Returns B x T.
fn rectangle(layout: &PackedLayout) -> usize {
    layout.batch_sizes().len() * layout.batch_size()
}
