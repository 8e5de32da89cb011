//! File formats of sequences, with one interface to read and write all of them.
//!
//! | ending | content |
//! |---|---|
//! | `.ts` | the format of the UEA/UCR archive |
//! | `.csv` | a table in long form: one row per step, `series_id, time, features..., target` |
//! | `.jsonl` | one line per sequence, `{"sequence": [[1.0, 2.0], [3.0, 4.0]], "target": "a"}`; text as `{"text": "..."}` or `{"tokens": ["...", "..."]}` |
//! | `.npz`, `.safetensors` | arrays: `values` of all sequences one after the other, `lengths` or `offsets`, `targets`, names |
//! | `.parquet` | a table with types, in long form or with one row per sequence and lists of steps; with the feature `parquet` |
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
//! // The same steps in another format. A test file is read with the schema of the training data: the
//! // classes, and the names of the features if there are any.
//! let table = folder.path().join("letters.csv");
//! formats::write(&table, &data)?;
//! let schema = formats::Schema::of(&data);
//! let again = formats::read_as(&table, &formats::ReadOptions::default(), &schema)?;
//! assert_eq!(again.examples(), data.examples());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Targets.** A name is a class, and a number is a value; [`Task`] states the rule. With one target
//! for each step, the task is sequence labelling or step regression. If the numbers of a file are
//! labels, [`ReadOptions::task`] says so. [`InMemory::target_summary`](crate::InMemory::target_summary)
//! returns the decision as a sentence. Labels become classes in numerical order if all are numbers, and
//! otherwise in alphabetical order; a `.ts` file declares its own order. [`read_as`] maps labels to an
//! existing vocabulary.
//!
//! **Several targets** of different kinds, such as a class and a number, have the names of their columns or, in JSON
//! lines, of the keys of an object; they are [`TargetKind::Parts`](crate::TargetKind::Parts).
//!
//! **Features** have the names of the columns of a table or the keys of JSON objects, or those in the
//! array `features`. Later files of a folder, and files read with [`read_as`], are read by these names.
//!
//! **Tokens.** In JSON lines, a sequence may be a text, which is divided by [`ReadOptions::tokenizer`], or a list of
//! tokens, whose numbers count by their digits. With `sequence` next to it, each step has numbers and a token.
//! [`tokens`](crate::tokens) makes vocabularies of them.
//!
//! **Missing values** are NaN: `?` and `NaN` in text (in a table also an empty cell and `NA`),
//! `null` in JSON. Infinities are errors.
//!
//! Text is read line by line. All errors name the file, and the line and column or the sequence.

mod arrays;
mod collect;
mod column;
mod column_evidence;
mod content;
mod csv;
mod decimal;
mod encoding;
mod errors;
mod feature_names;
mod field;
mod folder;
mod format;
mod ids;
mod json_lines;
mod label_set;
mod labels;
mod line;
mod newlines;
#[cfg(not(feature = "parquet"))]
mod no_parquet;
mod notes;
mod npy;
mod npz;
mod number;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod parts;
mod precision;
mod raw_sequence;
mod read;
mod resolve;
mod safetensors;
mod schema;
mod series_changes;
mod static_columns;
mod stream;
#[cfg_attr(
    not(feature = "parquet"),
    expect(dead_code, reason = "only Parquet files have cells with types, and lists")
)]
mod table;
mod target_evidence;
mod target_names;
pub(crate) mod target_summary;
mod task;
mod time;
mod token_columns;
mod ts;
mod verified;
mod write;

pub use column::{Column, Role};
pub use format::Format;
pub use options::ReadOptions;
pub use read::{parse, read, read_as};
pub use schema::Schema;
pub use stream::{StreamOptions, Streamed};
pub use table::{ColumnType, CsvColumns, TimeFeature};
pub use task::Task;
pub use verified::write_verified;
pub use write::{to_bytes, write};
