//! `cargo xtask data`: what is in a data set, and what batches of it would cost.

mod batching;
mod histogram;
mod summary;

use std::path::{Path, PathBuf};

use ragged_datasets::formats::{self, Format, ReadOptions, Task};
use ragged_datasets::{
    Dataset, FixedLengthSums, FixedLengthSumsConfig, VariableLengthSums, VariableLengthSumsConfig,
};

use crate::failure::Failure;
use crate::program;
use histogram::Histogram;
use summary::Summary;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A file or folder, a set of the UEA/UCR archive, `variable-sums` or `fixed-sums`
    #[arg(value_name = "PATH|NAME")]
    source: String,
    /// The folder with NAME_TRAIN.ts and NAME_TEST.ts
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The file's format, where its ending does not tell: ts, csv, jsonl, npz or safetensors
    #[arg(long, value_parser = format)]
    format: Option<Format>,
    /// What is predicted, where the file leaves it open: classification, regression,
    /// sequence-labelling or step-regression
    #[arg(long, value_parser = task)]
    task: Option<Task>,
    /// Sequences in a batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Real steps in a batch of steps [default: as many as that many sequences have on average]
    #[arg(long)]
    max_tokens: Option<usize>,
    /// Where the order comes from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also draw the lengths into this SVG file; of several parts, the first
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn format(name: &str) -> Result<Format, String> {
    name.parse().map_err(|error: ragged_datasets::Error| error.to_string())
}

fn task(name: &str) -> Result<Task, String> {
    let quoted = serde_json::Value::String(name.into());
    serde_json::from_value(quoted).map_err(|error| error.to_string())
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if args.batch_size == 0 || args.max_tokens == Some(0) {
        return Err(Failure::Usage("a batch of 0: expected at least 1".into()));
    }
    for (k, (name, data)) in open(&args)?.into_iter().enumerate() {
        let summary = Summary::of(&*data)?;
        println!("{}{name}", if k == 0 { "" } else { "\n" });
        summary.print(data.target_kind());
        let histogram = Histogram::of(&summary.lengths);
        println!("\nlengths");
        histogram.print();
        println!("\nbatches of an epoch, shuffled with seed {}", args.seed);
        batching::print(data, &summary.lengths, args.batch_size, args.max_tokens, args.seed)?;
        if let (0, Some(path)) = (k, &args.svg) {
            let failed = |error: &dyn std::fmt::Display| {
                Failure::Failed(format!("{}: {error}", path.display()))
            };
            let svg = histogram.svg(&name).map_err(|error| failed(&error))?;
            ragged_models::write_whole(path, svg.as_bytes()).map_err(|error| failed(&error))?;
            eprintln!("lengths drawn into {}", path.display());
        }
    }
    Ok(())
}

/// A part of the source, by name.
type Part = (String, Box<dyn Dataset>);

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
        return Ok(vec![(args.source.clone(), data)]);
    }
    let path = Path::new(&args.source);
    if path.exists() || args.format.is_some() || Format::of(path).is_ok() {
        let data = formats::read(path, &options)?;
        return Ok(vec![(path.display().to_string(), Box::new(data))]);
    }
    let part = |part: &str| args.data.join(format!("{}_{part}.ts", args.source));
    let (train, test) = (part("TRAIN"), part("TEST"));
    if !train.exists() {
        let hint = format!("fetch it with `{} download {}`", program::name(), args.source);
        return Err(Failure::Failed(format!("{}: no such file: {hint}", train.display())));
    }
    let train_data = formats::read(&train, &options)?;
    let test_data = match test.exists() {
        true => Some(formats::read_as(&test, &options, train_data.target_kind())?),
        false => None,
    };
    let mut parts: Vec<Part> = vec![(train.display().to_string(), Box::new(train_data))];
    if let Some(data) = test_data {
        parts.push((test.display().to_string(), Box::new(data)));
    }
    Ok(parts)
}
