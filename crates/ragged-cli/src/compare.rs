//! `ragged compare`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use ragged_train::run::curves;
use ragged_train::{ExperimentConfig, RunDir};

use crate::console::say;
use crate::failure::Failure;
use crate::text::{duration, metric, table};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folders of the runs, such as runs/variable-sums/1
    #[arg(required = true, num_args = 2.., value_hint = clap::ValueHint::DirPath)]
    runs: Vec<PathBuf>,
    /// Draw the losses of all runs over the epochs to an SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Prints what differs in the configurations of runs, and their results. Writes nothing but the picture.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let runs = args.runs.iter().map(|path| RunDir::open(path)).collect::<Result<Vec<_>, _>>()?;
    let mut values = vec![];
    for run in &runs {
        let config = ExperimentConfig::parse(&run.read_config()?, &[]);
        values.push(config.map_err(|error| in_run(run, &error))?.values()?);
    }
    let mut rows = vec![row("", runs.iter().map(|run| run.path().display().to_string()))];
    let keys: BTreeSet<&String> = values.iter().flat_map(|values| values.keys()).collect();
    for key in keys {
        let value = |k: usize| values[k].get(key).map_or("", String::as_str);
        if (1..runs.len()).any(|k| value(k) != value(0)) {
            rows.push(row(key, (0..runs.len()).map(|k| value(k).to_string())));
        }
    }
    let mut results = vec![];
    for run in &runs {
        results.push((run.read_summary()?, run.read_metrics()?));
    }
    let result = |name: &str, of: &dyn Fn(usize) -> Option<String>| {
        row(name, (0..runs.len()).map(|k| of(k).unwrap_or_else(|| "-".into())))
    };
    let summary = |k: usize| results[k].0.as_ref();
    rows.push(result("epochs", &|k| Some(results[k].1.len().to_string())));
    rows.push(result("best epoch", &|k| Some(summary(k)?.epoch.to_string())));
    rows.push(result("parameters", &|k| Some(summary(k)?.parameters.to_string())));
    rows.push(result("test loss", &|k| Some(metric(summary(k)?.test.loss))));
    let headlines = (0..runs.len()).find_map(|k| Some(summary(k)?.test.headlines()));
    for (headline, _) in headlines.unwrap_or_default().into_iter().filter(|(h, _)| *h != "loss") {
        let value = |k: usize| {
            let mut headlines = summary(k)?.test.headlines().into_iter();
            headlines.find(|(name, _)| *name == headline).map(|(_, value)| metric(value))
        };
        rows.push(result(&format!("test {headline}"), &value));
    }
    rows.push(result("time", &|k| Some(duration(summary(k)?.seconds))));
    std::io::stdout().write_all(table(&rows).as_bytes())?;
    if let Some(path) = &args.svg {
        let named = runs.iter().zip(results);
        let named = named.map(|(run, (_, records))| (run.path().display().to_string(), records));
        let failed =
            |error: &dyn std::fmt::Display| Failure::Failed(format!("{}: {error}", path.display()));
        let svg = curves(&named.collect::<Vec<_>>()).map_err(|error| failed(&error))?;
        crate::whole_file::write_whole(path, &svg).map_err(|error| failed(&error))?;
        say(format!("drew the losses to {}", path.display()));
    }
    Ok(())
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> Vec<String> {
    std::iter::once(name.to_string()).chain(cells).collect()
}

fn in_run(run: &RunDir, error: &ragged_train::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", run.config().display()))
}
