//! What can go wrong between processes.

use crate::run::difference::Difference;

/// What can go wrong between processes that train together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RankError {
    /// An error of one of several processes, which all of them return.
    #[error("rank {rank}: {message}")]
    OnRank {
        /// The lowest rank with an error.
        rank: usize,
        /// Its error.
        message: String,
    },
    /// Processes that do not train the same run.
    #[error(
        "rank {rank} trains another run than rank 0: {}",
        differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Differ {
        /// The lowest rank that differs.
        rank: usize,
        /// What differs: before on rank 0, and now on the other.
        differences: Vec<Difference>,
    },
    /// Processes that cannot share the shards evenly.
    #[error("train.shards is {shards}: expected a power of two that the {ranks} ranks divide")]
    Shards {
        /// `train.shards`.
        shards: usize,
        /// The number of processes.
        ranks: usize,
    },
    /// An MPI library that cannot be used.
    #[error("MPI: {reason}")]
    Mpi {
        /// What is wrong.
        reason: &'static str,
    },
}
