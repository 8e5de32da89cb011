//! `cargo xtask bench`: whole training and inference steps, written as a user of each library would
//! write them, of ragged, PyTorch and candle-nn in the same run.

mod candle;
mod cells;
mod embedding;
mod losses;
mod ours;
mod problem;
mod pytorch;
mod report;
mod stream;
mod sweep;
mod threads;
mod timing;

use std::path::PathBuf;

use crate::bench::problem::{Mode, Pass, Problem, Shape};
use crate::bench::pytorch::PyTorch;
use crate::bench::report::Row;
use crate::bench::timing::{median, turn};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Named configurations: seed, seed100, mid, big, long, b1 [default: all, unless --shape is given]
    names: Vec<String>,
    /// Add a configuration, such as B64,T50,I7,H15 or B64,T50,I64,H256,L2,bi, or B64,T50,I7,H100,R25
    /// with 25 % real steps; can be repeated
    #[arg(long, value_name = "SHAPE")]
    shape: Vec<String>,
    /// Measure PyTorch too, with this Python interpreter
    #[arg(long, value_name = "PYTHON", num_args = 0..=1, default_missing_value = "python3")]
    pytorch: Option<PathBuf>,
    /// Measure the LSTM of candle-nn too, on padded input only
    #[arg(long)]
    candle: bool,
    /// Set the number of threads of every library [default: one per core]; with several, such as 1,2,4,8, measure packed
    /// training on each of them instead, and print a model of the time for more
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    threads: Vec<usize>,
    /// Set how often the libraries take turns
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Measure seed100 with 10 % to 100 % real steps instead, and plot the training times
    #[arg(long, value_name = "FILE.svg", conflicts_with_all = ["names", "shape"])]
    sweep: Option<PathBuf>,
    /// Measure single steps at batch 1 on one thread instead, and those of candle-nn
    #[arg(long, conflicts_with_all = ["names", "shape", "sweep", "pytorch", "candle", "threads", "rounds"])]
    stream: bool,
    /// Measure the CTC loss, the CRF and the embedding, forward and backward, instead; with --pytorch, also those of
    /// torch and pytorch-crf
    #[arg(long, conflicts_with_all = ["names", "shape", "sweep", "candle", "stream"])]
    losses: bool,
    /// Measure the layer-normalised cells, forward and backward, and the plain ones instead; with --pytorch, also a
    /// loop over such cells in PyTorch
    #[arg(long, conflicts_with_all = ["names", "shape", "sweep", "candle", "stream", "losses"])]
    cells: bool,
    /// Write the table as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The tolerance, relative, when the losses of two libraries are compared.
const LOSS_TOLERANCE: f64 = 1e-3;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if args.stream {
        return stream::run(args.json.as_deref());
    }
    if args.threads.contains(&0) || args.rounds == 0 {
        return Err(Failure::Usage("--threads and --rounds: expected at least 1".into()));
    }
    let threads = match args.threads[..] {
        [] => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        [threads] => threads,
        _ if args.pytorch.is_some() || args.sweep.is_some() || args.losses || args.cells => {
            let text =
                "--threads: expected one number with --pytorch, --sweep, --losses and --cells";
            return Err(Failure::Usage(text.into()));
        }
        _ => {
            return threads::run(&args.threads, shapes(&args)?, args.rounds, args.json.as_deref());
        }
    };
    let shapes = if args.sweep.is_some() { sweep::shapes()? } else { shapes(&args)? };
    ours::set_threads(threads)?;
    if args.cells {
        return cells::run(threads, args.pytorch.as_deref(), args.rounds, args.json.as_deref());
    }
    if args.losses {
        return losses::run(threads, args.pytorch.as_deref(), args.rounds, args.json.as_deref());
    }
    // Measured before the other processes start to load their libraries on the same cores.
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
            Failure::Usage(format!("unknown configuration {name}: expected {}", names.join(", ")))
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

/// Measures all modes and passes of one configuration.
fn measure(
    shape: &Shape,
    threads: usize,
    args: &Args,
    peers: &mut [PyTorch],
) -> Result<Vec<Row>, Failure> {
    let problem = Problem::new(shape)?;
    let ours = ours::Ours::new(&problem)?;
    for peer in peers.iter_mut() {
        peer.resume()?;
        let losses = peer.load(&problem)?;
        peer.pause()?;
        for (mode, theirs) in [(Mode::Packed, losses.0), (Mode::Padded, losses.1)] {
            let loss = ours.loss(mode)?;
            if (loss - theirs).abs() > LOSS_TOLERANCE * theirs.abs().max(1.0) {
                let name = &shape.name;
                let text =
                    format!("{name} {mode}: PyTorch computes the loss {theirs}, ragged {loss}");
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
            for _ in 0..args.rounds {
                turn(&mut mine, &mut |n| ours.time(mode, pass, n))?;
                for (peer, times) in peers.iter_mut().zip(&mut theirs) {
                    // Only one library runs at a time: PyTorch's threads spin for a while after a call.
                    peer.resume()?;
                    turn(times, &mut |n| peer.time(mode, pass, n))?;
                    peer.pause()?;
                }
                if let (Some(candle), Mode::Padded) = (&candle, mode) {
                    turn(&mut candles, &mut |n| candle.time(pass, n))?;
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
