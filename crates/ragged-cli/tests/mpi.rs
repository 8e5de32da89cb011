//! Real processes, started by `mpirun`: they write the bytes of one, and one that is killed ends them all.
#![cfg(unix)]

mod ground;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ground::{CONFIG, Ground, text};
use ragged_sequence::random::Generator;
use rand::Rng;

/// `mpirun` with these arguments, in a folder. Open MPI refuses more processes than cores, and the user root, unless it
/// is told otherwise.
fn mpirun(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command.current_dir(folder).args(words).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    for variable in ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] {
        command.env(variable, "1");
    }
    command.env("OMPI_MCA_rmaps_base_oversubscribe", "1").env("CANDLE_NUM_THREADS", "1");
    command
}

const RAGGED: &str = env!("CARGO_BIN_EXE_ragged");

/// Trains on `ranks` ranks.
fn train(ground: &Ground, ranks: usize, words: &[&str]) -> Output {
    let ranks = ranks.to_string();
    let words = [&["-n", &ranks, RAGGED, "train"], words].concat();
    mpirun(ground.folder.path(), &words).output().unwrap()
}

fn bytes(ground: &Ground, run: &str) -> [Vec<u8>; 2] {
    ["metrics.jsonl", "last.safetensors"].map(|name| fs::read(ground.path(run).join(name)).unwrap())
}

/// A configuration with shards.
fn sharded(change: impl Fn(&str) -> String) -> String {
    change(&CONFIG.replace("accumulate = 2", "accumulate = 2\nshards = 4"))
}

#[test]
fn ranks_write_the_bytes_of_a_process_without_mpi() {
    let chunked = |text: &str| {
        let text = text.replace("accumulate = 2", "bptt_steps = 5");
        text.replace("bucket_size = 24\n", "").replace("num_layers = 2\ndropout = 0.3", "")
    };
    for config in [sharded(|text| text.into()), sharded(chunked)] {
        let ground = Ground::with(&config, "");
        let whole = bytes(&ground, "whole");
        for ranks in [1, 2, 4] {
            let run = format!("ranks-{ranks}");
            let output = train(&ground, ranks, &["--config", "config.toml", "--out", &run]);
            assert!(output.status.success(), "{}", text(&output));
            assert!(bytes(&ground, &run) == whole, "{ranks} ranks");
            // The first rank alone speaks.
            let lines = String::from_utf8(output.stdout).unwrap();
            assert_eq!(lines.matches("\nrun  ").count(), 1, "{lines}");
        }
    }
}

/// The number of times that a rank is killed.
const KILLS: usize = 4;

/// SIGKILL to any rank at a random moment ends all ranks, and another number of ranks goes on to the same end.
#[test]
fn a_run_of_which_a_rank_is_killed_ends_with_the_same_bytes() {
    let long = |text: &str| {
        text.replace("epochs = 12", "epochs = 200").replace("patience = 8", "patience = 200")
    };
    let ground = Ground::with(&sharded(long), "");
    let whole = bytes(&ground, "whole");
    let mut rng = Generator::seed(7);
    let mut kills = 0;
    let first = ["--config", "config.toml", "--out", "killed"];
    let mut words: Vec<&str> = first.to_vec();
    loop {
        let ranks = 1 << rng.random_range(0..3);
        let count = format!("{ranks}");
        let start = Instant::now();
        let child =
            mpirun(ground.folder.path(), &[&["-n", &count, RAGGED, "train"], &words[..]].concat())
                .spawn()
                .unwrap();
        if kills < KILLS {
            std::thread::sleep(Duration::from_millis(rng.random_range(150..600)));
            kills += usize::from(kill_rank(child.id(), rng.random_range(0..ranks)));
        }
        let output = child.wait_with_output().unwrap();
        assert!(start.elapsed() < Duration::from_secs(120), "{}", text(&output));
        if output.status.success() {
            break;
        }
        if ground.path("killed/config.toml").exists() {
            words = vec!["--resume", "killed"];
        } else {
            let _ = fs::remove_dir_all(ground.path("killed"));
        }
    }
    assert!(kills > KILLS / 2, "{kills} kills before the end: expected a longer run");
    assert!(bytes(&ground, "killed") == whole, "after {kills} kills");
}

/// Kills one of the processes of `ragged` that `mpirun` has started; `false` if it has ended or not begun.
fn kill_rank(mpirun: u32, index: usize) -> bool {
    let mut found = vec![];
    let mut parents = vec![mpirun.to_string()];
    while let Some(parent) = parents.pop() {
        let children = Command::new("pgrep").args(["-P", &parent]).output().unwrap().stdout;
        for child in String::from_utf8(children).unwrap().lines() {
            let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            if name.trim() == "ragged" { &mut found } else { &mut parents }.push(child.to_string());
        }
    }
    found.get(index).is_some_and(|process| {
        Command::new("kill").args(["-KILL", process]).status().unwrap().success()
    })
}

/// One line from one rank, and the exit code of wrong usage.
#[test]
fn what_ranks_cannot_share_is_refused_in_one_line() {
    let ground = Ground::with(&sharded(|text| text.replace("epochs = 12", "epochs = 1")), "");
    let folder = ground.folder.path();
    let other = sharded(|text| text.replace("seed = 5", "seed = 6"));
    fs::write(folder.join("other.toml"), other).unwrap();
    let wrong = sharded(|text| text.replace("hidden_size = 6", "hidden_size = 0"));
    fs::write(folder.join("wrong.toml"), wrong).unwrap();
    let one = |config: &'static str| vec!["-n", "1", RAGGED, "train", "--config", config];
    let colon = vec![":"];
    for (words, expected) in [
        (
            vec!["-n", "8", RAGGED, "train", "--config", "config.toml"],
            "train.shards is 4: expected a power of two that the 8 ranks divide",
        ),
        (
            vec!["-n", "3", RAGGED, "train", "--config", "config.toml"],
            "train.shards is 4: expected a power of two that the 3 ranks divide",
        ),
        (
            [one("config.toml"), colon.clone(), one("other.toml")].concat(),
            "rank 1 trains another run than rank 0: seed was 5 and is 6",
        ),
        ([one("config.toml"), colon, one("wrong.toml")].concat(), "rank 1: wrong.toml: line"),
        (vec!["-n", "2", RAGGED, "train", "--dataset", "missing.csv"], "missing.csv: no such file"),
    ] {
        let output = mpirun(folder, &words).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(lines.len(), 1, "{words:?}: {stderr}");
        assert!(lines[0].contains(expected), "{words:?}: {stderr}");
        assert!(!output.status.success());
        let runs = fs::read_dir(folder.join("runs")).map_or(0, Iterator::count);
        assert_eq!(runs, 0, "{words:?} has left a run");
    }
}
