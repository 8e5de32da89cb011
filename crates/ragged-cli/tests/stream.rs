//! Training on data that stay in their files: the results of data in memory.
#![cfg(feature = "parquet")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use assert_cmd::Command;

fn ragged(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("ragged").unwrap().current_dir(folder).args(words).output();
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Sequences of 2 to 6 steps whose class is the sign of the mean of a feature.
fn lines(count: usize) -> String {
    let mut lines = String::new();
    for k in 0..count {
        let level = ((k * 37 + 11) % 100) as f64 / 50.0 - 1.01;
        let steps = (0..2 + k % 5).map(|t| format!("[{},{}]", level + 0.01 * t as f64, t * k % 7));
        let steps = steps.collect::<Vec<_>>().join(",");
        let target = if level > 0.0 { "up" } else { "down" };
        let _ = writeln!(lines, "{{\"sequence\": [{steps}], \"target\": \"{target}\"}}");
    }
    lines
}

const ORDER: [&str; 12] = [
    "--epochs",
    "3",
    "--hidden-size",
    "5",
    "--set",
    "data.order=blocks",
    "--set",
    "data.block_size=16",
    "--set",
    "data.block_buffer=2",
    "--set",
    "data.valid_fraction=0.2",
];

#[test]
fn a_streamed_run_has_the_results_of_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("a.jsonl"), lines(300)).unwrap();
    for other in ["a.parquet", "a.csv"] {
        let (code, _, stderr) = ragged(dir, &["convert", "a.jsonl", other]);
        assert_eq!(code, 0, "{stderr}");
    }
    let stream = ["--set", "data.stream=true", "--set", "data.cache_mb=1"];
    for bucket in ["data.bucket_size=0", "data.bucket_size=32"] {
        let mut results = vec![];
        for (dataset, options) in [
            ("a.jsonl", &[][..]),
            ("a.jsonl", &stream),
            ("a.parquet", &[]),
            ("a.parquet", &stream),
            ("a.csv", &stream),
        ] {
            let out = format!("run-{}-{}", results.len(), bucket.len());
            let words = ["train", "--dataset", dataset, "--out", &out, "--set", bucket];
            let (code, _, stderr) = ragged(dir, &[&words, &ORDER[..], options].concat());
            assert_eq!(code, 0, "{stderr}");
            let metrics = fs::read_to_string(dir.join(&out).join("metrics.jsonl")).unwrap();
            let index = dir.join(&out).join("indexes/train.index");
            assert_eq!(index.exists(), !options.is_empty());
            if dataset == "a.csv" {
                // One that is damaged is not used.
                fs::write(&index, &fs::read(&index).unwrap()[1..]).unwrap();
            }
            let (code, evaluated, stderr) = ragged(dir, &["evaluate", &out]);
            assert_eq!(code, 0, "{stderr}");
            let (code, predicted, stderr) = ragged(dir, &["predict", &out, "a.jsonl"]);
            assert_eq!(code, 0, "{stderr}");
            results.push((metrics, evaluated, predicted));
        }
        assert_eq!(results[0].0.lines().count(), 3);
        for result in &results[1..] {
            assert_eq!(result, &results[0]);
        }
    }
}

#[test]
fn what_contradicts_a_stream_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("a.jsonl"), lines(30)).unwrap();
    fs::write(dir.join("a.ts"), "@data\n1,2:k\n2,1:l\n").unwrap();
    let check = |words: &[&str], code: i32, part: &str| {
        let (got, _, stderr) =
            ragged(dir, &[&["train", "--set", "data.stream=true"], words].concat());
        assert_eq!((got, stderr.lines().count()), (code, 1), "{words:?}: {stderr}");
        assert!(stderr.contains(part), "{stderr} lacks {part}");
        assert!(!dir.join("runs").exists());
    };
    check(&["--dataset", "a.jsonl"], 2, "expected data.order = \"blocks\"");
    check(&[], 2, "data.stream is true, but the data are generated: expected false");
    check(&["--dataset", "a.ts", "--set", "data.order=blocks"], 2, "ts files cannot be streamed");
    let words = ["--dataset", "a.jsonl", "--set", "data.order=blocks", "--set", "data.cache_mb=0"];
    check(&words, 2, "data.cache_mb");
}
