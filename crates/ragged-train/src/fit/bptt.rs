//! Truncated backpropagation through time (Williams and Peng 1990): long series are processed in
//! chunks of some steps, with an update after each chunk. The recurrent state passes from chunk to
//! chunk as a constant, so gradients end where the chunk starts.

use std::ops::{ControlFlow, Range};

use candle_core::Tensor;
use ragged_datasets::{Batch, DataLoader, Dataset};
use ragged_models::TrainingStream;

use crate::distributed::gather::{gather, gather_rows};
use crate::error::Result;
use crate::fit::chunks::{Chunk, chunks};
use crate::fit::observer::Observer;
use crate::fit::record::StepRecord;
use crate::fit::shard_sum::{JointSum, NonFiniteLoss, ShardSum};
use crate::fit::step_options::Position;
use crate::fit::trainer::{Trainer, save_non_finite};
use crate::objective::targets::Targets;

/// The lanes of one shard.
struct LaneShard<'a> {
    shard: usize,
    lanes: Range<usize>,
    stream: TrainingStream<'a>,
}

/// What a shard gives for a chunk.
struct ChunkOutput {
    shard: usize,
    batch: Batch,
    /// The predictions and targets of the rows that have a target, if there are any.
    rows: Option<(Tensor, Tensor)>,
    per_step: bool,
}

impl ChunkOutput {
    /// Returns the predictions and their targets.
    fn targets(&self) -> Result<Option<(&Tensor, Targets<'_>)>> {
        let Some((prediction, target)) = &self.rows else { return Ok(None) };
        let layout = if self.per_step { Targets::of(&self.batch)?.layout } else { None };
        Ok(Some((prediction, Targets { layout, ..Targets::new(target) })))
    }
}

