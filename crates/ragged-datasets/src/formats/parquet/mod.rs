//! Parquet: tables with types, in long form or with lists.
//!
//! In long form, each row is a step, as in CSV:
//!
//! ```text
//! series_id: string   time: int64   speed: float   target: string
//! ```
//!
//! In list form, each row is a sequence. Columns of lists have one element per step, and other columns one value per
//! sequence: its name, its target, or static values.
//!
//! ```text
//! series_id: string   speed: list<float>   height: list<float>   target: string
//! ```
//!
//! A table is in list form if any column that is read has lists. Columns have the roles and types of
//! [tables](crate::formats::CsvColumns); what a file says of a type is not inferred from cells.

mod chunks;
mod data;
mod decode;
mod file;
mod kind;
mod library_error;
mod list_form;
mod read;
mod rows;
mod write;

pub(super) use file::ParquetFile;
pub(super) use read::{read, read_rows, survey};
pub(super) use write::write;
