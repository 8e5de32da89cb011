//! What every fuzz target checks.

use ragged_datasets::formats::{self, Format, ReadOptions};
use ragged_datasets::{Example, InMemory, Target};

/// Reads `bytes`; what can be read can be written as JSON lines and is the same when read again.
pub fn check(bytes: &[u8], format: Format) {
    let options = ReadOptions::default();
    let Ok(data) = formats::parse(bytes, format, &options, None) else { return };
    // The one format that holds all of them, but for a set without any step.
    if data.examples().iter().all(|example| example.sequence.is_empty()) {
        return;
    }
    let text = formats::to_bytes(&data, Format::JsonLines).expect("JSON lines hold every target");
    let kind = ragged_datasets::Dataset::target_kind(&data);
    let again = formats::parse(&text, Format::JsonLines, &options, Some(kind));
    let again = again.expect("what is written can be read");
    assert_eq!(content(&data), content(&again));
}

/// Examples with NaN as one bit pattern, so that they can be compared.
fn content(data: &InMemory) -> Vec<(Vec<u32>, Target)> {
    let bits = |v: &f32| if v.is_nan() { u32::MAX } else { v.to_bits() };
    let one = |example: &Example| {
        let values = example.sequence.values().iter().map(bits).collect();
        (values, example.target.clone())
    };
    data.examples().iter().map(one).collect()
}
