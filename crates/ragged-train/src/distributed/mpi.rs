//! Processes that `mpirun` starts.

use std::{fmt, thread};

use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::request::{Request, Scope, scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives, Destination, Root, Source};

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

    /// Returns the number of ranks on this machine. All ranks must call it together.
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
            scope(|scope| {
                let receiving = other.immediate_receive_into(scope, filled);
                wait(other.immediate_send(scope, now));
                wait(receiving);
            });
            (sent, received) = (later, rest);
        }
        Ok(())
    }

    fn all_gather(&self, sent: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut lengths = vec![0u64; self.size()];
        let length = [sent.len() as u64];
        scope(|scope| {
            let lengths = &mut lengths[..];
            wait(self.world.immediate_all_gather_into(scope, &length[..], lengths));
        });
        let total: u64 = lengths.iter().sum();
        let mut each: Vec<Vec<u8>> = lengths.iter().map(|&n| vec![0; n as usize]).collect();
        if total > LARGEST as u64 {
            each[self.rank()].copy_from_slice(sent);
            for (rank, part) in each.iter_mut().enumerate() {
                let root = self.world.process_at_rank(rank as i32);
                part.chunks_mut(LARGEST).for_each(|chunk| root.broadcast_into(chunk));
            }
            return Ok(each);
        }
        let counts: Vec<i32> = lengths.iter().map(|&n| n as i32).collect();
        let next = |end: &mut i32, count: &i32| {
            *end += count;
            Some(*end - count)
        };
        let starts: Vec<i32> = counts.iter().scan(0, next).collect();
        let mut all = vec![0u8; total as usize];
        let mut parts = PartitionMut::new(&mut all[..], &counts[..], &starts[..]);
        scope(|scope| {
            let parts = &mut parts;
            wait(self.world.immediate_all_gather_varcount_into(scope, sent, parts));
        });
        let mut rest = all.as_slice();
        for part in &mut each {
            let (own, others) = rest.split_at(part.len());
            part.copy_from_slice(own);
            rest = others;
        }
        Ok(each)
    }
}

/// Waits for a message, and lets other processes run after a while: there may be more ranks than cores.
fn wait<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>) {
    /// The tests before other processes may run, some tens of microseconds.
    const TESTS: usize = 300;
    let mut tests = 0;
    while let Err(unfinished) = request.test() {
        request = unfinished;
        tests += 1;
        if tests > TESTS {
            thread::yield_now();
        }
    }
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mpi").field("rank", &self.rank()).field("size", &self.size()).finish()
    }
}
