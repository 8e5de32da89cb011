//! Files of sequences: one way to read and to write them all.
//!
//! | ending | what |
//! |---|---|
//! | `.ts` | the UEA/UCR archive's |
//! | `.csv` | a table in long form: a row a step, `series_id, time, features..., target` |
//! | `.jsonl` | a line a sequence, `{"sequence": [[1.0, 2.0], [3.0, 4.0]], "target": "a"}` |
//! | `.npz`, `.safetensors` | arrays: `values` of all sequences one after another, `lengths` or `offsets`, `targets` |
//! | a folder | its files, in the order of their names; a folder in it is a class |
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
//! **Targets.** A label is a class, a number a value; one for each step makes sequence labelling or
//! regression a step. Where a file leaves that open (a column of digits may be labels),
//! [`ReadOptions::task`] decides. Labels become classes in the order of their numbers, or of the
//! alphabet; a `.ts` file declares its own order. [`read_as`] maps them to a vocabulary that is there
//! already.
//!
//! **Missing values** are NaN: `?` and `NaN` in text (in a table also an empty cell and `NA`),
//! `null` in JSON. Infinities are errors.
//!
//! Text is read line by line. All errors name the file, and the line and column or the sequence.

mod collect;
mod csv;
mod flat;
mod folder;
mod json_lines;
mod line;
mod newlines;
mod npy;
mod npz;
mod number;
mod safetensors;
mod ts;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Cursor, Seek, Write};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Place;
use crate::{Error, InMemory, Result, TargetKind};
use collect::Collector;
pub use csv::CsvColumns;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `.ts` of the UEA/UCR archive.
    Ts,
    /// A table in long form.
    Csv,
    /// A JSON object a line.
    #[serde(rename = "jsonl")]
    JsonLines,
    /// NumPy arrays.
    Npz,
    /// Safetensors.
    Safetensors,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ts, Self::Csv, Self::JsonLines, Self::Npz, Self::Safetensors];

    /// The ending of its files, by which it is also named.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ts => "ts",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
        }
    }

    /// The format of a file by its ending.
    ///
    /// # Errors
    ///
    /// [`Error::Parse`] for another ending.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        ending.parse().map_err(|_| {
            let reason = format!("expected an ending out of {}, or a format by name", names());
            Place::Whole.error(reason).in_file(path)
        })
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let format = Self::ALL.into_iter().find(|format| format.name() == name);
        format.ok_or_else(|| Error::Config { name: "format", got: name.into(), expected: names() })
    }
}

fn names() -> String {
    Format::ALL.map(Format::name).join(", ")
}

/// What is predicted from a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A class.
    Classification,
    /// One or more numbers.
    Regression,
    /// A class for each step.
    SequenceLabelling,
    /// One or more numbers for each step.
    StepRegression,
}

impl Task {
    /// The task of a kind of target; `None` where there is none.
    pub fn of(kind: &TargetKind) -> Option<Self> {
        match kind {
            TargetKind::Classes(_) => Some(Self::Classification),
            TargetKind::Values(0) => None,
            TargetKind::Values(_) => Some(Self::Regression),
            TargetKind::StepClasses(_) => Some(Self::SequenceLabelling),
            TargetKind::StepValues(_) => Some(Self::StepRegression),
        }
    }
}

/// How a file is read; the default suits files that say all themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadOptions {
    /// The format, where the ending does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What is predicted, where the file leaves it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// The columns of a table.
    pub csv: CsvColumns,
}

/// Reads a file or folder.
///
/// # Errors
///
/// [`Error::File`] where it cannot be read, [`Error::Parse`] with path and place where it is not in
/// its format.
pub fn read(path: &Path, options: &ReadOptions) -> Result<InMemory> {
    read_path(path, options, None)
}

/// Reads a file or folder whose targets are of a kind that is known beforehand: test data with the
/// vocabulary of the training data, or, with [`TargetKind::NONE`], data to predict from, whether it
/// has targets or not.
///
/// # Errors
///
/// As [`read`]; a label that is not in the vocabulary is one at its line.
pub fn read_as(path: &Path, options: &ReadOptions, kind: &TargetKind) -> Result<InMemory> {
    read_path(path, options, Some(kind))
}

fn read_path(path: &Path, options: &ReadOptions, known: Option<&TargetKind>) -> Result<InMemory> {
    let mut collector = Collector::new(options.task, known);
    if path.is_dir() {
        folder::read(path, options, &mut collector)?;
    } else {
        read_file(path, options, &mut collector)?;
    }
    collector.finish().map_err(|error| error.in_file(path))
}

fn read_file(path: &Path, options: &ReadOptions, into: &mut Collector) -> Result<()> {
    let format = options.format.map_or_else(|| Format::of(path), Ok)?;
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    into.begin(path);
    read_input(BufReader::new(file), format, options, into).map_err(|error| error.in_file(path))
}

/// Reads from memory.
///
/// # Errors
///
/// As [`read`], without a path.
pub fn parse(
    bytes: &[u8],
    format: Format,
    options: &ReadOptions,
    kind: Option<&TargetKind>,
) -> Result<InMemory> {
    let mut collector = Collector::new(options.task, kind);
    read_input(Cursor::new(bytes), format, options, &mut collector)?;
    collector.finish()
}

fn read_input(
    mut input: impl BufRead + Seek,
    format: Format,
    options: &ReadOptions,
    into: &mut Collector,
) -> Result<()> {
    match format {
        Format::Ts => ts::read(input, into),
        Format::Csv => csv::read(input, &options.csv, into),
        Format::JsonLines => json_lines::read(input, into),
        Format::Npz => npz::read(input, into),
        Format::Safetensors => {
            let mut bytes = vec![];
            input.read_to_end(&mut bytes).map_err(io)?;
            safetensors::read(&bytes, into)
        }
    }
}

/// Writes a data set in the format of the path's ending: whole, or not at all.
///
/// # Errors
///
/// [`Error::File`] where it cannot be written, [`Error::Parse`] for what the format cannot hold.
pub fn write(path: &Path, dataset: &InMemory) -> Result<()> {
    let format = Format::of(path)?;
    let file = |error| Error::file(path, error);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; results are for everybody to read.
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    let mut out = BufWriter::new(builder.tempfile_in(folder).map_err(file)?);
    write_output(dataset, format, &mut out).map_err(|error| error.in_file(path))?;
    let out = out.into_inner().map_err(|error| file(error.into_error()))?;
    out.as_file().sync_all().map_err(file)?;
    out.persist(path).map_err(|error| file(error.error))?;
    Ok(())
}

/// The bytes of a file in `format`.
///
/// # Errors
///
/// [`Error::Parse`] for what the format cannot hold.
pub fn to_bytes(dataset: &InMemory, format: Format) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(vec![]);
    write_output(dataset, format, &mut bytes)?;
    Ok(bytes.into_inner())
}

fn write_output(dataset: &InMemory, format: Format, out: &mut (impl Write + Seek)) -> Result<()> {
    match format {
        Format::Ts => ts::write(dataset, out),
        Format::Csv => csv::write(dataset, out),
        Format::JsonLines => json_lines::write(dataset, out),
        Format::Npz => npz::write(dataset, out),
        Format::Safetensors => safetensors::write(dataset, out),
    }
}

/// An error for what a format has no way to say.
fn unfit(format: &str, what: String) -> Error {
    Place::Whole.error(format!("the {format} format cannot hold {what}"))
}

/// The system's error on an input or output whose path is named later.
fn io(error: std::io::Error) -> Error {
    Place::Whole.error(error.to_string())
}
