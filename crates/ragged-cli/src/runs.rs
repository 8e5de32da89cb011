//! `ragged runs`.

use std::io::Write;
use std::path::{Path, PathBuf};

use ragged_train::{ExperimentConfig, RunDir};

use crate::failure::Failure;
use crate::text::{duration, headlines, table};

/// The depth of folders below the one that is listed: `runs/NAME/N` has two.
const DEPTH: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of the runs
    #[arg(default_value = "runs", value_hint = clap::ValueHint::DirPath)]
    folder: PathBuf,
}

/// Prints one line per run, and reads only.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut found = vec![];
    find(&args.folder, DEPTH, &mut found)?;
    let mut out = std::io::stdout();
    if found.is_empty() {
        writeln!(out, "no runs in {}", args.folder.display())?;
        return Ok(());
    }
    let head = ["run", "data", "model", "state", "result", "time"];
    let mut rows = vec![head.map(String::from).to_vec()];
    rows.extend(found.iter().map(describe));
    out.write_all(table(&rows).as_bytes())?;
    Ok(())
}

/// Finds the runs of a folder and of those in it, in the order of their names; numbers in numerical order.
fn find(folder: &Path, depth: usize, into: &mut Vec<RunDir>) -> Result<(), Failure> {
    if let Ok(run) = RunDir::open(folder) {
        into.push(run);
        return Ok(());
    }
    let failed = |error| Failure::unread(folder, error);
    let mut entries = vec![];
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') {
            entries.push((name.parse::<u64>().ok(), name, path));
        }
    }
    entries.sort();
    match depth {
        0 => Ok(()),
        depth => entries.iter().try_for_each(|(_, _, path)| find(path, depth - 1, into)),
    }
}

/// Returns the cells of a run. What cannot be read is said in its line, since the other runs are fine.
fn describe(run: &RunDir) -> Vec<String> {
    let name = run.path().display().to_string();
    let config = run.read_config().and_then(|text| ExperimentConfig::parse(&text, &[]));
    let config = match config {
        Ok(config) => config,
        Err(error) => return vec![name, format!("config.toml: {error}")],
    };
    let values = config.values().unwrap_or_default();
    let value = |key: &str| values.get(key).map_or("", |value| value.trim_matches('"'));
    let layers = value("model.num_layers");
    let layers = if layers == "1" { String::new() } else { format!(" x {layers}") };
    let model = format!("{} {}{layers}", value("model.cell"), value("model.hidden_size"));
    let epochs = config.train.epochs;
    let (state, result, time) = match run.read_summary() {
        Ok(Some(summary)) => {
            let state = match summary.epochs < epochs {
                true => format!("stopped early, {}/{epochs}", summary.epochs),
                false => "finished".into(),
            };
            (
                state,
                format!("test {}", headlines(&summary.test).join(", ")),
                duration(summary.seconds),
            )
        }
        Ok(None) => {
            let records = run.read_metrics().unwrap_or_default();
            let state = if run.is_training() { "running" } else { "interrupted" };
            let result = records.last().map_or(String::new(), |record| {
                let part = if record.valid.is_some() { "valid" } else { "train" };
                format!("{part} {}", headlines(record.monitored()).join(", "))
            });
            (format!("{state}, {}/{epochs}", records.len()), result, String::new())
        }
        Err(error) => (error.to_string(), String::new(), String::new()),
    };
    vec![name, config.data.dataset.clone(), model, state, result, time]
}
