//! `cargo xtask train --dry-run`: what would be trained, and how long it would take.

use ragged_train::Experiment;

use crate::failure::Failure;
use crate::train::progress::clock;

/// Prints the resolved configuration, the parameters and the predicted time; writes nothing.
pub(crate) fn report(experiment: &Experiment) -> Result<(), Failure> {
    println!("{}", experiment.config().to_toml()?);
    println!("# {}", experiment.describe());
    for (name, parameter) in experiment.parameters().named() {
        let shape = format!("{:?}", parameter.dims());
        println!("# {name:<28} {shape:<14} {:>10}", parameter.elem_count());
    }
    println!("# {:<28} {:<14} {:>10}", "all parameters", "", experiment.parameters().count());
    let estimate = experiment.estimate_time()?;
    println!(
        "# {} updates, about {} ({:.2} ms an update over the first {}, without evaluations)",
        estimate.updates,
        clock(estimate.seconds_per_update * estimate.updates as f64),
        estimate.seconds_per_update * 1e3,
        estimate.tried,
    );
    Ok(())
}
