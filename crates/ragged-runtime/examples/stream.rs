//! Reads the steps of a series from standard input, one line of numbers each, and prints the prediction after each.
//!
//! ```text
//! cargo run --release -p ragged-runtime --example stream -- runs/NAME/1 < steps.txt
//! ```

use std::error::Error;
use std::io::{BufRead, Write};

use ragged_runtime::{Model, Scratch, softmax};

fn main() -> Result<(), Box<dyn Error>> {
    let run = std::env::args_os().nth(1).ok_or("expected the folder of a run")?;
    let model = Model::open(run.as_ref())?;
    let (mut session, mut scratch) = (model.session()?, Scratch::default());
    let mut y = vec![0.0; model.outputs()];
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let values = line.split([',', ' ', '\t']).filter(|text| !text.is_empty());
        let x = values.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        if let [refused] = model.step(&mut [&mut session], &x, &mut y, &mut scratch)? {
            writeln!(out, "step {} was skipped: {}", session.steps() + 1, refused.error)?;
            continue;
        }
        match model.targets().label(&y) {
            Some(label) => writeln!(out, "{label} {:?}", softmax(&y))?,
            None => writeln!(out, "{y:?}")?,
        }
    }
    Ok(())
}
