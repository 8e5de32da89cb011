//! A real process, killed, interrupted or out of disk: what it leaves goes on to the same end.
#![cfg(unix)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ragged_models::SimdLevel;
use ragged_sequence::random::Generator;
use rand::Rng;

/// Everything in it that has a position: order, buckets, workers, new examples an epoch, dropout,
/// accumulation, averaged weights, a schedule with a state, early stopping; checkpoints within
/// epochs, and the best two.
const CONFIG: &str = "
name = \"resume\"
seed = 5
[model]
hidden_size = 6
num_layers = 2
dropout = 0.3
[data]
bucket_size = 24
workers = 2
[data.sums]
num_samples = 60
seq_length = 12
input_size = 2
held_out = 20
[train]
epochs = 12
batch_size = 8
accumulate = 2
ema_decay = 0.9
schedule = { name = \"plateau\", patience = 1 }
early_stopping = { patience = 8 }
[checkpoint]
every_steps = 2
keep = 2
";

/// A table whose validation loss is NaN or whose metric is undefined, with the state of a plateau schedule
/// and of early stopping. A ReLU overflows at `extreme`.
const TABLE_CONFIG: &str = "
name = \"resume\"
[model]
cell = \"rnn\"
nonlinearity = \"relu\"
hidden_size = 4
[data]
dataset = \"table.csv\"
transforms = []
valid_fraction = 0.25
[train]
epochs = 12
batch_size = 4
ema_decay = 0.9
schedule = { name = \"plateau\", patience = 1 }
early_stopping = { patience = 11 }
[checkpoint]
every_steps = 1
keep = 2
";

/// Returns 40 sequences. With seed 0, sequence 7 is one of the validation data.
fn table(extreme: &str, target: impl Fn(usize) -> usize) -> String {
    let mut table = String::from("series_id,x,y,z,target\n");
    for k in 0..40 {
        for t in 0..2 + k % 4 {
            let x = (k * 7 + t * 3) % 10;
            let x = if k == 7 { extreme.to_string() } else { format!("0.{x}") };
            table += &format!("s{k},{x},{x},{x},0.{}\n", target(k));
        }
    }
    table
}

/// A folder with the configuration in it, and a run in it that nothing disturbed.
struct Ground {
    folder: tempfile::TempDir,
    seconds: f64,
}

impl Ground {
    fn new() -> Self {
        Self::with(CONFIG, "")
    }

    fn with(config: &str, table: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.toml"), config).unwrap();
        fs::write(folder.path().join("table.csv"), table).unwrap();
        let mut ground = Self { folder, seconds: 0.0 };
        let start = Instant::now();
        let output = ground.train("whole").output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        ground.seconds = start.elapsed().as_secs_f64();
        ground
    }

    fn path(&self, run: &str) -> PathBuf {
        self.folder.path().join(run)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ragged"));
        command.current_dir(self.folder.path()).args(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn train(&self, run: &str) -> Command {
        self.command(&["train", "--config", "config.toml", "--out", run])
    }

    fn resume(&self, run: &str) -> Command {
        self.command(&["train", "--resume", run])
    }

    /// The run ends like the one that nothing disturbed, to the last byte.
    #[track_caller]
    fn check_end(&self, run: &str, what: &str) {
        let names = |run: &str| -> Vec<String> {
            let kept = fs::read_dir(self.path(run).join("top")).unwrap();
            let mut names: Vec<_> =
                kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        // An epoch whose monitored metric is undefined is not among the best two.
        let kept = names("whole");
        assert!(!kept.is_empty() && kept.len() <= 2, "{kept:?}");
        assert_eq!(names(run), kept, "{what}");
        let mut files: Vec<String> =
            ["metrics.jsonl", "last.safetensors", "best.safetensors"].map(String::from).to_vec();
        files.extend(kept.into_iter().map(|name| format!("top/{name}")));
        for file in files {
            let bytes = |run: &str| fs::read(self.path(run).join(&file)).unwrap();
            assert!(bytes(run) == bytes("whole"), "{what}: {file} differs");
        }
        let summary = |run: &str| -> serde_json::Value {
            let text = fs::read_to_string(self.path(run).join("summary.json")).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        for key in ["epoch", "test", "epochs", "updates"] {
            assert_eq!(summary(run)[key], summary("whole")[key], "{what}: {key}");
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until the run has a file with at least so many lines.
#[track_caller]
fn wait_for_lines(path: &Path, lines: usize, child: &mut Child) {
    let start = Instant::now();
    while fs::read_to_string(path).map_or(0, |text| text.lines().count()) < lines {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        assert!(start.elapsed() < Duration::from_secs(60), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// SIGKILL at 20 random moments, some runs more than once: between any two writes, in the middle of
/// an epoch, before the first checkpoint, after the last epoch. Every third run has a validation loss of
/// NaN, and every third an undefined metric: JSON has neither, and state was once lost with them.
#[test]
fn a_killed_run_ends_with_the_same_bytes() {
    let nan = Ground::with(TABLE_CONFIG, &table("3e38", |k| k % 10));
    let undefined = Ground::with(TABLE_CONFIG, &table("0.5", |_| 5));
    let metrics = |ground: &Ground| fs::read_to_string(ground.path("whole/metrics.jsonl")).unwrap();
    for (ground, want) in [(&nan, "\"valid\":{\"loss\":\"NaN"), (&undefined, "\"r2\":\"NaN")] {
        assert!(metrics(ground).lines().any(|line| line.contains(want)), "{}", metrics(ground));
    }
    assert!(!metrics(&undefined).contains("\"loss\":\"NaN"));
    let grounds = [Ground::new(), nan, undefined];
    let mut rng = Generator::seed(6);
    let (mut kills, mut runs) = (0, 0);
    while kills < 20 {
        let ground = &grounds[runs % grounds.len()];
        runs += 1;
        let run = format!("killed-{runs}");
        let mut moments = vec![];
        loop {
            // A run that was killed before it had a folder has left nothing, and begins anew.
            let begun = ground.path(&run).exists();
            let mut command = if begun { ground.resume(&run) } else { ground.train(&run) };
            let mut child = command.spawn().unwrap();
            if kills < 20 && moments.len() < 3 {
                let moment = rng.random_range(0.0..ground.seconds * 0.9);
                std::thread::sleep(Duration::from_secs_f64(moment));
                child.kill().unwrap();
                moments.push(moment);
            }
            let output = child.wait_with_output().unwrap();
            if output.status.signal() == Some(9) {
                kills += 1;
                continue;
            }
            assert!(output.status.success(), "killed at {moments:?}: {}", text(&output));
            break;
        }
        ground.check_end(&run, &format!("killed at {moments:?} s"));
    }
}

#[test]
fn a_signal_saves_and_says_how_to_go_on() {
    let ground = Ground::new();
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = ground.train(name).spawn().unwrap();
        wait_for_lines(&ground.path(name).join("metrics.jsonl"), 2, &mut child);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        let advice = format!("resume with: ragged train --resume {name}\n");
        assert!(text(&output).contains(&advice), "{}", text(&output));
        let output = ground.resume(name).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        ground.check_end(name, name);
    }
}

#[test]
fn a_damaged_last_checkpoint_falls_back_to_the_one_before() {
    let ground = Ground::new();
    let mut child = ground.train("damaged").spawn().unwrap();
    wait_for_lines(&ground.path("damaged/metrics.jsonl"), 3, &mut child);
    signal(&child, "INT");
    child.wait_with_output().unwrap();
    let last = ground.path("damaged/last.safetensors");
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&last, bytes).unwrap();
    let output = ground.resume("damaged").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let warning = "damaged/last.safetensors: damaged: its SHA-256 sum is ";
    assert!(text(&output).contains(warning), "{}", text(&output));
    assert!(text(&output).contains("resuming from the checkpoint before it"), "{}", text(&output));
    ground.check_end("damaged", "damaged");
}

/// The shell's limit on the size of files stands in for a disk that is full in the middle of a write.
#[test]
fn a_full_disk_is_an_error_that_leaves_the_checkpoint_whole() {
    let ground = Ground::new();
    let size = fs::metadata(ground.path("whole/last.safetensors")).unwrap().len();
    // Each of the files may grow to a bit more than a checkpoint; the events grow beyond it.
    let events = fs::read_dir(ground.path("whole/tensorboard")).unwrap().next().unwrap().unwrap();
    let events = events.metadata().unwrap().len();
    let (enough, blocks) = (size + 512, size / 512 + 2);
    let text_of = |output: &Output| text(output);
    let limited = |blocks: u64, words: &str| {
        let mut command = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" {words}");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_ragged")]);
        command.current_dir(ground.folder.path()).output().unwrap()
    };
    let what = format!("checkpoints of {size} bytes, events of {events}");
    let blocks = if events > enough { blocks } else { events / 512 - 1 };
    let output = limited(blocks, "train --config config.toml --out full");
    assert_eq!(output.status.code(), Some(1), "{what}: {}", text_of(&output));
    let error = text_of(&output);
    let error = error.lines().last().unwrap_or_default();
    assert!(error.starts_with("error: full/") && error.contains("File too large"), "{error}");
    let left: Vec<_> = fs::read_dir(ground.path("full")).unwrap().map(|e| e.unwrap()).collect();
    let hidden = left.iter().find(|e| e.file_name().to_string_lossy().starts_with('.'));
    assert!(hidden.is_none(), "{hidden:?} was left behind");
    let output = ground.resume("full").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains("warning"), "{}", text(&output));
    ground.check_end("full", "full");
}

#[test]
fn what_cannot_be_written_or_resumed_is_said() {
    let ground = Ground::new();
    let check = |command: &mut Command, code: i32, part: &str| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        let error = text(&output).lines().last().unwrap_or_default().to_string();
        assert!(error.starts_with("error: ") && error.contains(part), "{error}");
    };
    check(&mut ground.resume("nowhere"), 1, "nowhere: not a run directory");
    let words = ["train", "--resume", "whole", "--epochs", "3"];
    let output = ground.command(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));

    let mut child = ground.train("blocked").spawn().unwrap();
    wait_for_lines(&ground.path("blocked/metrics.jsonl"), 2, &mut child);
    // While it trains, no other process may train in the folder.
    let busy = "blocked: another process is training in this directory";
    check(&mut ground.resume("blocked"), 1, busy);
    signal(&child, "TERM");
    child.wait_with_output().unwrap();
    // A folder stands where the next checkpoint would be written.
    let last = ground.path("blocked/last.safetensors");
    let before = fs::read(&last).unwrap();
    fs::create_dir(ground.path("blocked/next.safetensors")).unwrap();
    check(&mut ground.resume("blocked"), 1, "blocked/last.safetensors: ");
    assert!(fs::read(&last).unwrap() == before, "the earlier checkpoint has changed");
    fs::remove_dir(ground.path("blocked/next.safetensors")).unwrap();
    let output = ground.resume("blocked").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    ground.check_end("blocked", "blocked");

    // A run that is over can be resumed: there is nothing left to do but say the result again.
    let output = ground.resume("whole").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    ground.check_end("whole", "whole");
}

/// Another machine may have other SIMD instructions, with which results differ in their last bits.
#[test]
fn another_simd_level_is_refused_or_forced() {
    let ground = Ground::new();
    let mut child = ground.train("moved").env("RAGGED_KERNELS_SIMD", "avx3").spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!ground.path("moved").exists());
    let mut child = ground.train("moved").spawn().unwrap();
    wait_for_lines(&ground.path("moved/metrics.jsonl"), 2, &mut child);
    signal(&child, "INT");
    child.wait_with_output().unwrap();
    if SimdLevel::available().len() == 1 {
        return;
    }
    let mut command = ground.resume("moved");
    let output = command.env("RAGGED_KERNELS_SIMD", "portable").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("the SIMD level was "), "{}", text(&output));
    let output = command.arg("--force").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("warning: the SIMD level was "), "{}", text(&output));
    let summary = fs::read_to_string(ground.path("moved/summary.json")).unwrap();
    assert!(summary.contains("\"forced\""), "{summary}");
}
