//! Processes that `mpirun` starts.

use std::fmt;

use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::point_to_point::send_receive_into;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives, Root};

use crate::distributed::communicator::Communicator;
use crate::distributed::error::RankError;
use crate::error::Result;

/// The most bytes of a message: MPI counts them with 32 bits.
const LARGEST: usize = 1 << 30;

/// The processes that `mpirun` started with this one (feature `mpi`).
///
/// The processes part when the value is dropped, which waits for all of them. One that fails alone must therefore call
/// [`abort`](Self::abort).
pub struct Mpi {
    world: SimpleCommunicator,
    // Dropped last: it ends MPI.
    _universe: Universe,
}

impl Mpi {
    /// Joins the other processes. It must be called by the main thread, once, and all methods by the same thread.
    ///
    /// # Errors
    ///
    /// [`RankError::Mpi`] if the process has joined before, or the library has no threads beside the one that calls it.
    pub fn join() -> Result<Self> {
        let (universe, threading) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or(RankError::Mpi { reason: "the process has joined the others before" })?;
        if threading < Threading::Funneled {
            return Err(RankError::Mpi { reason: "expected a library that allows threads" }.into());
        }
        Ok(Self { world: universe.world(), _universe: universe })
    }

    /// Returns the number of ranks on this machine.
    pub fn local_size(&self) -> usize {
        self.world.split_shared(self.world.rank()).size() as usize
    }

    /// Ends all processes at once with this exit code.
    pub fn abort(&self, code: u8) -> ! {
        self.world.abort(code.into())
    }
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn exchange(&self, with: usize, sent: &[u8], received: &mut [u8]) -> Result<()> {
        let other = self.world.process_at_rank(with as i32);
        // Both ranks know both lengths, so that they cut alike.
        let (mut sent, mut received) = (sent, received);
        while !sent.is_empty() || !received.is_empty() {
            let (now, later) = sent.split_at(sent.len().min(LARGEST));
            let (filled, rest) = received.split_at_mut(received.len().min(LARGEST));
            send_receive_into(now, &other, filled, &other);
            (sent, received) = (later, rest);
        }
        Ok(())
    }

    fn all_gather(&self, sent: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut lengths = vec![0u64; self.size()];
        self.world.all_gather_into(&(sent.len() as u64), &mut lengths[..]);
        let total: u64 = lengths.iter().sum();
        let mut each: Vec<Vec<u8>> = lengths.iter().map(|&n| vec![0; n as usize]).collect();
        if total <= LARGEST as u64 {
            let counts: Vec<i32> = lengths.iter().map(|&n| n as i32).collect();
            let starts: Vec<i32> = counts
                .iter()
                .scan(0, |end, count| {
                    *end += count;
                    Some(*end - count)
                })
                .collect();
            let mut all = vec![0u8; total as usize];
            let mut parts = PartitionMut::new(&mut all[..], &counts[..], &starts[..]);
            self.world.all_gather_varcount_into(sent, &mut parts);
            let mut rest = all.as_slice();
            for part in &mut each {
                let (own, others) = rest.split_at(part.len());
                part.copy_from_slice(own);
                rest = others;
            }
            return Ok(each);
        }
        each[self.rank()].copy_from_slice(sent);
        for (rank, part) in each.iter_mut().enumerate() {
            let root = self.world.process_at_rank(rank as i32);
            part.chunks_mut(LARGEST).for_each(|chunk| root.broadcast_into(chunk));
        }
        Ok(each)
    }
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mpi").field("rank", &self.rank()).field("size", &self.size()).finish()
    }
}
