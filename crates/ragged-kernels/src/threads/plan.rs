//! How the threads share the recurrence. The plan changes no result, only the time.

use std::ops::Range;

use crate::element::Float;
use crate::gemm::weight_panels::PANEL_VECTORS;
use crate::layout::kernel_layout::KernelLayout;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::level::SimdLevel;
use crate::simd::vector::Simd;
use crate::threads::num_threads::num_threads;
use crate::threads::sequence_groups::sequence_groups;
use crate::threads::step_scheduler::StepScheduler;
use crate::threads::team::Team;

/// Work that is worth another thread, in multiply-adds.
const MULTIPLY_ADDS_PER_THREAD: usize = 250_000;

/// Weights that stay in a core's first cache, in bytes: cutting sequences into more groups than there
/// are threads, so that nobody waits for long, costs nothing then.
const FIRST_CACHE_BYTES: usize = 1 << 15;

/// The recurrent weights that a core keeps close, in bytes: about its second cache.
const SECOND_CACHE_BYTES: usize = 3 << 19;

/// Recurrent weights whose share is worth meeting after each step, in bytes.
const MIN_SHARED_BYTES: usize = 1 << 17;

/// How many threads a call is worth, of those that it may take.
pub(crate) fn team_size(layout: &KernelLayout) -> usize {
    let weights =
        layout.cell.gates() * layout.hidden_size * (layout.output_size + layout.input_size);
    num_threads().min(layout.rows * weights / MULTIPLY_ADDS_PER_THREAD)
}

/// Who does what.
pub(crate) enum Plan {
    /// Each thread takes its own sequences through all steps: nobody waits for anybody.
    Sequences(Vec<Range<usize>>),
    /// All threads share each step, chunk by chunk of blocks of units.
    Units {
        /// Each begins on the border of a panel of the backward pass.
        chunks: Vec<Range<usize>>,
        num_threads: usize,
    },
}

impl Plan {
    pub(crate) fn new<T: SimdFloat>(layout: &KernelLayout, num_threads: usize) -> Self {
        let gates = layout.cell.gates() * layout.hidden_size;
        // Blocks that hold whole panels of the backward pass.
        let aligned = PANEL_VECTORS.div_ceil(layout.cell.vectors_per_block());
        let pieces = layout.blocks.div_ceil(aligned);
        let bytes = gates * layout.output_size * T::BYTES;
        let few = layout.active_sequences() < num_threads * layout.tile_rows;
        let shared = num_threads > 1
            && !layout.has_projection()
            && pieces >= num_threads
            && (bytes > SECOND_CACHE_BYTES || (few && bytes >= MIN_SHARED_BYTES));
        if !shared {
            let small =
                gates * (layout.output_size + layout.input_size) * T::BYTES <= FIRST_CACHE_BYTES;
            let groups = if num_threads > 1 && small { 2 * num_threads } else { num_threads };
            return Self::Sequences(sequence_groups(layout, groups));
        }
        let chunk = |k: usize| k * aligned..layout.blocks.min((k + 1) * aligned);
        Self::Units { chunks: (0..pieces).map(chunk).collect(), num_threads }
    }
    /// Runs a time loop as planned.
    pub(crate) fn run<T: SimdFloat>(
        self,
        level: SimdLevel,
        time_loop: &impl TimeLoop<T>,
        team: &Team,
    ) {
        match self {
            Self::Sequences(groups) => {
                team.parallel_for(groups.len(), team.num_threads(), &|range| {
                    for group in groups[range].iter().cloned() {
                        dispatch(level, SequenceTask { time_loop, group });
                    }
                })
            }
            Self::Units { chunks, num_threads } => {
                let (chunks, scheduler) =
                    (&chunks, &StepScheduler::new(time_loop.rounds(), chunks.len(), num_threads));
                team.broadcast(&|thread_id| {
                    if thread_id < num_threads {
                        dispatch(level, UnitTask { time_loop, chunks, scheduler, thread_id });
                    }
                });
            }
        }
    }
}

/// What goes step by step: forward, or back through time.
pub(crate) trait TimeLoop<T: Float>: Sync {
    /// How often threads that share the units meet.
    fn rounds(&self) -> usize;

    /// All steps of some sequences.
    fn run_sequences<S: Simd<T>>(&self, s: S, group: Range<usize>);

    /// Asks for what the other threads have just written for a round: all lines at once, where a product
    /// would wait for one after the other.
    fn prefetch_round<S: Simd<T>>(&self, s: S, round: usize);

    /// One round of some blocks of units, all sequences.
    fn run_units<S: Simd<T>>(&self, s: S, round: usize, blocks: Range<usize>);
}

/// All steps of a group of sequences.
struct SequenceTask<'a, W> {
    time_loop: &'a W,
    group: Range<usize>,
}

impl<T: Float, W: TimeLoop<T>> Task<T> for SequenceTask<'_, W> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        self.time_loop.run_sequences(s, self.group);
    }
}

/// A thread's part in the rounds that are shared by units.
struct UnitTask<'a, W> {
    time_loop: &'a W,
    chunks: &'a [Range<usize>],
    scheduler: &'a StepScheduler,
    thread_id: usize,
}

impl<T: Float, W: TimeLoop<T>> Task<T> for UnitTask<'_, W> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let mut owner = self.scheduler.owner(self.thread_id);
        let mut fetched = None;
        while let Some((round, chunk)) = owner.next() {
            if fetched.replace(round) != Some(round) {
                self.time_loop.prefetch_round(s, round);
            }
            self.time_loop.run_units(s, round, self.chunks[chunk].clone());
        }
    }
}
