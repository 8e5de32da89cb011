//! Checks that the reader of PyTorch checkpoints accepts or refuses any bytes without a panic.
//!
//! Bytes that begin as a zip archive are the whole file. Others are the pickle of an archive with a few
//! storages: a random change of an archive would only fail its checksums. The first byte chooses the
//! byte order.
#![no_main]

use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ragged_models::{LoadOptions, read_state_dict};
use zip::write::SimpleFileOptions;

/// The most elements of a tensor that is copied out of its storage: expanded tensors may claim any size.
const MAX_ELEMENTS: usize = 1 << 16;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("ragged-fuzz-{}.pt", std::process::id())));

fn archive(bytes: &[u8]) -> Vec<u8> {
    let (first, pickle) = bytes.split_first().unwrap_or((&0, &[]));
    let order: &[u8] = if first % 2 == 0 { b"little" } else { b"big" };
    let elements: Vec<u8> = (0..=255).collect();
    let records =
        [("data.pkl", pickle), ("byteorder", order), ("data/0", &elements), ("data/1", &[])];
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in records {
        zip.start_file(format!("w/{name}"), stored).expect("a valid name");
        zip.write_all(content).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

fuzz_target!(|bytes: &[u8]| {
    let content = if bytes.starts_with(b"PK\x03\x04") { bytes.to_vec() } else { archive(bytes) };
    std::fs::write(&*FILE, content).expect("a writable folder of temporary files");
    let Ok(tensors) = read_state_dict(&FILE, &LoadOptions::default()) else { return };
    for tensor in tensors.values().filter(|tensor| tensor.elem_count() <= MAX_ELEMENTS) {
        tensor.flatten_all().expect("the elements of a tensor that was read");
    }
});
