//! `cargo xtask bench`: whole training and inference steps, as a person would write them, beside
//! PyTorch and candle-nn in the same run.

mod candle;
mod ours;
mod problem;
mod pytorch;
mod report;
mod sweep;

use std::path::PathBuf;
use std::time::Duration;

use problem::{Mode, Pass, Problem, Shape};
use pytorch::PyTorch;
use report::{Row, median};

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Named configurations (seed, seed100, mid, big, long, b1); without one, and without a shape,
    /// all of them
    names: Vec<String>,
    /// Another configuration, such as B64,T50,I7,H15 or B64,T50,I64,H256,L2,bi, or with a quarter of
    /// real steps B64,T50,I7,H100,R25; may be given often
    #[arg(long, value_name = "SHAPE")]
    shape: Vec<String>,
    /// PyTorch in the same run, by the interpreter that has it
    #[arg(long, value_name = "PYTHON", num_args = 0..=1, default_missing_value = "python3")]
    pytorch: Option<PathBuf>,
    /// candle-nn's LSTM in the same run; it knows only padded input
    #[arg(long)]
    candle: bool,
    /// Threads for all [default: one a core]
    #[arg(long)]
    threads: Option<usize>,
    /// Times that the sides take turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Instead of the configurations: packed and padded training of seed100 while the share of real
    /// steps grows, as a picture
    #[arg(long, value_name = "FILE.svg", conflicts_with_all = ["names", "shape"])]
    sweep: Option<PathBuf>,
    /// The table for programs
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How long a side measures in one turn, and how often at least and at most.
const TURN: Duration = Duration::from_millis(250);
const ITERATIONS: std::ops::RangeInclusive<usize> = 3..=400;
/// How long the machine rests between two turns: the threads of the side before may still spin.
const REST: Duration = Duration::from_millis(60);
/// The largest relative difference of two losses that are the same.
const SAME_LOSS: f64 = 1e-3;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    if threads == 0 || args.rounds == 0 {
        return Err(Failure::Usage("--threads and --rounds are numbers of at least 1".into()));
    }
    let shapes = if args.sweep.is_some() { sweep::shapes()? } else { shapes(&args)? };
    ours::set_threads(threads)?;
    // Before the peers begin to load their libraries on the same cores.
    let peak = ours::peak(threads)?;
    let mut peers = vec![];
    if let Some(python) = &args.pytorch {
        peers.push(PyTorch::start(python, threads, false)?);
        peers.push(PyTorch::start(python, threads, true)?);
    }
    println!("{}", report::heading(threads, peak, args.pytorch.is_some(), args.candle));
    let mut rows = vec![];
    for shape in shapes {
        for row in measure(&shape, threads, &args, &mut peers)? {
            println!("{row}");
            rows.push(row);
        }
    }
    if let Some(path) = &args.sweep {
        sweep::draw(path, &rows)?;
    }
    if let Some(path) = &args.json {
        report::write_json(path, &rows)?;
    }
    Ok(())
}

fn shapes(args: &Args) -> Result<Vec<Shape>, Failure> {
    let mut shapes = vec![];
    for name in &args.names {
        let known = problem::NAMED.iter().find(|(known, _)| known == name);
        let (name, text) = known.ok_or_else(|| {
            let names: Vec<_> = problem::NAMED.iter().map(|(name, _)| *name).collect();
            Failure::Usage(format!("no configuration {name}: expected {}", names.join(", ")))
        })?;
        shapes.push(Shape::parse(name, text)?);
    }
    for text in &args.shape {
        shapes.push(Shape::parse(text, text)?);
    }
    if shapes.is_empty() {
        let named = problem::NAMED.iter().map(|(name, text)| Shape::parse(name, text));
        return named.collect();
    }
    Ok(shapes)
}

/// All modes and passes of one configuration.
fn measure(
    shape: &Shape,
    threads: usize,
    args: &Args,
    peers: &mut [PyTorch],
) -> Result<Vec<Row>, Failure> {
    let problem = Problem::new(shape)?;
    let ours = ours::Ours::new(&problem)?;
    for peer in peers.iter_mut() {
        let losses = peer.load(&problem)?;
        for (mode, theirs) in [(Mode::Packed, losses.0), (Mode::Padded, losses.1)] {
            let loss = ours.loss(mode)?;
            if (loss - theirs).abs() > SAME_LOSS * theirs.abs().max(1.0) {
                let name = &shape.name;
                let text = format!("{name} {mode}: our loss is {loss}, PyTorch's {theirs}");
                return Err(Failure::Failed(text));
            }
        }
    }
    let candle = args.candle.then(|| candle::Candle::new(&problem)).transpose()?;
    let mut rows = vec![];
    for mode in [Mode::Packed, Mode::Padded] {
        for pass in [Pass::Train, Pass::Infer] {
            let mut mine = vec![];
            let mut theirs = vec![vec![]; peers.len()];
            let mut candles = vec![];
            let side = |times: &mut Vec<f64>, run: &mut dyn FnMut(usize) -> Turn| {
                std::thread::sleep(REST);
                // The first call pays for cold caches and sizes the turn; it does not count.
                let first = run(2)?[1];
                let count = (TURN.as_secs_f64() * 1e3 / first.max(1e-3)) as usize;
                times.extend(run(count.clamp(*ITERATIONS.start(), *ITERATIONS.end()))?);
                Ok::<(), Failure>(())
            };
            for _ in 0..args.rounds {
                side(&mut mine, &mut |n| ours.time(mode, pass, n))?;
                for (peer, times) in peers.iter_mut().zip(&mut theirs) {
                    side(times, &mut |n| peer.time(mode, pass, n))?;
                }
                if let (Some(candle), Mode::Padded) = (&candle, mode) {
                    side(&mut candles, &mut |n| candle.time(pass, n))?;
                }
            }
            rows.push(Row {
                config: shape.name.clone(),
                mode,
                pass,
                threads,
                valid_fraction: problem.valid_fraction(),
                tokens: problem.tokens(),
                flops: problem.flops(pass),
                ours_ms: median(&mut mine),
                pytorch_ms: theirs.iter_mut().map(|times| median(times)).reduce(f64::min),
                candle_ms: (!candles.is_empty()).then(|| median(&mut candles)),
            });
        }
    }
    Ok(rows)
}

/// The milliseconds of each iteration.
type Turn = Result<Vec<f64>, Failure>;

/// Times `n` calls one by one.
fn time(n: usize, mut f: impl FnMut() -> Result<(), ragged_train::Error>) -> Turn {
    (0..n)
        .map(|_| {
            let start = std::time::Instant::now();
            f()?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        })
        .collect()
}
