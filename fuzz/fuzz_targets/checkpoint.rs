//! Checks that a run whose checkpoint has any content is opened or refused without a panic, and that a model
//! which is opened predicts or fails without one.
//!
//! The bytes are the JSON of a checkpoint. The checksum is made right for them, and the tensors are those of a
//! small trained run: a random change of a whole file would only fail its checksum.
#![no_main]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

const CONFIG: &str = "
[model]
hidden_size = 2
[data.sums]
num_samples = 8
seq_length = 3
input_size = 2
held_out = 4
[train]
epochs = 1
";

/// The key of the JSON in a checkpoint.
const KEY: &str = "ragged";
const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

struct Ground {
    run: RunDir,
    /// The checkpoint of a run that was trained.
    checkpoint: Vec<u8>,
    sequences: PathBuf,
}

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("ragged-fuzz-run-{}", std::process::id()));
    let config = ExperimentConfig::parse(CONFIG, &[]).expect("a valid configuration");
    let experiment = Experiment::new(config).expect("generated data");
    let text = experiment.config().to_toml().expect("a valid configuration");
    let run = RunDir::next(&folder, "sums", &text).expect("a writable folder");
    experiment.run(&run, &mut ()).expect("a short training");
    let checkpoint = std::fs::read(run.best()).expect("a checkpoint");
    let (_, metadata) = SafeTensors::read_metadata(&checkpoint).expect("tensors");
    let sealed = &metadata.metadata().as_ref().expect("metadata")[KEY];
    // The place for seeds of the corpus.
    if let Some(path) = std::env::var_os("RAGGED_FUZZ_SEED") {
        let sealed: serde_json::Value = serde_json::from_str(sealed).expect("JSON");
        std::fs::write(path, sealed["info"].to_string()).expect("a writable folder");
    }
    let sequences = folder.join("new.jsonl");
    std::fs::write(&sequences, "{\"sequence\": [[1, 2], [3, 4]]}\n").expect("a writable folder");
    Ground { run, checkpoint, sequences }
});

/// Returns a checkpoint with `info`, which is refused as JSON unless it is an object.
fn sealed(info: &str) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(&GROUND.checkpoint).expect("tensors");
    let info = format!("{{\"sha256\":\"{NO_SUM}\",\"info\":{info}}}");
    let metadata = HashMap::from([(KEY.to_string(), info)]);
    let mut bytes = safetensors::serialize(tensors.tensors(), Some(metadata)).expect("tensors");
    let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let at = bytes.windows(64).position(|window| window == NO_SUM.as_bytes()).expect("the sum");
    bytes[at..at + 64].copy_from_slice(sum.as_bytes());
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(info) = std::str::from_utf8(bytes) else { return };
    for path in [GROUND.run.best(), GROUND.run.last()] {
        std::fs::write(path, sealed(info)).expect("a writable folder");
    }
    let Ok(predictor) = Predictor::open(GROUND.run.path()) else { return };
    // The result may be an error, such as that of transforms for other features.
    let _ = predictor.predict(&GROUND.sequences);
});
