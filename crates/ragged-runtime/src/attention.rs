//! Attention over the outputs of the layers, as a readout.

use ragged_kernels::PreparedLinear;
use ragged_sequence::PackedLayout;

use crate::checkpoint::Checkpoint;
use crate::config::AttentionConfig;
use crate::error::Result;

/// Additive attention: the scores of a step with the output h are `V tanh(W h + b)`, and each head returns the mean of
/// the outputs, weighted by the softmax of its scores over the steps.
///
/// The weights of a sequence need the scores of all of its steps, and with each further step all of them change, so
/// that no state of fixed size gives the same bits.
#[derive(Debug)]
pub(crate) struct Attention {
    hidden: PreparedLinear<f32>,
    /// V, without a bias.
    score: PreparedLinear<f32>,
}

impl Attention {
    /// Takes `attention.hidden.*` and `attention.score.weight` for outputs of this number of features.
    pub(crate) fn new(
        config: AttentionConfig,
        features: usize,
        checkpoint: &Checkpoint,
    ) -> Result<Self> {
        let AttentionConfig { size, heads } = config;
        let weight = checkpoint.parameter("attention.hidden.weight", &[size, features])?;
        let bias = checkpoint.parameter("attention.hidden.bias", &[size])?;
        let score = checkpoint.parameter("attention.score.weight", &[heads, size])?;
        Ok(Self {
            hidden: PreparedLinear::new(features, &weight, &bias)?,
            score: PreparedLinear::new(size, &score, &vec![0.0; heads])?,
        })
    }

    /// Returns `[B, heads * F]` in the caller's order for packed outputs `[N, F]`; zeros for a sequence without steps.
    ///
    /// The operations of an element, and their order, are those of `ragged-models`.
    pub(crate) fn read(&self, layout: &PackedLayout, rows: &[f32]) -> Result<Vec<f32>> {
        let (features, heads) = (self.hidden.input_size(), self.score.output_size());
        let mut weights = self.scores(layout.rows(), rows)?;
        let batch = layout.batch_size();
        let sequences = || layout.positions().map(|(sequence, _)| sequence);
        let mut largest = vec![f32::NEG_INFINITY; batch * heads];
        for (sequence, scores) in sequences().zip(weights.chunks_exact(heads)) {
            for (most, &score) in largest[sequence * heads..].iter_mut().zip(scores) {
                *most = most.max(score);
            }
        }
        let mut sums = vec![0.0; batch * heads];
        for (sequence, weights) in sequences().zip(weights.chunks_exact_mut(heads)) {
            let largest = &largest[sequence * heads..];
            let sums = sums[sequence * heads..].iter_mut();
            for ((weight, largest), sum) in weights.iter_mut().zip(largest).zip(sums) {
                *weight = (*weight - largest).exp();
                *sum += *weight;
            }
        }
        let mut read = vec![0.0; batch * heads * features];
        let steps = weights.chunks_exact(heads).zip(rows.chunks_exact(features));
        for (sequence, (weights, row)) in sequences().zip(steps) {
            let sums = &sums[sequence * heads..];
            let means = read[sequence * heads * features..].chunks_exact_mut(features);
            for ((mean, weight), sum) in means.zip(weights).zip(sums) {
                let weight = weight / sum;
                mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x * weight);
            }
        }
        Ok(read)
    }

    /// Returns the scores of each step, `[N, heads]`.
    fn scores(&self, steps: usize, rows: &[f32]) -> Result<Vec<f32>> {
        let mut hidden = vec![0.0; steps * self.hidden.output_size()];
        self.hidden.forward(rows, &mut hidden)?;
        hidden.iter_mut().for_each(|value| *value = value.tanh());
        let mut scores = vec![0.0; steps * self.score.output_size()];
        self.score.forward(&hidden, &mut scores)?;
        Ok(scores)
    }
}
