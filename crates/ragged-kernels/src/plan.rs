//! How the threads share the recurrence. The plan changes no result, only the time.

use std::ops::Range;

use crate::Element;
use crate::crew::{Crew, threads};
use crate::layout::Geometry;
use crate::pack::VECTORS;
use crate::simd::{Simd, SimdLevel, Task, dispatch};
use crate::together::Together;

/// Work that is worth another thread, in multiply-adds.
const GRAIN: usize = 250_000;

/// Weights that stay in a core's first cache, in bytes: cutting sequences into more groups than there
/// are threads, so that nobody waits for long, costs nothing then.
const SMALL: usize = 1 << 15;

/// The recurrent weights that a core keeps close, in bytes: about its second cache.
const CACHE: usize = 3 << 19;

/// Recurrent weights whose share is worth meeting after each step, in bytes.
const SHARED: usize = 1 << 17;

/// How many threads a call is worth, of those that it may take.
pub(crate) fn crew_size(geometry: &Geometry) -> usize {
    let weights = geometry.cell.gates() * geometry.hidden * (geometry.width + geometry.input);
    threads().min(geometry.rows * weights / GRAIN)
}

/// Who does what.
pub(crate) enum Plan {
    /// Each thread takes its own sequences through all steps: nobody waits for anybody.
    Sequences(Vec<Range<usize>>),
    /// All threads share each step, chunk by chunk of blocks of units.
    Units {
        /// Each begins on the border of a panel of the backward pass.
        chunks: Vec<Range<usize>>,
        parts: usize,
    },
}

impl Plan {
    pub(crate) fn new<T: Element>(geometry: &Geometry, parts: usize) -> Self {
        let gates = geometry.cell.gates() * geometry.hidden;
        // Blocks that hold whole panels of the backward pass.
        let aligned = VECTORS.div_ceil(geometry.cell.spread());
        let pieces = geometry.blocks.div_ceil(aligned);
        let bytes = gates * geometry.width * T::BYTES;
        let few = geometry.running() < parts * geometry.tile;
        let shared = parts > 1
            && !geometry.projects()
            && pieces >= parts
            && (bytes > CACHE || (few && bytes >= SHARED));
        if !shared {
            let small = gates * (geometry.width + geometry.input) * T::BYTES <= SMALL;
            let groups = if parts > 1 && small { 2 * parts } else { parts };
            return Self::Sequences(geometry.groups(groups));
        }
        let chunk = |k: usize| k * aligned..geometry.blocks.min((k + 1) * aligned);
        Self::Units { chunks: (0..pieces).map(chunk).collect(), parts }
    }
    /// Takes a walk in these shares.
    pub(crate) fn run<T: Element>(self, level: SimdLevel, walk: &impl Walk<T>, crew: &Crew) {
        match self {
            Self::Sequences(groups) => crew.split(groups.len(), crew.parts(), &|range| {
                for group in groups[range].iter().cloned() {
                    dispatch(level, OfGroup { walk, group });
                }
            }),
            Self::Units { chunks, parts } => {
                let (chunks, together) =
                    (&chunks, &Together::new(walk.turns(), chunks.len(), parts));
                crew.each(&|who| {
                    if who < parts {
                        dispatch(level, OfUnits { walk, chunks, together, who });
                    }
                });
            }
        }
    }
}

/// What goes step by step: forward, or back through time.
pub(crate) trait Walk<T: Element>: Sync {
    /// How often threads that share the units meet.
    fn turns(&self) -> usize;

    /// All steps of some sequences.
    fn group<S: Simd<T>>(&self, s: S, group: Range<usize>);

    /// Asks for what the other threads have just written for a turn: all lines at once, where a product
    /// would wait for one after the other.
    fn fetch<S: Simd<T>>(&self, s: S, turn: usize);

    /// One turn of some blocks of units, all sequences.
    fn chunk<S: Simd<T>>(&self, s: S, turn: usize, blocks: Range<usize>);
}

/// All steps of a group of sequences.
struct OfGroup<'a, W> {
    walk: &'a W,
    group: Range<usize>,
}

impl<T: Element, W: Walk<T>> Task<T> for OfGroup<'_, W> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        self.walk.group(s, self.group);
    }
}

/// A thread's part in the turns that are shared by units.
struct OfUnits<'a, W> {
    walk: &'a W,
    chunks: &'a [Range<usize>],
    together: &'a Together,
    who: usize,
}

impl<T: Element, W: Walk<T>> Task<T> for OfUnits<'_, W> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let mut part = self.together.part(self.who);
        let mut fetched = None;
        while let Some((turn, chunk)) = part.next() {
            if fetched.replace(turn) != Some(turn) {
                self.walk.fetch(s, turn);
            }
            self.walk.chunk(s, turn, self.chunks[chunk].clone());
        }
    }
}
