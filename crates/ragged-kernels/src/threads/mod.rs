//! The threads of a call and how they share its work.

pub(crate) mod fork;
pub(crate) mod num_threads;
pub(crate) mod plan;
mod sequence_groups;
pub(crate) mod sequences;
mod step_scheduler;
mod sync;
pub(crate) mod team;
mod wait;
#[cfg(feature = "threads")]
mod workers;
#[cfg(not(feature = "threads"))]
#[path = "no_workers.rs"]
mod workers;

#[cfg(all(test, feature = "threads"))]
mod tests;
