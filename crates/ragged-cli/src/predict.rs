//! `ragged predict`.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use ragged_datasets::formats::Format;
use ragged_datasets::{Error as DataError, Location};
use ragged_train::predict::Predictions;
use ragged_train::{Error, Predictor};

use crate::console::say;
use crate::failure::Failure;
use crate::text::print_notes;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of the run, such as runs/japanese-vowels/1
    #[arg(value_hint = clap::ValueHint::DirPath)]
    run: PathBuf,
    /// A file or folder of sequences in any supported format, or - for JSON lines from standard input, each of which
    /// is answered by a line; targets are ignored
    input: PathBuf,
    /// Write a table (.csv) or one JSON object per line (.jsonl) [default: a table on stdout]
    #[arg(long, value_name = "FILE.csv|jsonl")]
    output: Option<PathBuf>,
    /// For forecasts: draw the history and the forecast of the first series
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    /// For lists of labels: the hypotheses of the beam search, 1 for the best alignment
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    beam: u16,
}

/// Predicts for every sequence of a file before it prints the first prediction: a bad row leaves no part of a table
/// behind.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if args.input == Path::new("-") {
        for (flag, given) in [("--output", &args.output), ("--svg", &args.svg)] {
            if given.is_some() {
                let text = "expected none with -, whose predictions are written to stdout";
                return Err(Failure::Usage(format!("{flag}: {text}")));
            }
        }
        return answer_lines(&Predictor::open(&args.run)?.with_beam(args.beam.into()));
    }
    args.output.as_deref().map_or(Ok(()), Predictions::check_path)?;
    let predictor = Predictor::open(&args.run)?.with_beam(args.beam.into());
    if args.svg.is_some() && predictor.forecast().is_none() {
        let text = "--svg: expected a run with a section data.forecast, whose forecasts are drawn";
        return Err(Failure::Usage(text.into()));
    }
    let predictions = predictor.predict(&args.input)?;
    print_notes(&predictions.notes);
    let mut out = std::io::stdout();
    if let Some(path) = &args.svg {
        let title = format!("forecasts from {}", args.input.display());
        predictions.write_forecast_svg(&title, path)?;
        say(format!("drew forecasts to {}", path.display()));
    }
    match &args.output {
        None => write!(out, "{}", predictions.to_csv()?)?,
        Some(path) => {
            predictions.write(path)?;
            let count = predictions.rows.len();
            writeln!(out, "predicted {count} sequences, in {}", path.display())?;
        }
    }
    Ok(())
}

/// Answers each line of JSON on standard input with a line of JSON before it reads the next: another program can wait
/// for it. The first line that cannot be answered ends the command.
fn answer_lines(predictor: &Predictor) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let (mut series, mut notes) = (0, vec![]);
    for (number, line) in std::io::stdin().lock().split(b'\n').enumerate() {
        let place = format!("standard input: line {}", number + 1);
        let line = line.map_err(|error| Failure::Failed(format!("{place}: {error}")))?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let predictions = predictor.predict_bytes(&line, Format::JsonLines);
        let mut predictions = predictions.map_err(|error| {
            let text = place + &in_line(&error);
            if error.is_input() { Failure::Usage(text) } else { Failure::Failed(text) }
        })?;
        predictions.first = series + 1;
        series += predictions.rows.len();
        if notes != predictions.notes {
            notes.clone_from(&predictions.notes);
            print_notes(&notes);
        }
        write!(out, "{}", predictions.to_json_lines())?;
        out.flush()?;
    }
    Ok(())
}

/// The position in a line and the reason, without the line, which is the first one of its bytes.
fn in_line(error: &Error) -> String {
    match error {
        Error::Data(DataError::Parse {
            location: Location::Line { column, .. }, reason, ..
        }) => {
            format!(", column {column}: {reason}")
        }
        Error::NonFinitePrediction { .. } => ": the prediction is not finite".into(),
        error => format!(": {}", error.to_string().lines().next().unwrap_or_default()),
    }
}
