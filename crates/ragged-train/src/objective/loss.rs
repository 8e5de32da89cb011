//! The interface of losses: what training minimises.

use candle_core::Tensor;

use crate::error::Result;
use crate::objective::metric_sum::MetricSum;
use crate::objective::targets::Targets;

/// A loss to minimise, with the metrics that are measured along with it.
///
/// [`Criterion`](crate::Criterion) has the usual losses. A loss of your own is a type with this trait, or a closure
/// that returns the mean loss of predictions and targets. The trainer then measures the loss only;
/// [`metrics`](Self::metrics) and [`own_metrics`](Self::own_metrics) add more.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_train::objective::{Loss, Targets};
/// use ragged_train::{Criterion, Result};
///
/// // The mean of the squared relative errors.
/// let relative = |prediction: &Tensor, targets: &Targets<'_>| -> Result<Tensor> {
///     let target = targets.values.to_dtype(prediction.dtype())?;
///     Ok(((prediction / target)? - 1.0)?.sqr()?.mean_all()?)
/// };
///
/// let prediction = Tensor::new(&[[1f32], [6.0]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1f32], [4.0]], &Device::Cpu)?;
/// let loss: &dyn Loss = &relative;
/// let value = loss.value(&prediction, &Targets::new(&target))?.to_scalar::<f32>()?;
/// assert_eq!(value, 0.125);
///
/// // One of the usual losses, and a metric of one's own.
/// let largest = Criterion::Mse.with_metric("largest_error", |prediction, targets| {
///     let error = (prediction - targets.values)?.abs()?;
///     Ok(error.max_all()?.to_scalar::<f32>()?.into())
/// });
/// let own = largest.own_metrics(&prediction, &Targets::new(&target))?;
/// assert_eq!(own, [("largest_error".to_string(), 2.0)]);
/// # Ok::<(), ragged_train::Error>(())
/// ```
pub trait Loss: Send + Sync {
    /// Returns the loss of predictions `[B, O]`, or `[N, O]` for targets per packed time step: a scalar that can be
    /// differentiated, the mean over the targets that are not missing.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`](crate::Error::Shape) and [`Error::Rank`](crate::Error::Rank) where the targets do not fit the
    /// predictions.
    fn value(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Tensor>;

    /// Returns the weight of a batch relative to other batches: the number of terms of its mean loss, or the sum of
    /// their weights. A batch of weight 0 does not count, and its [`value`](Self::value) is not asked for. Default the
    /// number of rows.
    ///
    /// # Errors
    ///
    /// Errors from candle, for a target without a batch dimension.
    fn weight(&self, targets: &Targets<'_>) -> Result<f64> {
        Ok(targets.values.dim(0)? as f64)
    }

    /// Returns the number of means of which the loss is the sum, with factors of its own: one per head of a
    /// [`MultiTaskLoss`](crate::objective::MultiTaskLoss). Default 1.
    fn means(&self) -> usize {
        1
    }

    /// Returns the [`weight`](Self::weight) of each of the [means](Self::means).
    ///
    /// # Errors
    ///
    /// As [`weight`](Self::weight).
    fn weights(&self, targets: &Targets<'_>) -> Result<Vec<f64>> {
        Ok(vec![self.weight(targets)?])
    }

    /// Returns the [`value`](Self::value) with each of the [means](Self::means) multiplied by another factor. With the
    /// weight of a batch divided by that of several batches as factors, the sum over the batches is the value of one
    /// batch with all their examples.
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    fn value_of(
        &self,
        prediction: &Tensor,
        targets: &Targets<'_>,
        factors: &[f64],
    ) -> Result<Tensor> {
        Ok((self.value(prediction, targets)? * factors.first().copied().unwrap_or(1.0))?)
    }

    /// Returns an empty sum that determines which metrics are measured. Default none but the loss.
    fn metrics(&self) -> MetricSum {
        MetricSum::loss_only()
    }

    /// Returns the predicted class of each row, where it depends on more than the outputs of the row. Default none: the
    /// predicted class is that of the largest output.
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    fn decode(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Option<Vec<u32>>> {
        let _ = (prediction, targets);
        Ok(None)
    }

    /// Returns further metrics of a batch by name. The metric of a data set is the mean of its batches by their
    /// weights. Default none.
    ///
    /// # Errors
    ///
    /// Errors of the metrics.
    fn own_metrics(
        &self,
        prediction: &Tensor,
        targets: &Targets<'_>,
    ) -> Result<Vec<(String, f64)>> {
        let _ = (prediction, targets);
        Ok(vec![])
    }

    /// Adds a batch to the metrics, given by its mean loss, its predictions and its targets.
    ///
    /// # Errors
    ///
    /// Errors of the metrics.
    fn measure(
        &self,
        value: f64,
        prediction: &Tensor,
        targets: &Targets<'_>,
        sum: &mut MetricSum,
    ) -> Result<()> {
        let weight = self.weight(targets)?;
        let own = if weight > 0.0 { self.own_metrics(prediction, targets)? } else { vec![] };
        let decoded = self.decode(prediction, targets)?;
        sum.add(value, weight, &own, prediction, decoded.as_deref(), targets)
    }

    /// Adds a metric, which returns the mean over a batch. Its name is also that by which
    /// [`Monitor::Own`](crate::objective::Monitor::Own) chooses it.
    fn with_metric<F>(self, name: &'static str, metric: F) -> WithMetric<Self, F>
    where
        Self: Sized,
        F: Fn(&Tensor, &Targets<'_>) -> Result<f64> + Send + Sync,
    {
        WithMetric { loss: self, name, metric }
    }
}

impl<F> Loss for F
where
    F: Fn(&Tensor, &Targets<'_>) -> Result<Tensor> + Send + Sync,
{
    fn value(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Tensor> {
        self(prediction, targets)
    }
}

/// A loss with one more metric, made by [`Loss::with_metric`].
#[derive(Debug, Clone)]
pub struct WithMetric<L, F> {
    loss: L,
    name: &'static str,
    metric: F,
}

impl<L, F> Loss for WithMetric<L, F>
where
    L: Loss,
    F: Fn(&Tensor, &Targets<'_>) -> Result<f64> + Send + Sync,
{
    fn value(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Tensor> {
        self.loss.value(prediction, targets)
    }

    fn weight(&self, targets: &Targets<'_>) -> Result<f64> {
        self.loss.weight(targets)
    }

    fn means(&self) -> usize {
        self.loss.means()
    }

    fn weights(&self, targets: &Targets<'_>) -> Result<Vec<f64>> {
        self.loss.weights(targets)
    }

    fn value_of(
        &self,
        prediction: &Tensor,
        targets: &Targets<'_>,
        factors: &[f64],
    ) -> Result<Tensor> {
        self.loss.value_of(prediction, targets, factors)
    }

    fn metrics(&self) -> MetricSum {
        self.loss.metrics()
    }

    fn decode(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Option<Vec<u32>>> {
        self.loss.decode(prediction, targets)
    }

    fn own_metrics(
        &self,
        prediction: &Tensor,
        targets: &Targets<'_>,
    ) -> Result<Vec<(String, f64)>> {
        let mut metrics = self.loss.own_metrics(prediction, targets)?;
        metrics.push((self.name.to_string(), (self.metric)(prediction, targets)?));
        Ok(metrics)
    }

    fn measure(
        &self,
        value: f64,
        prediction: &Tensor,
        targets: &Targets<'_>,
        sum: &mut MetricSum,
    ) -> Result<()> {
        self.loss.measure(value, prediction, targets, sum)?;
        let weight = self.weight(targets)?;
        if weight > 0.0 {
            sum.add_own(self.name, (self.metric)(prediction, targets)?, weight);
        }
        Ok(())
    }
}
