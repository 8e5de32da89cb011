//! File formats of sequences, with one interface to read and write all of them.
//!
//! | ending | content |
//! |---|---|
//! | `.ts` | the format of the UEA/UCR archive |
//! | `.csv` | a table in long form: one row per step, `series_id, time, features..., target` |
//! | `.jsonl` | one line per sequence, `{"sequence": [[1.0, 2.0], [3.0, 4.0]], "target": "a"}` |
//! | `.npz`, `.safetensors` | arrays: `values` of all sequences one after the other, `lengths` or `offsets`, `targets` |
//! | a folder | its files, in the order of their names; each folder in it is a class |
//!
//! ```
//! use ragged_datasets::{Dataset, TargetKind, formats};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("letters.jsonl");
//! std::fs::write(&path, "{\"sequence\": [1, 2, 3], \"target\": \"b\"}\n{\"sequence\": [4], \"target\": \"a\"}\n")?;
//!
//! let data = formats::read(&path, &formats::ReadOptions::default())?;
//! assert_eq!(data.target_kind(), &TargetKind::Classes(vec!["a".into(), "b".into()]));
//! // The same steps in another format. A test file is read with the vocabulary of the training file.
//! let table = folder.path().join("letters.csv");
//! formats::write(&table, &data)?;
//! let again = formats::read_as(&table, &formats::ReadOptions::default(), data.target_kind())?;
//! assert_eq!(again.examples(), data.examples());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Targets.** A label is a class, and a number is a value. With one target for each step, the task is
//! sequence labelling or step regression. If a file is ambiguous (a column of digits may be labels),
//! [`ReadOptions::task`] decides. Labels become classes in numerical order if all are numbers, and
//! otherwise in alphabetical order; a `.ts` file declares its own order. [`read_as`] maps labels to an
//! existing vocabulary.
//!
//! **Missing values** are NaN: `?` and `NaN` in text (in a table also an empty cell and `NA`),
//! `null` in JSON. Infinities are errors.
//!
//! Text is read line by line. All errors name the file, and the line and column or the sequence.

mod arrays;
mod collect;
mod csv;
mod errors;
mod folder;
mod format;
mod json_lines;
mod line;
mod newlines;
mod npy;
mod npz;
mod number;
mod options;
mod read;
mod safetensors;
mod task;
mod ts;
mod write;

pub use csv::CsvColumns;
pub use format::Format;
pub use options::ReadOptions;
pub use read::{parse, read, read_as};
pub use task::Task;
pub use write::{to_bytes, write};
