//! `ragged data`.

mod batching;
mod histogram;
mod summary;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use ragged_datasets::formats::{self, Column, Format, ReadOptions, Schema, Task};
use ragged_datasets::{
    Dataset, FixedLengthSums, FixedLengthSumsConfig, InMemory, VariableLengthSums,
    VariableLengthSumsConfig,
};

use crate::console::say;
use crate::data::batching::BatchOptions;
use crate::data::histogram::Histogram;
use crate::data::summary::Summary;
use crate::failure::Failure;
use crate::whole_file::write_whole;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A file or folder, a name of the UEA/UCR archive, `variable-sums` or `fixed-sums`
    #[arg(value_name = "PATH|NAME", value_hint = clap::ValueHint::AnyPath)]
    source: String,
    /// Set the folder that contains NAME_TRAIN.ts and NAME_TEST.ts
    #[arg(long, value_name = "DIR", default_value = "data", value_hint = clap::ValueHint::DirPath)]
    data: PathBuf,
    /// Read the file in this format, whatever its ending
    #[arg(long, value_parser = format_names())]
    format: Option<Format>,
    /// Set what is predicted, where the file does not determine it
    #[arg(long, value_parser = task_names())]
    task: Option<Task>,
    /// Set the number of sequences per batch
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch_size: usize,
    /// Set the number of steps per batch, where batches are filled by steps [default: the mean of
    /// batches of --batch-size]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Set the seed of the order of the sequences
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Draw the histogram of the lengths to an SVG file; for several parts, of the first
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(crate) fn format_names() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse())
}

pub(crate) fn task_names() -> impl TypedValueParser<Value = Task> {
    let names =
        ["classification", "regression", "sequence-labelling", "step-regression", "transcription"];
    PossibleValuesParser::new(names)
        .try_map(|name| serde_json::from_value::<Task>(serde_json::Value::String(name)))
}

/// Prints the contents of each part of a data set, its lengths, and the cost of batches.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    for (flag, size) in [("--batch-size", Some(args.batch_size)), ("--max-tokens", args.max_tokens)]
    {
        if size == Some(0) {
            return Err(Failure::Usage(format!("{flag} 0: expected at least 1")));
        }
    }
    let options =
        BatchOptions { batch_size: args.batch_size, max_tokens: args.max_tokens, seed: args.seed };
    let mut out = std::io::stdout();
    for (k, Part { name, data, columns, target }) in open(&args)?.into_iter().enumerate() {
        let summary = Summary::of(&*data)?;
        for note in data.notes() {
            say(format!("note: {name}: {note}"));
        }
        writeln!(out, "{}{name}", if k == 0 { "" } else { "\n" })?;
        if !columns.is_empty() {
            summary.print_columns(&columns, &mut out)?;
        }
        summary.print(&*data, &mut out)?;
        if let Some(target) = target {
            writeln!(out, "{target}")?;
        }
        let histogram = Histogram::of(&summary.lengths);
        writeln!(out, "\nlengths")?;
        histogram.print(&mut out)?;
        writeln!(out, "\nbatches of an epoch, shuffled with seed {}", args.seed)?;
        batching::print(data, &summary.lengths, options, &mut out)?;
        if let (0, Some(path)) = (k, &args.svg) {
            let failed = |error: &dyn std::fmt::Display| {
                Failure::Failed(format!("{}: {error}", path.display()))
            };
            let svg = histogram.svg(&name).map_err(|error| failed(&error))?;
            write_whole(path, &svg).map_err(|error| failed(&error))?;
            say(format!("drew the lengths to {}", path.display()));
        }
    }
    Ok(())
}

/// A part of a data set.
struct Part {
    name: String,
    data: Box<dyn Dataset>,
    /// What the columns of the file are read as. Empty for generated data.
    columns: Vec<Column>,
    /// The decision what is predicted, as a sentence. Absent for generated data.
    target: Option<String>,
}

impl Part {
    fn of_file(path: &Path, data: InMemory) -> Self {
        let target = Some(data.target_summary());
        let columns = data.columns().to_vec();
        Self { name: path.display().to_string(), data: Box::new(data), columns, target }
    }
}

fn open(args: &Args) -> Result<Vec<Part>, Failure> {
    let options = ReadOptions { format: args.format, task: args.task, ..ReadOptions::default() };
    let generated: Option<Box<dyn Dataset>> = match args.source.as_str() {
        "variable-sums" => {
            Some(Box::new(VariableLengthSums::new(VariableLengthSumsConfig::default())?))
        }
        "fixed-sums" => Some(Box::new(FixedLengthSums::new(FixedLengthSumsConfig::default())?)),
        _ => None,
    };
    if let Some(data) = generated {
        return Ok(vec![Part { name: args.source.clone(), data, columns: vec![], target: None }]);
    }
    let path = Path::new(&args.source);
    if path.exists() || args.format.is_some() || Format::of(path).is_ok() {
        let data = formats::read(path, &options)?;
        return Ok(vec![Part::of_file(path, data)]);
    }
    let part = |part: &str| args.data.join(format!("{}_{part}.ts", args.source));
    let (train, test) = (part("TRAIN"), part("TEST"));
    if !train.exists() {
        return Err(Failure::missing_dataset(&train, &args.source));
    }
    let train_data = formats::read(&train, &options)?;
    let test_data = match test.exists() {
        true => Some(formats::read_as(&test, &options, Schema::of(&train_data))?),
        false => None,
    };
    let mut parts = vec![Part::of_file(&train, train_data)];
    parts.extend(test_data.map(|data| Part::of_file(&test, data)));
    Ok(parts)
}
