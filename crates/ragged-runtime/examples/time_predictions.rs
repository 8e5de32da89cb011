//! Times a trained model: single steps of one session, and batches of `B` sequences of `T / 2` to `T` steps.
//!
//! ```text
//! RAYON_NUM_THREADS=1 cargo run --release -p ragged-runtime --example time_predictions -- runs/NAME/1 1x10 8x100
//! ```
//!
//! Prints medians in microseconds.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use ragged_runtime::{Model, Scratch};

/// How long each measurement takes.
const TIME: Duration = Duration::from_millis(500);

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let mut arguments = std::env::args().skip(1);
    let run = arguments.next().ok_or("expected the folder of a run")?;
    let begin = Instant::now();
    let model = Model::open(run.as_ref())?;
    writeln!(out, "open {:.0}", microseconds(begin.elapsed()))?;
    let features = model.features();
    let wave = |count: usize| -> Vec<f32> { (0..count).map(|k| (k as f32 * 0.37).sin()).collect() };

    if let Ok(mut session) = model.session() {
        let (x, mut y, mut scratch) =
            (wave(features), vec![0.0; model.outputs()], Scratch::default());
        let mut step = || model.step(&mut [&mut session], &x, &mut y, &mut scratch).map(|_| ());
        let time = median(|| (0..100).try_for_each(|_| step()))?;
        writeln!(out, "step {:.2}", time / 100.0)?;
    }
    for cell in arguments {
        let (count, steps) = cell.split_once('x').ok_or("expected B x T, such as 8x100")?;
        let (count, steps): (usize, usize) = (count.parse()?, steps.parse()?);
        let length = |k: usize| steps - k * steps / (2 * count);
        let sequences: Vec<Vec<f32>> = (0..count).map(|k| wave(length(k) * features)).collect();
        let slices: Vec<&[f32]> = sequences.iter().map(Vec::as_slice).collect();
        writeln!(out, "{cell} {:.1}", median(|| model.predict(&slices).map(drop))?)?;
    }
    Ok(())
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The median time of a call, in microseconds.
fn median(mut call: impl FnMut() -> ragged_runtime::Result<()>) -> ragged_runtime::Result<f64> {
    let (begin, mut times) = (Instant::now(), vec![]);
    while begin.elapsed() < TIME || times.len() < 5 {
        let begin = Instant::now();
        call()?;
        times.push(microseconds(begin.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
