//! Examples per second of an epoch of collated batches, on the lecture's data and on Japanese Vowels,
//! stored and generated, with and without workers.
//!
//! `cargo bench -p ragged-datasets`. `RAGGED_DATA=DIR` is the folder of JapaneseVowels_TRAIN.ts; without
//! it, random utterances of the same sizes are used. `RAGGED_PYTHON=PATH` is a Python with torch and
//! numpy: with it, PyTorch's `DataLoader`, with `pad_sequence` and `pack_padded_sequence` as its collate
//! function, is timed on the same data in the same run.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ragged_datasets::formats::{self, ReadOptions};
use ragged_datasets::synthetic::{Lengths, Synthetic, SyntheticConfig, SyntheticTask};
use ragged_datasets::{
    Collate, DataLoader, Dataset, InMemory, LoaderConfig, Sampler, VariableLengthSums,
    VariableLengthSumsConfig,
};

/// PyTorch's side of the comparison. It lies outside the crate, so that a package does not have it.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../validation/bench_loader.py");

/// PyTorch's loader in a separate process.
struct PyTorch {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl PyTorch {
    fn start(python: &str, data: &Path, batch_size: usize) -> Self {
        let mut child = Command::new(python)
            .arg(SCRIPT)
            .arg(data)
            .arg(batch_size.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("RAGGED_PYTHON is a Python");
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, stdout: BufReader::new(stdout) }
    }

    /// Returns the time of `count` epochs.
    fn epochs(&mut self, count: u64) -> Duration {
        let mut line = String::new();
        writeln!(self.stdin, "{count}").expect("PyTorch runs");
        self.stdout.read_line(&mut line).expect("PyTorch answers");
        Duration::from_secs_f64(line.trim().parse().expect("RAGGED_PYTHON has torch and numpy"))
    }
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn in_memory(data: &dyn Dataset) -> InMemory {
    let examples = (0..data.len()).map(|index| data.get(0, index).unwrap()).collect();
    InMemory::new(examples, data.target_kind().clone()).unwrap()
}

fn japanese_vowels() -> InMemory {
    if let Some(folder) = std::env::var_os("RAGGED_DATA") {
        let path = Path::new(&folder).join("JapaneseVowels_TRAIN.ts");
        return formats::read(&path, &ReadOptions::default()).unwrap();
    }
    let config = SyntheticConfig {
        num_samples: 270,
        lengths: Lengths::Uniform { min: 7, max: 26 },
        ..SyntheticConfig::new(SyntheticTask::Sum { input_size: 12 })
    };
    in_memory(&Synthetic::new(config).unwrap())
}

/// Times epochs, each in a different order of the examples.
fn epochs<D: Dataset + Clone>(
    group: &mut criterion::BenchmarkGroup<criterion::measurement::WallTime>,
    name: &str,
    data: &D,
    batch_size: usize,
    change: fn(&mut LoaderConfig),
) {
    let mut config =
        LoaderConfig { sampler: Sampler::Shuffle { seed: 1 }, ..LoaderConfig::new(batch_size) };
    change(&mut config);
    let loader = DataLoader::new(data.clone(), config).unwrap();
    let mut epoch = 0;
    group.bench_function(name, |b| {
        b.iter(|| {
            epoch += 1;
            loader.epoch(epoch).map(|batch| batch.unwrap().real_steps()).sum::<usize>()
        });
    });
}

fn loaders(c: &mut Criterion) {
    let sums = VariableLengthSums::new(VariableLengthSumsConfig::default()).unwrap();
    for (name, stored, batch_size) in
        [("sums", in_memory(&sums), 64), ("vowels", japanese_vowels(), 32)]
    {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(stored.len() as u64));
        epochs(&mut group, "packed", &stored, batch_size, |_| {});
        epochs(&mut group, "padded", &stored, batch_size, |c| c.collate = Collate::Padded);
        epochs(&mut group, "packed, bucketed", &stored, batch_size, |c| c.bucket_size = Some(256));
        epochs(&mut group, "packed, 2 workers", &stored, batch_size, |c| c.workers = 2);
        if name == "sums" {
            epochs(&mut group, "packed, generated on access", &sums, batch_size, |_| {});
        }
        if let Ok(python) = std::env::var("RAGGED_PYTHON") {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("data.npz");
            formats::write(&path, &stored).unwrap();
            let mut pytorch = PyTorch::start(&python, &path, batch_size);
            pytorch.epochs(2);
            group.bench_function("PyTorch", |b| b.iter_custom(|count| pytorch.epochs(count)));
        }
        group.finish();
    }
}

criterion_group!(benches, loaders);
criterion_main!(benches);
