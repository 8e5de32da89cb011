//! How the threads share the recurrence. The plan changes no result, only the time.

use std::ops::Range;

use crate::Element;
use crate::layout::Geometry;
use crate::pack::VECTORS;

/// Work of a thread that is worth going to another one, in multiply-adds.
const GRAIN: usize = 100_000;

/// The recurrent weights that a core keeps close, in bytes: about its second cache.
const CACHE: usize = 3 << 19;

/// Recurrent weights whose share is worth meeting after each step, in bytes.
const SHARED: usize = 1 << 17;

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
        let step_weights = geometry.cell.gates() * geometry.hidden * geometry.width;
        let input_weights = geometry.cell.gates() * geometry.hidden * geometry.input;
        let work = geometry.rows * (step_weights + input_weights);
        let parts = parts.min(work / GRAIN).max(1);
        // Blocks that hold whole panels of the backward pass.
        let aligned = VECTORS.div_ceil(geometry.cell.spread());
        let pieces = geometry.blocks.div_ceil(aligned);
        let bytes = step_weights * T::BYTES;
        let few = geometry.running() < parts * geometry.tile;
        let shared = parts > 1
            && !geometry.projects()
            && pieces >= parts
            && (bytes > CACHE || (few && bytes >= SHARED));
        if !shared {
            return Self::Sequences(geometry.groups(parts));
        }
        let chunk = |k: usize| k * aligned..geometry.blocks.min((k + 1) * aligned);
        Self::Units { chunks: (0..pieces).map(chunk).collect(), parts }
    }
}
