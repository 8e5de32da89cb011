//! Training by several processes, which end with the same bits as one.
//!
//! A batch is cut into `train.shards` shards, whatever the number of processes. The gradient of each shard is computed
//! alone, and gradients are added along a binary tree over the shards:
//!
//! ```text
//! shards      0   1   2   3   4   5   6   7
//!              \ /     \ /     \ /     \ /         within a rank, as far as it has both
//!               +       +       +       +
//!                \     /         \     /           between ranks, by pairwise exchange
//!                   +               +
//!                      \         /
//!                          +
//! ```
//!
//! A rank has as many neighbouring shards as every other one, so the additions are the same for 1, 2, 4 and more ranks,
//! and a + b has the bits of b + a. All ranks plan the same batches from the seed and the lengths, receive the same sum
//! and make the same update.
//!
//! [`Communicator`] is what the loop needs of processes: [`SingleProcess`] is the default, and with the feature `mpi`
//! `Mpi` joins the processes that `mpirun` starts.

pub(crate) mod all_reduce;
pub(crate) mod communicator;
pub(crate) mod error;
pub(crate) mod gather;
pub(crate) mod gradient_sum;
#[cfg(feature = "mpi")]
pub(crate) mod mpi;
pub(crate) mod tree;

pub use all_reduce::all_reduce;
pub use communicator::{Communicator, SingleProcess};
pub use error::RankError;
pub use gather::gather;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
