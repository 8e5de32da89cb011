//! `ragged convert`.

use std::io::Write;
use std::path::PathBuf;

use ragged_datasets::formats::{self, ColumnType, CsvColumns, Format, ReadOptions, Task};
use ragged_datasets::tokens::TextTokenizer;
use ragged_datasets::{Dataset, Error, InMemory};

use crate::console::say;
use crate::data::{format_names, task_names};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file or folder to read
    #[arg(value_name = "IN", value_hint = clap::ValueHint::AnyPath)]
    input: PathBuf,
    /// The file to write, whose ending says the format
    #[arg(value_name = "OUT", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
    /// Read the input in this format, whatever its ending
    #[arg(long, value_parser = format_names())]
    format: Option<Format>,
    /// Set what the targets are, where the file does not determine it
    #[arg(long, value_parser = task_names())]
    task: Option<Task>,
    /// Set how texts are divided into tokens: `words`, `white-space`, `characters`, `bytes`, or the path of a
    /// tokenizer.json [default: words]
    #[arg(long, value_name = "RULE|FILE")]
    tokenizer: Option<String>,
    /// Set the column of a table that names the series [default: series_id]
    #[arg(long, value_name = "COLUMN")]
    series: Option<String>,
    /// Set the target columns of a table [default: target and all that begin with target_]
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    targets: Option<Vec<String>>,
    /// Set the input columns of a table [default: all others]
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    features: Option<Vec<String>>,
    /// Set the types of columns of a table, such as `store=category,note=ignored` [default: by names and cells]
    #[arg(long, value_name = "COLUMN=TYPE,...", value_delimiter = ',', value_parser = column_type)]
    types: Vec<(String, ColumnType)>,
    /// Set the separator of the cells of a table that is read
    #[arg(long, value_name = "CHARACTER", default_value_t = ',')]
    delimiter: char,
}

fn column_type(pair: &str) -> Result<(String, ColumnType), String> {
    let (name, given) = pair.rsplit_once('=').ok_or("expected COLUMN=TYPE")?;
    let given = serde_json::Value::String(given.trim().into());
    let given = serde_json::from_value(given).map_err(|error| error.to_string())?;
    Ok((name.trim().into(), given))
}

/// Reads a data set and writes it in another format.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    // Before the input is read, which may take long.
    let format = Format::of(&args.output).map_err(|error| Failure::Usage(error.to_string()))?;
    if !args.input.exists() {
        return Err(Failure::Usage(format!("{}: no such file", args.input.display())));
    }
    let options = args.options()?;
    let data = formats::read(&args.input, &options)?;
    for note in data.notes() {
        say(format!("note: {note}"));
    }
    let needed = formats::write_verified(&args.output, &data).map_err(unwritten)?;
    for note in left_out(&data, format) {
        say(format!("note: {note}"));
    }
    let output = args.output.display();
    if let Some(task) = needed {
        let task = task_name(task);
        say(format!(
            "note: {output} is read with the task {task} only: data.read.task = \"{task}\""
        ));
    }
    writeln!(std::io::stdout(), "wrote {} sequences to {output}", data.len())?;
    Ok(())
}

/// A data set that the format cannot hold is wrong input; a file that cannot be written is not.
fn unwritten(error: Error) -> Failure {
    match error {
        Error::File { .. } => Failure::Failed(error.to_string()),
        error => error.into(),
    }
}

/// Returns what a data set has and the format cannot say.
fn left_out(data: &InMemory, format: Format) -> Vec<String> {
    let mut parts = vec![];
    if format == Format::Ts {
        parts.extend(data.ids().map(|_| "sequences"));
        parts.extend(data.feature_names().map(|_| "features"));
    }
    let format = format.name();
    parts
        .iter()
        .map(|part| format!("the names of the {part} are left out: {format} has none"))
        .collect()
}

fn task_name(task: Task) -> String {
    let name = serde_json::to_value(task).ok();
    name.and_then(|name| name.as_str().map(String::from)).unwrap_or_default()
}

impl Args {
    fn options(&self) -> Result<ReadOptions, Failure> {
        let tokenizer = match &self.tokenizer {
            None => TextTokenizer::default(),
            Some(name) => serde_json::from_value(serde_json::Value::String(name.clone()))
                .map_err(|error| Failure::Usage(format!("--tokenizer {name}: {error}")))?,
        };
        Ok(ReadOptions {
            format: self.format,
            task: self.task,
            tokenizer,
            csv: CsvColumns {
                series: self.series.clone(),
                targets: self.targets.clone(),
                features: self.features.clone(),
                types: self.types.iter().cloned().collect(),
                delimiter: self.delimiter,
                ..CsvColumns::default()
            },
            ..ReadOptions::default()
        })
    }
}
