//! A real process, killed, interrupted or out of disk: what it leaves goes on to the same end.
#![cfg(unix)]

mod ground;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ground::{Ground, signal, text, wait_for_lines};
use ragged_models::SimdLevel;
use ragged_sequence::random::Generator;
use rand::Rng;

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
target_transform = \"none\"
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

/// SIGKILL at 20 random moments, some runs more than once: between any two writes, in the middle of
/// an epoch, before the first checkpoint, after the last epoch. Every fourth run has a validation loss of
/// NaN, and every fourth an undefined metric: JSON has neither, and state was once lost with them. Every fourth reads
/// its examples from their file.
#[test]
fn a_killed_run_ends_with_the_same_bytes() {
    let nan = Ground::with(TABLE_CONFIG, &table("3e38", |k| k % 10));
    let undefined = Ground::with(TABLE_CONFIG, &table("0.5", |_| 5));
    let metrics = |ground: &Ground| fs::read_to_string(ground.path("whole/metrics.jsonl")).unwrap();
    for (ground, want) in [(&nan, "\"valid\":{\"loss\":\"NaN"), (&undefined, "\"r2\":\"NaN")] {
        assert!(metrics(ground).lines().any(|line| line.contains(want)), "{}", metrics(ground));
    }
    assert!(!metrics(&undefined).contains("\"loss\":\"NaN"));
    let stream = "[data]\nstream = true\norder = \"blocks\"\nblock_size = 4\nblock_buffer = 2\n";
    let config = TABLE_CONFIG.replace("[data]\n", stream);
    let streamed = Ground::with(&config, &table("0.5", |k| k % 10));
    let grounds = [Ground::new(), nan, undefined, streamed];
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

/// Whether this process ignores SIGHUP, as under `nohup`: its children then do, too.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[test]
fn a_signal_saves_and_says_how_to_go_on() {
    let ground = Ground::long();
    for (name, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        if name == "HUP" && ignores_hangup() {
            continue;
        }
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
    let ground = Ground::long();
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
    let ground = Ground::long();
    let check = |command: &mut Command, code: i32, part: &str| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        let error = text(&output).lines().last().unwrap_or_default().to_string();
        assert!(error.starts_with("error: ") && error.contains(part), "{error}");
    };
    check(&mut ground.resume("nowhere"), 2, "nowhere: not a run directory");
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
    let ground = Ground::long();
    let mut child = ground.train("moved").env("RAGGED_KERNELS_SIMD", "avx3").spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
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
    let error = text(&output);
    assert!(error.contains("the SIMD level was "), "{error}");
    assert!(error.contains("or resume with --force\n"), "{error}");
    let output = command.arg("--force").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("warning: the SIMD level was "), "{}", text(&output));
    let summary = fs::read_to_string(ground.path("moved/summary.json")).unwrap();
    assert!(summary.contains("\"forced\""), "{summary}");
}

/// Returns the writing end of a pipe whose reading end is closed.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A lost log once ended the training with a panic, in the middle of an epoch.
#[test]
fn a_run_goes_on_without_its_log() {
    let ground = Ground::new();
    let mut logs = vec![("closed", closed_pipe())];
    if let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") {
        logs.push(("full", full.into()));
    }
    for (run, log) in logs {
        let output = ground.train(run).stderr(log).output().unwrap();
        assert!(output.status.success(), "{run}: {:?}", output.status);
        ground.check_end(run, run);
    }
    // The result has no reader, and is in the folder all the same.
    for words in
        [&["train", "--config", "config.toml", "--out", "unread"][..], &["evaluate", "whole"]]
    {
        let output = ground.command(words).stdout(closed_pipe()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", text(&output));
    }
    ground.check_end("unread", "unread");
}

/// `nohup` ignores SIGHUP, so that a run outlives its terminal.
#[test]
#[cfg(target_os = "linux")]
fn a_run_under_nohup_outlives_its_terminal() {
    let ground = Ground::new();
    let mut command = Command::new("nohup");
    command.current_dir(ground.folder.path()).arg(env!("CARGO_BIN_EXE_ragged"));
    command.args(["train", "--config", "config.toml", "--out", "nohup"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_for_lines(&ground.path("nohup/metrics.jsonl"), 2, &mut child);
    signal(&child, "HUP");
    assert!(child.wait_with_output().unwrap().status.success());
    ground.check_end("nohup", "nohup");
}
