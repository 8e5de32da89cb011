//! Tables in long form: one row per step, with the name of its series.
//!
//! ```text
//! series_id,time,speed,height,target
//! a,0,1.5,0.2,walk
//! b,0,3.5,,run
//! a,1,1.25,0.3,walk
//! ```
//!
//! Series are in the order of their first rows; the rows of a series need not be adjacent. The steps of
//! a series are in the order of `time`, or of the rows if there is no such column. A target per
//! sequence has the same value in all rows of its series, or is empty in some of them. If the target
//! changes within any series, the targets are per step.
//!
//! Columns are read by their names, and have types ([`ColumnType`](crate::formats::ColumnType)). Quotes follow RFC 4180.

mod quotes;
mod read;
mod rows;
mod write;

pub(super) use read::{Survey, read, read_after, survey};
pub(super) use write::write;