impl<'a> Trainer<'a> {
    /// Trains on the remaining chunks of the current epoch.
    pub(crate) fn train_epoch_in_chunks<T: Dataset>(
        &mut self,
        loader: &DataLoader<T>,
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<()>> {
        let epoch = self.progress.epoch;
        let chunks = self.chunks(loader, epoch)?;
        let kind = loader.dataset().target_kind();
        let per_step = kind.is_per_step();
        let updates = |chunks: &[Chunk]| {
            chunks.iter().filter(|chunk| per_step || !chunk.ending().is_empty()).count()
        };
        let steps = updates(&chunks) * self.config.epochs;
        let lanes = chunks.first().map_or(0, |chunk| chunk.parts.len());
        let mut shards = self.lane_shards(lanes)?;
        for chunk in &chunks[self.progress.batch.min(chunks.len())..] {
            let at = Position { epoch, batch: self.progress.batch };
            // Without a target, the states advance all the same.
            let updates = match per_step {
                true => chunk.parts.iter().flatten().any(|part| !part.steps.is_empty()),
                false => !chunk.ending().is_empty(),
            };
            let outputs = self.run_chunk(chunk, &mut shards, loader.dataset(), at);
            if !updates {
                gather(self.communicator, outputs.map(drop))?;
                self.progress.batch += 1;
                continue;
            }
            let totals = self.chunk_totals(&outputs)?;
            let own = outputs.and_then(|outputs| {
                let shards = self.sum_chunk(&outputs, at, totals.as_deref())?;
                Ok((shards, outputs.into_iter().last().map(|output| output.batch)))
            });
            let (own, last) = own.map_or_else(|e| (Err(e), None), |(own, last)| (Ok(own), last));
            let joint = JointSum::of(self.communicator, own, self.loss, &self.optimizer)?;
            let JointSum { gradients, metrics, steps: real_steps, padded_steps } = match joint {
                Ok(joint) => joint,
                Err((shard, NonFiniteLoss { value, .. })) => {
                    let error = at.non_finite("loss", value);
                    let part = chunk.of_lanes(self.lanes_of(shard, lanes));
                    let batch = part.batch(loader.dataset(), epoch)?;
                    return Err(save_non_finite(error, Some(&batch), observer));
                }
            };
            self.progress.sums.metrics.merge(&metrics);
            let (loss, options) = (gradients.loss(), self.step_options(steps));
            let grad_norm = gradients
                .update(&mut self.optimizer, options, at)
                .map_err(|error| save_non_finite(error, last.as_ref(), observer))?;
            let lr = options.hyperparameters.lr;
            self.count_update(1, grad_norm, lr)?;
            self.carried = self.states(&shards)?;
            let record = StepRecord {
                epoch: epoch + 1,
                batch: self.progress.batch,
                batches: chunks.len(),
                updates: self.progress.updates,
                loss,
                grad_norm,
                lr,
                steps: real_steps,
                padded_steps,
            };
            if self.observe(&record, observer)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.carried.clear();
        Ok(ControlFlow::Continue(()))
    }

    /// Returns the lanes of a shard.
    fn lanes_of(&self, shard: usize, lanes: usize) -> Range<usize> {
        let count = self.config.shards;
        shard * lanes / count..(shard + 1) * lanes / count
    }

    /// Starts the shards of this rank that have lanes, at the position of the run.
    fn lane_shards(&mut self, lanes: usize) -> Result<Vec<LaneShard<'a>>> {
        let carried = std::mem::take(&mut self.carried);
        let mut shards = vec![];
        for shard in self.sharding().own {
            let lanes = self.lanes_of(shard, lanes);
            if lanes.is_empty() {
                continue;
            }
            let mut stream = self.model.training_stream(lanes.len())?;
            if self.progress.batch > 0 {
                let own = carried.iter().map(|part| part.narrow(1, lanes.start, lanes.len()));
                stream.set_state(own.collect::<candle_core::Result<_>>()?)?;
            }
            shards.push(LaneShard { shard, lanes, stream });
        }
        Ok(shards)
    }

    /// Runs the shards of this rank on a chunk.
    fn run_chunk<T: Dataset>(
        &self,
        chunk: &Chunk,
        shards: &mut [LaneShard<'_>],
        dataset: &T,
        at: Position,
    ) -> Result<Vec<ChunkOutput>> {
        let per_step = dataset.target_kind().is_per_step();
        let run = |LaneShard { shard, lanes, stream }: &mut LaneShard<'_>| {
            let part = chunk.of_lanes(lanes.clone());
            let batch = part.batch(dataset, at.epoch)?;
            let mut rng = self.dropout_rng(at.epoch, at.batch, *shard);
            let rows = part.forward(stream, &batch, per_step, &mut rng)?;
            Ok(ChunkOutput { shard: *shard, batch, rows, per_step })
        };
        shards.iter_mut().map(run).collect()
    }

    /// Returns the weights of each of the means in all shards of a chunk; `None` for one shard.
    fn chunk_totals(&self, outputs: &Result<Vec<ChunkOutput>>) -> Result<Option<Vec<f64>>> {
        if self.config.shards == 1 {
            return Ok(None);
        }
        let mut own = vec![];
        for output in outputs.iter().flatten() {
            own.extend(output.targets()?.map(|(_, targets)| self.loss.weights(&targets)));
        }
        self.joint_weights(own.into_iter().collect()).map(Some)
    }

    /// Computes the gradients of the shards of this rank.
    fn sum_chunk(
        &self,
        outputs: &[ChunkOutput],
        at: Position,
        totals: Option<&[f64]>,
    ) -> Result<Vec<ShardSum>> {
        let own = self.sharding().own;
        let mut sums: Vec<_> = own.clone().map(|_| ShardSum::new(self.loss, totals)).collect();
        for output in outputs {
            let sum = &mut sums[output.shard - own.start];
            sum.count(&output.batch);
            if let Some((prediction, targets)) = output.targets()? {
                sum.add(prediction, &[], &targets, self.loss, &self.optimizer, at)?;
            }
        }
        Ok(sums)
    }

    /// Returns the states of all lanes, also of those of other ranks.
    fn states(&self, shards: &[LaneShard<'_>]) -> Result<Vec<Tensor>> {
        let mut own: Vec<Vec<Tensor>> = vec![];
        for LaneShard { stream, .. } in shards {
            own.push(stream.state().to_vec());
        }
        let parts = own.first().map_or(0, Vec::len);
        let joined = (0..parts).map(|k| {
            let each: Vec<&Tensor> = own.iter().map(|state| &state[k]).collect();
            if let [only] = each[..] { Ok(only.clone()) } else { Tensor::cat(&each, 1) }
        });
        gather_rows(self.communicator, joined.collect::<candle_core::Result<_>>()?)
    }

    /// Returns the chunks of an epoch.
    fn chunks<T: Dataset>(&self, loader: &DataLoader<T>, epoch: usize) -> Result<Vec<Chunk>> {
        let plan = loader.plan(epoch)?;
        let order = plan.iter().flatten().copied();
        let with_length = order.map(|index| Ok((index, loader.dataset().length(epoch, index)?)));
        let series = with_length.collect::<Result<Vec<_>>>()?;
        let lanes = plan.get(0).map_or(0, <[usize]>::len);
        Ok(chunks(&series, lanes, self.config.bptt_steps))
    }
}
