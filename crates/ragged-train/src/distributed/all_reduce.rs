//! Sums of vectors over all ranks.

use std::ops::AddAssign;

use bytemuck::Pod;

use crate::distributed::communicator::Communicator;
use crate::error::Result;

/// Adds the vectors of all ranks, which have one length, along a binary tree: neighbours first. Every rank receives the
/// sum. The number of ranks is a power of two.
///
/// The vector is halved while distances double, and put together on the way back (Rabenseifner 2004, with the order of
/// the distances reversed, so that the sums are those of the tree): each rank sends about twice the vector, however many
/// ranks there are.
///
/// ```
/// use ragged_train::distributed::{SingleProcess, all_reduce};
///
/// let mut sum = [1.0, 2.0];
/// all_reduce(&SingleProcess, &mut sum)?;
/// assert_eq!(sum, [1.0, 2.0]);
/// # Ok::<(), ragged_train::Error>(())
/// ```
///
/// # Errors
///
/// Errors of the communicator.
pub fn all_reduce<T: Pod + AddAssign>(ranks: &dyn Communicator, vector: &mut [T]) -> Result<()> {
    let (rank, size) = (ranks.rank(), ranks.size());
    let (mut part, mut halves) = (0..vector.len(), vec![]);
    let mut received = vec![T::zeroed(); vector.len().div_ceil(2)];
    let mut distance = 1;
    while distance < size {
        let middle = part.start + part.len() / 2;
        let (lower, upper) = (part.start..middle, middle..part.end);
        let is_upper = rank & distance != 0;
        let (kept, given) = if is_upper { (upper, lower) } else { (lower, upper) };
        let received = &mut received[..kept.len()];
        let sent = bytemuck::cast_slice(&vector[given.clone()]);
        ranks.exchange(rank ^ distance, sent, bytemuck::cast_slice_mut(received))?;
        vector[kept.clone()].iter_mut().zip(received).for_each(|(sum, other)| *sum += *other);
        halves.push((distance, kept.clone(), given));
        part = kept;
        distance *= 2;
    }
    for (distance, kept, given) in halves.into_iter().rev() {
        let received = &mut received[..given.len()];
        let sent = bytemuck::cast_slice(&vector[kept]);
        ranks.exchange(rank ^ distance, sent, bytemuck::cast_slice_mut(received))?;
        vector[given].copy_from_slice(received);
    }
    Ok(())
}
