//! Passes that take each sequence alone.

use std::sync::{Mutex, PoisonError};

use crate::threads::num_threads::num_threads;
use crate::threads::team::Team;

/// Operations per thread: about 20 microseconds of a core.
const OPERATIONS_PER_THREAD: usize = 100_000;

/// Calls `run` with each job and a workspace, on several threads if the jobs take long enough. A workspace is used by
/// one call at a time, and by many calls one after another.
///
/// The jobs are those of the sequences, the longest first. `operations` is their number of vectorised operations on
/// elements.
pub(crate) fn for_each<J: Send, W: Default + Send>(
    jobs: Vec<J>,
    operations: usize,
    run: impl Fn(J, &mut W) + Sync,
) {
    let num_threads = num_threads().min(operations / OPERATIONS_PER_THREAD).min(jobs.len());
    let team = Team::new(num_threads);
    // Each lock is taken once.
    let jobs: Vec<Mutex<Option<J>>> = jobs.into_iter().map(|job| Mutex::new(Some(job))).collect();
    let workspaces: Mutex<Vec<W>> = Mutex::default();
    let locked = || workspaces.lock().unwrap_or_else(PoisonError::into_inner);
    team.parallel_for(jobs.len(), num_threads, &|range| {
        let mut workspace = locked().pop().unwrap_or_default();
        for job in &jobs[range] {
            let job = job.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(job) = job {
                run(job, &mut workspace);
            }
        }
        locked().push(workspace);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_run_once() {
        for operations in [0, usize::MAX] {
            let mut results = vec![0; 37];
            for_each(
                results.iter_mut().collect(),
                operations,
                |result: &mut i32, calls: &mut i32| {
                    *result += 1;
                    *calls += 1;
                },
            );
            assert_eq!(results, [1; 37]);
        }
    }
}
