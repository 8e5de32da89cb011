//! Several ranks write the bytes of one process. The ranks are threads here, so that no MPI is needed.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use ragged_train::config::Override;
use ragged_train::distributed::{Communicator, RankError};
use ragged_train::fit::{StepRecord, TrainState};
use ragged_train::run::RunOutcome;
use ragged_train::{Error, Experiment, ExperimentConfig, Observer, Result, RunDir};

/// A rank that is a thread, with a queue from each other rank.
#[derive(Debug)]
struct ThreadRank {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
}

impl ThreadRank {
    fn all(size: usize) -> Vec<Self> {
        let mut ranks: Vec<_> =
            (0..size).map(|rank| Self { rank, to: vec![], from: vec![] }).collect();
        for receiver in 0..size {
            for sender in 0..size {
                let (to, from) = channel();
                ranks[sender].to.push(to);
                ranks[receiver].from.push(Mutex::new(from));
            }
        }
        ranks
    }
}

impl Communicator for ThreadRank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn exchange(&self, with: usize, sent: &[u8], received: &mut [u8]) -> Result<()> {
        self.to[with].send(sent.to_vec()).unwrap();
        received.copy_from_slice(&self.from[with].lock().unwrap().recv().unwrap());
        Ok(())
    }

    fn all_gather(&self, sent: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.to.iter().for_each(|to| to.send(sent.to_vec()).unwrap());
        Ok(self.from.iter().map(|from| from.lock().unwrap().recv().unwrap()).collect())
    }
}

const SMALL: &str = "
seed = 3
[model]
hidden_size = 4
[data.sums]
num_samples = 20
seq_length = 9
input_size = 2
held_out = 10
[train]
epochs = 2
batch_size = 6
shards = 4
";

type Overrides = &'static [(&'static str, &'static str)];

fn config(text: &str, overrides: Overrides) -> ExperimentConfig {
    let overrides = overrides.iter().map(|&(key, value)| Override::set(key, value));
    ExperimentConfig::parse(text, &overrides.collect::<Vec<_>>()).unwrap()
}

/// Interrupts the run after some updates.
struct StopAfter {
    left: usize,
}

