//! What training needs of the other processes.

use std::fmt;

use crate::error::Result;

/// The processes that train together, called ranks and counted from 0. Every rank calls the same methods in the same
/// order.
///
/// ```
/// use ragged_train::distributed::{Communicator, SingleProcess};
///
/// let alone = SingleProcess;
/// assert_eq!((alone.rank(), alone.size()), (0, 1));
/// assert_eq!(alone.all_gather(b"state")?, [b"state"]);
/// # Ok::<(), ragged_train::Error>(())
/// ```
pub trait Communicator: fmt::Debug {
    /// Returns the rank of this process.
    fn rank(&self) -> usize;

    /// Returns the number of ranks.
    fn size(&self) -> usize;

    /// Sends bytes to another rank and receives those that it sends, whose number is that of `received`.
    ///
    /// # Errors
    ///
    /// Errors of the transport.
    fn exchange(&self, with: usize, sent: &[u8], received: &mut [u8]) -> Result<()>;

    /// Sends bytes to all ranks, each any number of them, and returns those of each rank.
    ///
    /// # Errors
    ///
    /// Errors of the transport.
    fn all_gather(&self, sent: &[u8]) -> Result<Vec<Vec<u8>>>;
}

/// One process, which trains alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SingleProcess;

impl Communicator for SingleProcess {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn exchange(&self, _: usize, sent: &[u8], received: &mut [u8]) -> Result<()> {
        received.copy_from_slice(sent);
        Ok(())
    }

    fn all_gather(&self, sent: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(vec![sent.to_vec()])
    }
}
