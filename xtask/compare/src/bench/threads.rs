//! Packed training steps on several numbers of threads, and a model of their time for more.
//!
//! A step of n threads takes `max(work / n, bytes / bandwidth) + meeting * log2(n)`: the work of one thread, which is
//! divided; the traffic with the memory, which all threads share; and the meetings of the threads, whose number doubles
//! the distance over which they pass on that they are done. The work is the time on one thread, the meetings are what
//! two threads take beyond half of it, and the bandwidth is measured.

use std::path::Path;

use serde_json::json;

use crate::bench::ours::{self, Ours};
use crate::bench::problem::{Mode, Pass, Problem, Shape};
use crate::bench::report;
use crate::bench::timing::{median, time, turn};
use crate::failure::Failure;

/// The numbers of threads for which the model is printed beside those that are measured.
const EXTRAPOLATED: [usize; 2] = [16, 64];

/// The elements of the vectors by which the bandwidth is measured: 256 MB each.
const COPIED: usize = 1 << 26;

/// What the model needs of a configuration.
struct Model {
    /// The milliseconds of one thread.
    work: f64,
    /// The milliseconds that the memory takes for what a step reads and writes.
    traffic: f64,
    /// The milliseconds of the meetings of two threads.
    meeting: f64,
}

impl Model {
    fn milliseconds(&self, threads: usize) -> f64 {
        let n = threads as f64;
        (self.work / n).max(self.traffic) + self.meeting * n.log2()
    }
}

pub(super) fn run(
    threads: &[usize],
    shapes: Vec<Shape>,
    rounds: usize,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // The model needs the first two.
    let mut counts = vec![1, 2];
    counts.extend(threads.iter().filter(|&&count| count > 2));
    let most = counts.iter().copied().max().unwrap_or(1);
    ours::set_threads(most)?;
    let (one, two, bandwidth) = (ours::peak(1)?, ours::peak(2)?, bandwidth(cores.min(most))?);
    println!(
        "packed training steps; {cores} cores; sgemm 2048^3: {one:.0} GFLOP/s on one thread, {two:.0} on two; memory \
         {bandwidth:.1} GB/s; medians"
    );
    if most > cores {
        println!(
            "more than {cores} threads share the cores, so that their times say nothing of more cores"
        );
    }
    println!(
        "{:<22} {:>7} {:>10} {:>8} {:>10} {:>8}",
        "configuration", "threads", "ms", "speedup", "model ms", "speedup"
    );
    let mut rows = vec![];
    for shape in shapes {
        let problem = Problem::new(&shape)?;
        let ours = Ours::new(&problem)?;
        let mut times = vec![vec![]; counts.len()];
        for _ in 0..rounds {
            for (&count, times) in counts.iter().zip(&mut times) {
                ragged_kernels::set_num_threads(count);
                turn(times, &mut |n| ours.time(Mode::Packed, Pass::Train, n))?;
            }
        }
        let times: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
        let model = Model {
            work: times[0],
            traffic: problem.bytes() / bandwidth / 1e6,
            meeting: (times[1] - times[0] / 2.0).max(0.0),
        };
        let name = &problem.shape.name;
        let mut print = |count: usize, measured: Option<f64>| {
            let modelled = model.milliseconds(count);
            let shown = |ms: Option<f64>| match ms {
                Some(ms) => format!("{ms:>10.3} {:>8.2}", times[0] / ms),
                None => format!("{:>10} {:>8}", "", ""),
            };
            println!("{name:<22} {count:>7} {} {}", shown(measured), shown(Some(modelled)));
            rows.push(json!({
                "config": name, "threads": count, "measured_ms": measured, "model_ms": modelled,
            }));
        };
        counts.iter().zip(&times).for_each(|(&count, &time)| print(count, Some(time)));
        EXTRAPOLATED.into_iter().filter(|n| !counts.contains(n)).for_each(|n| print(n, None));
    }
    file.map_or(Ok(()), |file| report::write(file, rows))
}

/// Measures the bandwidth of the memory in GB/s, bytes that are read and written, by copies of all `threads`.
fn bandwidth(threads: usize) -> Result<f64, Failure> {
    let from = vec![1f32; COPIED];
    let mut to = vec![0f32; COPIED];
    let part = COPIED.div_ceil(threads);
    let mut copy = || {
        std::thread::scope(|scope| {
            for (to, from) in to.chunks_mut(part).zip(from.chunks(part)) {
                scope.spawn(|| to.copy_from_slice(from));
            }
        });
        Ok(())
    };
    let mut times = time(7, &mut copy)?;
    Ok(2.0 * 4.0 * COPIED as f64 / median(&mut times) / 1e6)
}
