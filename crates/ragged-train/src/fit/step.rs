//! One training step, one evaluation step, and the evaluation of a whole data set.

use candle_core::{DType, Tensor};
use ragged_datasets::{Batch, DataLoader, Dataset, Epoch};
use ragged_models::Mode;
use ragged_sequence::random::RngCore;

use crate::distributed::communicator::{Communicator, SingleProcess};
use crate::distributed::gather::gather;
use crate::error::Result;
use crate::fit::batch_model::BatchModel;
use crate::fit::gradient_accumulator::GradientAccumulator;
use crate::fit::step_options::{Position, StepOptions};
use crate::objective::loss::Loss;
use crate::objective::metric_sum::MetricSum;
use crate::objective::targets::Targets;
use crate::optim::optimizer::Optimizer;

/// The results of a training step.
#[derive(Debug, Clone)]
pub struct StepOutput {
    /// The mean loss, before the update.
    pub loss: f64,
    /// The norm of all gradients, before clipping.
    pub grad_norm: f64,
    /// The predictions, before the update.
    pub prediction: Tensor,
}

/// Trains on one batch: forward pass, loss, backward pass, clipping, update.
///
/// `rng` draws the dropout masks. `at` appears in errors only.
///
/// ```
/// use candle_core::{DType, Device};
/// use ragged_datasets::{DataLoader, LoaderConfig, VariableLengthSums, VariableLengthSumsConfig};
/// use ragged_models::{Parameters, RecurrentConfig, VariableLengthLstm};
/// use ragged_train::fit::{Position, StepOptions};
/// use ragged_train::{Criterion, Optimizer, OptimizerConfig, train_step};
/// use ragged_sequence::random::Generator;
///
/// let data = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
/// let loader = DataLoader::new(data, LoaderConfig::new(64))?;
/// let parameters = Parameters::new(1);
/// let vb = parameters.builder(DType::F32, &Device::Cpu);
/// let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
/// let mut optimizer = Optimizer::new(OptimizerConfig::default(), parameters.named())?;
///
/// let mut rng = Generator::seed(1);
/// let mut losses = vec![];
/// for (batch, data) in loader.epoch(0).enumerate() {
///     let options = StepOptions { clip_grad_norm: Some(1.0), ..StepOptions::new(0.01) };
///     let at = Position { epoch: 0, batch };
///     let step =
///         train_step(&model, &data?, &Criterion::Mse, &mut optimizer, options, at, &mut rng)?;
///     losses.push(step.loss);
/// }
/// assert_eq!(losses.len(), 16);
/// # Ok::<(), ragged_train::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NonFinite`](crate::Error::NonFinite) where the loss or a gradient is not finite; no
/// parameter has then changed.
pub fn train_step(
    model: &dyn BatchModel,
    batch: &Batch,
    loss: &dyn Loss,
    optimizer: &mut Optimizer,
    options: StepOptions,
    at: Position,
    rng: &mut dyn RngCore,
) -> Result<StepOutput> {
    let mut sum = GradientAccumulator::default();
    let (loss, prediction) = sum.add(model, batch, loss, optimizer, at, rng)?;
    Ok(StepOutput { loss, grad_norm: sum.update(optimizer, options, at)?, prediction })
}

/// Computes the mean loss and the predictions of one batch, without recording gradients. The loss of a batch
/// without targets that count, such as one of empty sequences with a target per step, is 0.
///
/// # Errors
///
/// Errors of the model, for a batch that it cannot take.
pub fn eval_step(model: &dyn BatchModel, batch: &Batch, loss: &dyn Loss) -> Result<(f64, Tensor)> {
    let prediction = model.forward(&batch.input, Mode::Inference)?.detach();
    let targets = Targets::of(batch)?;
    if loss.weight(&targets)? == 0.0 {
        return Ok((0.0, prediction));
    }
    let value = loss.value(&prediction, &targets)?;
    Ok((value.to_dtype(DType::F64)?.to_scalar()?, prediction))
}

/// Computes the metrics of a model on a data set, in [`Mode::Inference`]. The parameters are
/// [prepared](BatchModel::prepare) once.
///
/// # Errors
///
/// Errors of the data and of the model.
pub fn evaluate<D: Dataset>(
    model: &dyn BatchModel,
    loader: &DataLoader<D>,
    loss: &dyn Loss,
) -> Result<MetricSum> {
    evaluate_on(&SingleProcess, model, loader, loss)
}

/// Computes the metrics of a model on a data set as [`evaluate`] does, with the batches shared between the ranks.
/// All ranks receive the metrics, which are the same for any number of ranks.
///
/// # Errors
///
/// Errors of the data and of the model, on all ranks where one of them has one.
pub fn evaluate_on<D: Dataset>(
    ranks: &dyn Communicator,
    model: &dyn BatchModel,
    loader: &DataLoader<D>,
    loss: &dyn Loss,
) -> Result<MetricSum> {
    let mut sum = loss.metrics().with_scores();
    if ranks.size() == 1 {
        measure_batches(model, loader.epoch(0), loss, |batch| sum.merge(&batch))?;
        return Ok(sum);
    }
    let mut own = vec![];
    let batches = loader.epoch_every(0, ranks.rank(), ranks.size());
    let result = measure_batches(model, batches, loss, |batch| own.push(batch));
    let mut each: Vec<_> =
        gather(ranks, result.map(|()| own))?.into_iter().map(Vec::into_iter).collect();
    // In the order of the batches: the first of each rank, then the second of each.
    while let Some(first) = each.first_mut().and_then(Iterator::next) {
        sum.merge(&first);
        each[1..].iter_mut().filter_map(Iterator::next).for_each(|other| sum.merge(&other));
    }
    Ok(sum)
}

/// Measures a model on each of some batches.
fn measure_batches<D: Dataset>(
    model: &dyn BatchModel,
    batches: Epoch<D>,
    loss: &dyn Loss,
    mut add: impl FnMut(MetricSum),
) -> Result<()> {
    let prepared = model.prepare()?;
    let model = prepared.as_deref().unwrap_or(model);
    for batch in batches {
        let batch = batch?;
        let (value, prediction) = eval_step(model, &batch, loss)?;
        let mut sum = loss.metrics().with_scores();
        loss.measure(value, &prediction, &Targets::of(&batch)?, &mut sum)?;
        add(sum);
    }
    Ok(())
}
