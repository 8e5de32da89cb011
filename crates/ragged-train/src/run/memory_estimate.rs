//! The memory that a run takes, by its parts.

use std::fmt;

/// The memory that a run takes, in bytes; see [`Experiment::estimate_memory`](crate::Experiment::estimate_memory).
///
/// It is what the tensors take. The data set, buffers of the kernels and the program itself come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The parameters.
    pub parameters: u64,
    /// The gradients, the state of the optimiser, and the averaged parameters.
    pub optimizer: u64,
    /// What the largest batch needs from the forward pass until the end of the backward pass.
    pub activations: u64,
    /// The bytes of a checkpoint before they are written.
    pub checkpoint: u64,
}

impl MemoryEstimate {
    /// Returns the sum.
    pub fn total(&self) -> u64 {
        let Self { parameters, optimizer, activations, checkpoint } = *self;
        [parameters, optimizer, activations, checkpoint].into_iter().fold(0, u64::saturating_add)
    }
}

/// Writes `1.23 GB: parameters 0.31 GB, ...`.
impl fmt::Display for MemoryEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: parameters {}, gradients and optimiser {}, activations of the largest batch {}, a \
             checkpoint {}",
            size(self.total()),
            size(self.parameters),
            size(self.optimizer),
            size(self.activations),
            size(self.checkpoint)
        )
    }
}

/// Returns a number of bytes in a unit of which there is at least one.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let bytes = bytes as f64;
    match units.into_iter().find(|&(unit, _)| bytes >= unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}