impl Observer for StopAfter {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        self.left -= 1;
        Ok(if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// Opens a run on each of `size` ranks and trains, until rank `by` stops after `updates`. Returns for each rank whether the
/// run has ended.
fn on_ranks(
    size: usize,
    run: &Path,
    open: impl Fn(usize) -> Experiment + Send + Sync + 'static,
    (by, updates): (usize, usize),
) -> Vec<std::result::Result<bool, Error>> {
    let open = Arc::new(open);
    let threads = ThreadRank::all(size).into_iter().map(|rank| {
        let (open, run) = (open.clone(), RunDir::open(run).unwrap());
        thread::spawn(move || {
            let experiment = open(rank.rank);
            experiment.check_ranks(&rank)?;
            let mut observer =
                StopAfter { left: if rank.rank == by { updates } else { usize::MAX } };
            if rank.rank > 0 {
                return experiment.follow(&rank, &mut observer);
            }
            let outcome = experiment.run_on(&rank, &run, &mut observer)?;
            Ok(matches!(outcome, RunOutcome::Finished(_)))
        })
    });
    threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn create(run: &Path, text: &str, overrides: Overrides) {
    RunDir::create(run, &config(text, overrides).to_toml().unwrap()).unwrap();
}

/// The bytes of a finished run that may depend on nothing but its configuration.
fn bytes(run: &Path) -> [Vec<u8>; 3] {
    ["metrics.jsonl", "last.safetensors", "best.safetensors"]
        .map(|name| fs::read(run.join(name)).unwrap())
}

const CASES: [Overrides; 6] = [
    &[("model.bidirectional", "true"), ("model.dropout", "0.4"), ("model.num_layers", "2")],
    &[("train.bptt_steps", "3"), ("model.head_dropout", "0.2"), ("train.ema_decay", "0.8")],
    // Fewer lanes than shards.
    &[("train.bptt_steps", "4"), ("train.batch_size", "3"), ("model.readout", "\"mean\"")],
    // The last batch has fewer sequences than shards.
    &[("train.accumulate", "2"), ("data.workers", "2"), ("train.clip_grad_norm", "0.1")],
    &[("train.optimizer.name", "adamw"), ("data.bucket_size", "10"), ("model.cell", "\"gru\"")],
    &[("train.shards", "8"), ("train.schedule.name", "plateau"), ("model.layer_norm", "true")],
];

#[test]
fn any_number_of_ranks_writes_the_bytes_of_one_process() {
    for overrides in CASES {
        let folder = tempfile::tempdir().unwrap();
        let alone = folder.path().join("alone");
        create(&alone, SMALL, overrides);
        let run = RunDir::open(&alone).unwrap();
        Experiment::new(config(SMALL, overrides)).unwrap().run(&run, &mut ()).unwrap();
        for size in [1, 2, 4] {
            let together = folder.path().join(size.to_string());
            create(&together, SMALL, overrides);
            let open = move |_| Experiment::new(config(SMALL, overrides)).unwrap();
            let ends = on_ranks(size, &together, open, (0, usize::MAX));
            assert!(ends.iter().all(|end| matches!(end, Ok(true))), "{overrides:?}: {ends:?}");
            assert!(bytes(&together) == bytes(&alone), "{overrides:?} on {size} ranks");
        }
    }
}

/// The position and the parameters of a checkpoint do not tell by how many ranks it was written.
#[test]
fn a_run_resumes_with_another_number_of_ranks() {
    for overrides in [CASES[0], CASES[1], CASES[3]] {
        let folder = tempfile::tempdir().unwrap();
        let alone = folder.path().join("alone");
        create(&alone, SMALL, overrides);
        let run = RunDir::open(&alone).unwrap();
        Experiment::new(config(SMALL, overrides)).unwrap().run(&run, &mut ()).unwrap();
        let moved = folder.path().join("moved");
        create(&moved, SMALL, overrides);
        // Any rank may stop the run.
        for (size, stop) in [(4, (3, 2)), (1, (0, 1)), (2, (1, 1)), (2, (0, usize::MAX))] {
            let path = moved.clone();
            let open =
                move |_| Experiment::resume(&RunDir::open(&path).unwrap()).unwrap().experiment;
            let ends = on_ranks(size, &moved, open, stop);
            let finished = stop.1 == usize::MAX;
            assert!(ends.iter().all(|end| matches!(end, Ok(f) if *f == finished)), "{ends:?}");
        }
        assert!(bytes(&moved) == bytes(&alone), "{overrides:?}");
    }
}

/// The mean over a batch is that over its shards, weighted by their targets: equal up to rounding, for one process.
#[test]
fn shards_have_the_gradient_of_the_whole_batch() {
    for overrides in [&[][..], &[("train.bptt_steps", "3")], &[("train.accumulate", "2")]] {
        let folder = tempfile::tempdir().unwrap();
        let first = |shards: &str| {
            let path = folder.path().join(shards);
            let all = [overrides, &[("train.epochs", "1"), ("train.shards", shards)]].concat();
            let all = all.iter().map(|&(key, value)| Override::set(key, value));
            let config = ExperimentConfig::parse(SMALL, &all.collect::<Vec<_>>()).unwrap();
            let run = RunDir::create(&path, &config.to_toml().unwrap()).unwrap();
            Experiment::new(config).unwrap().run(&run, &mut ()).unwrap();
            let record = run.read_metrics().unwrap().remove(0);
            [record.train.loss, record.grad_norm, record.valid.unwrap().loss]
        };
        let (whole, cut) = (first("1"), first("4"));
        for (whole, cut) in whole.into_iter().zip(cut) {
            assert!((whole - cut).abs() < 1e-4 * whole.abs(), "{overrides:?}: {whole} and {cut}");
        }
    }
}

/// Words, of which each rank has others, with a sparse table; and two heads whose targets are missing in places.
#[test]
fn sparse_tables_and_heads_are_those_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["red", "green", "blue", "white", "black", "grey"];
    let line = |k: usize| {
        let text: Vec<&str> = (0..1 + k % 5).map(|t| words[(k * 7 + t * t) % 6]).collect();
        let size = if k.is_multiple_of(3) { "null".into() } else { format!("{}.5", k % 4) };
        let kind = if k.is_multiple_of(2) { "\"even\"" } else { "\"odd\"" };
        let text = text.join(" ");
        format!("{{\"text\": \"{text}\", \"target\": {{\"kind\": {kind}, \"size\": {size}}}}}\n")
    };
    let data = folder.path().join("words_TRAIN.jsonl");
    fs::write(&data, (0..40).map(line).collect::<String>()).unwrap();
    let text = format!(
        "[data]\ndataset = \"{}\"\nvalid_fraction = 0.2\n[model]\nhidden_size = 4\n\
         [model.embedding]\nsize = 3\nsparse = true\n[train]\nepochs = 2\nbatch_size = 9\nshards = 4\n\
         accumulate = 2\n",
        data.display()
    );
    let mut written = vec![];
    for size in [1, 2, 4] {
        let run = folder.path().join(size.to_string());
        create(&run, &text, &[]);
        let text = text.clone();
        let open = move |_| Experiment::new(config(&text, &[])).unwrap();
        let ends = on_ranks(size, &run, open, (0, usize::MAX));
        assert!(ends.iter().all(|end| matches!(end, Ok(true))), "{ends:?}");
        written.push(bytes(&run));
    }
    assert!(written[0] == written[1] && written[0] == written[2]);
}

/// An error of one rank ends all of them, and a run whose loss is not finite says where.
#[test]
fn all_ranks_return_the_error_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    create(&run, SMALL, &[]);
    let differing = |rank| {
        let overrides: Overrides = if rank == 1 { &[("train.lr", "0.5")] } else { &[] };
        Experiment::new(config(SMALL, overrides)).unwrap()
    };
    for end in on_ranks(2, &run, differing, (0, usize::MAX)) {
        let message = end.unwrap_err().to_string();
        let expected = "rank 1 trains another run than rank 0: train.lr was 0.01 and is 0.5";
        assert_eq!(message, expected);
    }
    let few = |_| Experiment::new(config(SMALL, &[("train.shards", "1")])).unwrap();
    for end in on_ranks(2, &run, few, (0, usize::MAX)) {
        assert!(matches!(end, Err(Error::Ranks(RankError::Shards { shards: 1, ranks: 2 }))));
    }
    let large = |_| {
        let overrides =
            &[("train.lr", "1e30"), ("train.clip_grad_norm", "0"), ("train.optimizer.name", "sgd")];
        Experiment::new(config(SMALL, overrides)).unwrap()
    };
    let ends = on_ranks(2, &run, large, (0, usize::MAX));
    let text = |end: &std::result::Result<bool, Error>| end.as_ref().unwrap_err().to_string();
    let place = "loss is inf in epoch 1, batch 2: stopped before the update";
    assert!(text(&ends[0]).starts_with(place) && text(&ends[1]) == place, "{ends:?}");
    assert!(run.join("offending-batch.safetensors").exists(), "{ends:?}");
}
