//! A run that nothing disturbed, with which a disturbed one is compared.
// Each test program uses a part.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Everything in it that has a position: order, buckets, workers, new examples an epoch, dropout,
/// accumulation, averaged weights, a schedule with a state, early stopping; checkpoints within
/// epochs, and the best two.
pub(crate) const CONFIG: &str = "
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

/// A folder with the configuration in it, and a run in it that nothing disturbed.
pub(crate) struct Ground {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) seconds: f64,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::with(CONFIG, "")
    }

    /// With so many epochs that a signal comes before the end, also on a busy machine.
    #[allow(dead_code, reason = "not every test program sends signals")]
    pub(crate) fn long() -> Self {
        let config = CONFIG.replace("epochs = 12", "epochs = 100");
        Self::with(&config.replace("patience = 8", "patience = 100"), "")
    }

    pub(crate) fn with(config: &str, table: &str) -> Self {
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

    pub(crate) fn path(&self, run: &str) -> PathBuf {
        self.folder.path().join(run)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ragged"));
        command.current_dir(self.folder.path()).args(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn train(&self, run: &str) -> Command {
        self.command(&["train", "--config", "config.toml", "--out", run])
    }

    pub(crate) fn resume(&self, run: &str) -> Command {
        self.command(&["train", "--resume", run])
    }

    /// The run ends like the one that nothing disturbed, to the last byte.
    #[track_caller]
    pub(crate) fn check_end(&self, run: &str, what: &str) {
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

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until the run has a file with at least so many lines.
#[track_caller]
pub(crate) fn wait_for_lines(path: &Path, lines: usize, child: &mut Child) {
    let start = Instant::now();
    while fs::read_to_string(path).map_or(0, |text| text.lines().count()) < lines {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        assert!(start.elapsed() < Duration::from_secs(60), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}
