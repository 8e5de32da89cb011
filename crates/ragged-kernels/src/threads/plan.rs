//! How the threads share the recurrence. The plan changes no result, only the time.

use std::ops::Range;

use crate::element::Float;
use crate::gemm::weight_panels::PANEL_VECTORS;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::caches::{Caches, caches};
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::num_threads::num_threads;
use crate::threads::sequence_groups::sequence_groups;
use crate::threads::step_scheduler::StepScheduler;
use crate::threads::team::Team;

/// Multiply-adds per thread. At 25 billion per second they take a core 10 microseconds, a few times as long as
/// it takes to hand the operands to another core and to synchronise.
const MULTIPLY_ADDS_PER_THREAD: usize = 250_000;

/// The least recurrent weights, in bytes, for which few sequences share each step. Half of 128 KiB takes a
/// core 0.3 microseconds at the 200 GB/s of its second-level cache, and synchronising takes about as long.
const MIN_SHARED_BYTES: usize = 1 << 17;

/// Returns the number of threads for a call, within the limit of [`num_threads`].
pub(crate) fn team_size(layout: &KernelLayout) -> usize {
    let weights =
        layout.cell.gates() * layout.hidden_size * (layout.output_size + layout.input_size);
    num_threads().min(layout.rows.saturating_mul(weights) / MULTIPLY_ADDS_PER_THREAD)
}

/// How the threads divide a time loop.
pub(crate) enum Plan {
    /// Each thread takes its own sequences through all steps, without synchronisation.
    Sequences(Vec<Range<usize>>),
    /// All threads share each step, divided into chunks of blocks of units.
    Units {
        /// Ranges of blocks; each begins with a panel of the backward pass.
        chunks: Vec<Range<usize>>,
        num_threads: usize,
    },
    /// Each thread takes its own blocks of units through all steps, which do not depend on other blocks.
    Blocks(Vec<Range<usize>>),
}

impl Plan {
    /// The plan for a loop in which the blocks are independent.
    pub(crate) fn blocks(layout: &KernelLayout, num_threads: usize) -> Self {
        let parts = num_threads.min(layout.blocks).max(1);
        let border = |part: usize| part * layout.blocks / parts;
        Self::Blocks((0..parts).map(|part| border(part)..border(part + 1)).collect())
    }

    pub(crate) fn new<T: SimdFloat>(layout: &KernelLayout, num_threads: usize) -> Self {
        let gates = layout.cell.gates() * layout.hidden_size;
        // Blocks that contain whole panels of the backward pass.
        let aligned = PANEL_VECTORS.div_ceil(layout.cell.vectors_per_block());
        let pieces = layout.blocks.div_ceil(aligned);
        let bytes = gates * layout.output_size * T::BYTES;
        let Caches { first_level, second_level } = caches();
        // Beyond this, a core reads most weights of a step from the third-level cache. Below, it finds most of
        // them in the second level, since every other step reads them in the opposite order.
        let large = bytes > second_level / 2 * 3;
        let few = layout.active_sequences() < num_threads * layout.tile_rows;
        let shared = num_threads > 1
            && !layout.has_projection()
            && !layout.cell.resets_before()
            && !layout.cell.normalizes()
            && pieces >= num_threads
            && (large || (few && bytes >= MIN_SHARED_BYTES));
        if !shared {
            // Weights that stay in the first-level cache cost nothing to read again: with more groups than
            // threads, a thread that is done early takes another group.
            let small = gates * (layout.output_size + layout.input_size) * T::BYTES <= first_level;
            let groups = if num_threads > 1 && small { 2 * num_threads } else { num_threads };
            return Self::Sequences(sequence_groups(layout, groups));
        }
        let chunk = |k: usize| k * aligned..layout.blocks.min((k + 1) * aligned);
        Self::Units { chunks: (0..pieces).map(chunk).collect(), num_threads }
    }

    /// Runs a time loop as planned.
    pub(crate) fn run<T: SimdFloat>(
        self,
        layout: &KernelLayout,
        time_loop: &impl TimeLoop<T>,
        team: &Team,
    ) {
        let rounds = time_loop.rounds();
        match self {
            Self::Sequences(groups) => {
                team.parallel_for(groups.len(), team.num_threads(), &|range| {
                    for sequences in groups[range].iter().cloned() {
                        let (rounds, blocks) = (0..rounds, 0..layout.blocks);
                        let share = Share { rounds, sequences, blocks, prefetch: false };
                        dispatch(layout.level, LoopTask { time_loop, share });
                    }
                })
            }
            Self::Blocks(parts) => team.parallel_for(parts.len(), team.num_threads(), &|range| {
                for blocks in parts[range].iter().cloned() {
                    let (rounds, sequences) = (0..rounds, 0..layout.batch_size);
                    let share = Share { rounds, sequences, blocks, prefetch: false };
                    dispatch(layout.level, LoopTask { time_loop, share });
                }
            }),
            Self::Units { chunks, num_threads } => {
                let scheduler = StepScheduler::new(rounds, chunks.len(), num_threads);
                team.broadcast(&|thread_id| {
                    if thread_id >= num_threads {
                        return;
                    }
                    let mut owner = scheduler.owner(thread_id);
                    let mut last = None;
                    while let Some((round, chunk)) = owner.next() {
                        let prefetch = last.replace(round) != Some(round);
                        let (rounds, sequences) = (round..round + 1, 0..layout.batch_size);
                        let blocks = chunks[chunk].clone();
                        let share = Share { rounds, sequences, blocks, prefetch };
                        dispatch(layout.level, LoopTask { time_loop, share });
                    }
                });
            }
        }
    }
}

/// Runs a time loop on the calling thread alone.
pub(crate) fn run_on_this_thread<T: SimdFloat>(
    layout: &KernelLayout,
    time_loop: &impl TimeLoop<T>,
) {
    let (rounds, sequences) = (0..time_loop.rounds(), 0..layout.batch_size);
    let share = Share { rounds, sequences, blocks: 0..layout.blocks, prefetch: false };
    dispatch(layout.level, LoopTask { time_loop, share });
}

/// A loop over the time steps: forward, or backward through time.
pub(crate) trait TimeLoop<T: Float>: Sync {
    /// The number of rounds.
    fn rounds(&self) -> usize;

    /// Prefetches what the other threads have just written for a round: all lines at once, since a product
    /// would wait for each.
    fn prefetch_round<S: Simd<T>>(&self, s: S, round: usize);

    /// Computes one round of some sequences and blocks of units. The round before is complete for these
    /// sequences. With a projection, a reset before the product or layer normalisation, the blocks are all.
    fn run_round<S: Simd<T>>(
        &self,
        s: S,
        round: usize,
        sequences: &Range<usize>,
        blocks: &Range<usize>,
    );
}

/// Some rounds of a time loop, for some sequences and blocks of units.
struct Share {
    rounds: Range<usize>,
    sequences: Range<usize>,
    blocks: Range<usize>,
    /// Whether other threads have just written what the first round reads.
    prefetch: bool,
}

/// One share of a time loop. Both plans use this task, so that each time loop is compiled once per level.
struct LoopTask<'a, W> {
    time_loop: &'a W,
    share: Share,
}

impl<T: Float, W: TimeLoop<T>> Task<T> for LoopTask<'_, W> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Share { rounds, sequences, blocks, prefetch } = self.share;
        if prefetch {
            self.time_loop.prefetch_round(s, rounds.start);
        }
        for round in rounds {
            self.time_loop.run_round(s, round, &sequences, &blocks);
        }
    }
}
