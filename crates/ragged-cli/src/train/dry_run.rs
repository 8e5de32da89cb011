//! `ragged train --dry-run`: the configuration, the columns of the data, the parameters and the expected training time.

use std::io::Write;

use ragged_train::Experiment;
use ragged_train::objective::Head;

use crate::failure::Failure;
use crate::text::{duration, table};

/// The heads in aligned columns: name, kind, loss, weight, and the range of the outputs.
fn heads(heads: &[Head]) -> Vec<String> {
    let of = |head: &Head| {
        let kind = match &head.labels {
            Some(labels) => format!("{} classes", labels.len()),
            None => "value".into(),
        };
        let loss = head.objective.criterion().name();
        let outputs = match head.outputs.len() {
            1 => format!("output {}", head.outputs.start + 1),
            _ => format!("outputs {} to {}", head.outputs.start + 1, head.outputs.end),
        };
        let (name, weight) = (&head.name, head.weight);
        vec![format!("head {name}"), kind, loss.into(), format!("weight {weight}"), outputs]
    };
    let rows: Vec<Vec<String>> = heads.iter().map(of).collect();
    table(&rows).lines().map(String::from).collect()
}

/// Prints the resolved configuration, which TOML can read back, and the rest as comments of it.
/// Writes no file.
pub(crate) fn report(experiment: &Experiment) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", experiment.config().to_toml()?)?;
    writeln!(out, "# {}", experiment.describe())?;
    let monitor = experiment.config().train.monitor.name();
    let minimised = experiment.objective().describe();
    writeln!(out, "# minimises the {minimised}; the best epoch has the best {monitor}")?;
    for row in heads(experiment.objective().heads()) {
        writeln!(out, "# {row}")?;
    }
    let width = experiment.columns().iter().map(|column| column.name.chars().count()).max();
    for column in experiment.columns() {
        writeln!(out, "# column {:<1$} {column}", column.name, width.unwrap_or(0))?;
    }
    for (name, parameter) in experiment.parameters().named() {
        let shape = format!("{:?}", parameter.dims());
        writeln!(out, "# {name:<28} {shape:<14} {:>10}", parameter.elem_count())?;
    }
    writeln!(out, "# {:<28} {:<14} {:>10}", "all parameters", "", experiment.parameters().count())?;
    writeln!(out, "# memory of the tensors {}", experiment.estimate_memory()?)?;
    let estimate = experiment.estimate_time()?;
    writeln!(
        out,
        "# {} updates, about {}: {:.2} ms per update, measured over {}, without evaluations",
        estimate.updates,
        duration(estimate.seconds_per_update * estimate.updates as f64),
        estimate.seconds_per_update * 1e3,
        estimate.tried,
    )?;
    Ok(())
}
