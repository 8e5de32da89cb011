//! The negative log-likelihood of paths of tags under a CRF.

use candle_core::Tensor;
use ragged_models::Crf;
use ragged_sequence::PackedSequence;

use crate::error::{Error, Result};
use crate::objective::loss::Loss;
use crate::objective::metric_sum::MetricSum;
use crate::objective::targets::Targets;

/// The loss of a model whose outputs at each step are the emissions of a [`Crf`]: the negative log-likelihood of the
/// targets in nats, summed over the sequences and divided by the number of steps. So batches of any lengths weigh every
/// step equally, as they do for the other losses.
///
/// The CRF shares its parameters with the model from which it was cloned. Predicted classes are those of the best path.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Crf, Parameters};
/// use ragged_sequence::PackedLayout;
/// use ragged_train::objective::{CrfLoss, Loss, Targets};
///
/// let crf = Crf::new(2, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
/// let loss = CrfLoss::new(crf);
/// // Two sequences, of two steps and one step.
/// let layout = PackedLayout::from_lengths(&[2, 1]);
/// let emissions = Tensor::new(&[[9f32, 0.0], [9.0, 0.0], [0.0, 9.0]], &Device::Cpu)?;
/// let tags = Tensor::new(&[0u32, 0, 1], &Device::Cpu)?;
/// let targets = Targets { layout: Some(&layout), ..Targets::new(&tags) };
/// assert!(loss.value(&emissions, &targets)?.to_scalar::<f32>()? < 1e-3);
/// assert_eq!(loss.decode(&emissions, &targets)?, Some(vec![0, 0, 1]));
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CrfLoss {
    crf: Crf,
}

impl CrfLoss {
    /// Creates the loss of a CRF.
    pub fn new(crf: Crf) -> Self {
        Self { crf }
    }

    /// Returns the CRF.
    pub fn crf(&self) -> &Crf {
        &self.crf
    }
}

impl Loss for CrfLoss {
    fn value(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Tensor> {
        let emissions = emissions(prediction, targets)?;
        let layout = emissions.layout();
        let mut tags: Vec<Vec<u32>> = vec![vec![]; layout.batch_size()];
        for ((sequence, _), tag) in layout.positions().zip(targets.classes()?) {
            tags[sequence].push(tag);
        }
        let losses = self.crf.negative_log_likelihood(&emissions, &tags)?;
        Ok((losses.sum_all()? / layout.rows() as f64)?)
    }

    fn metrics(&self) -> MetricSum {
        MetricSum::of_paths()
    }

    fn decode(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Option<Vec<u32>>> {
        let emissions = emissions(prediction, targets)?;
        let paths = self.crf.decode(&emissions)?;
        Ok(Some(packed(&emissions, &paths)))
    }
}

/// Returns the tags of the paths in the order of the packed rows.
fn packed(emissions: &PackedSequence, paths: &[(Vec<u32>, f64)]) -> Vec<u32> {
    emissions.layout().positions().map(|(sequence, step)| paths[sequence].0[step]).collect()
}

fn emissions(prediction: &Tensor, targets: &Targets<'_>) -> Result<PackedSequence> {
    let layout = targets.layout.ok_or_else(|| Error::PathTargets {
        rows: prediction.dims().first().copied().unwrap_or(0),
        got: targets.values.dims().to_vec(),
    })?;
    Ok(PackedSequence::from_layout(prediction.clone(), layout.clone())?)
}
