//! A conditional random field over the outputs of all steps.

use ragged_kernels::{CrfPaths, CrfWeights, PackedRows, crf_marginals, crf_viterbi};
use ragged_sequence::PackedLayout;

use crate::checkpoint::Checkpoint;
use crate::config::CrfConfig;
use crate::error::{Error, Result};

/// The scores of transitions, with minus infinity for those that are forbidden.
#[derive(Debug)]
pub(crate) struct Crf {
    /// `[C, C]`, from the row's class to the column's.
    transitions: Vec<f32>,
    start: Vec<f32>,
    end: Vec<f32>,
}

/// The classes of the steps of one sequence that are most probable together.
#[derive(Debug, Clone, PartialEq)]
pub struct BestPath {
    /// The class of each step, `[T]`, an index of [`Targets::labels`](crate::Targets::labels).
    pub classes: Vec<u32>,
    /// The probabilities of the classes of each step given the whole sequence, `[T, O]`.
    pub marginals: Vec<f32>,
}

impl Crf {
    /// Takes `crf.*` for this number of classes.
    pub(crate) fn new(config: &CrfConfig, classes: usize, checkpoint: &Checkpoint) -> Result<Self> {
        let labels = &config.bio;
        if !labels.is_empty() && labels.len() != classes {
            let expected = format!("0 or {classes} BIO labels");
            return Err(Error::Checkpoint { expected, got: labels.len().to_string() });
        }
        let mut transitions = checkpoint.parameter("crf.transitions", &[classes, classes])?;
        let mut start = checkpoint.parameter("crf.start_transitions", &[classes])?;
        let end = checkpoint.parameter("crf.end_transitions", &[classes])?;
        // A label `I-X` follows `B-X` or `I-X` only.
        for (to, label) in labels.iter().enumerate() {
            let Some(inside) = label.strip_prefix("I-") else { continue };
            start[to] = f32::NEG_INFINITY;
            for (from, label) in labels.iter().enumerate() {
                let own = label.strip_prefix("B-").or_else(|| label.strip_prefix("I-"));
                if own != Some(inside) {
                    transitions[from * classes + to] = f32::NEG_INFINITY;
                }
            }
        }
        Ok(Self { transitions, start, end })
    }

    /// Returns the best path of each sequence, whose emissions are `[T, O]`.
    pub(crate) fn best_paths(&self, emissions: &[Vec<f32>]) -> Result<Vec<BestPath>> {
        let classes = self.start.len();
        let lengths: Vec<usize> = emissions.iter().map(|rows| rows.len() / classes).collect();
        let layout = PackedLayout::from_lengths(&lengths);
        let steps = || layout.positions();
        let row =
            |(sequence, step): (usize, usize)| &emissions[sequence][step * classes..][..classes];
        let packed: Vec<f32> = steps().flat_map(row).copied().collect();
        let rows = PackedRows::new(layout.batch_size(), layout.batch_sizes())?;
        let Self { transitions, start, end } = self;
        let weights = CrfWeights { transitions, start, end };
        let marginals = crf_marginals(&rows, &weights, &packed)?;
        let CrfPaths { tags, .. } = crf_viterbi(&rows, &weights, &packed)?;
        let mut paths = vec![BestPath { classes: vec![], marginals: vec![] }; emissions.len()];
        for (((sequence, _), tag), row) in steps().zip(tags).zip(marginals.chunks_exact(classes)) {
            if let Some(&got) = row.iter().find(|value| !value.is_finite()) {
                return Err(Error::Prediction { sequence: sequence + 1, got });
            }
            paths[sequence].classes.push(tag);
            paths[sequence].marginals.extend_from_slice(row);
        }
        Ok(paths)
    }
}
