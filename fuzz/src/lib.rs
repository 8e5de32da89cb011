//! The property that every fuzz target checks.

use ragged_datasets::formats::{self, Format, ReadOptions, Schema};
use ragged_datasets::{Example, InMemory, Target};

/// Parses `bytes`. Data that can be parsed must survive a round trip through JSON lines.
pub fn check(bytes: &[u8], format: Format) {
    let options = ReadOptions::default();
    let Ok(data) = formats::parse(bytes, format, &options, None) else { return };
    // JSON lines can represent every data set except one without any step.
    if data.examples().iter().all(|example| example.sequence.is_empty()) {
        return;
    }
    let text = formats::to_bytes(&data, Format::JsonLines).expect("JSON lines represent every kind of target");
    let schema = Schema::of(&data);
    let again = formats::parse(&text, Format::JsonLines, &options, Some(&schema));
    let again = again.expect("written data can be parsed");
    assert_eq!(content(&data), content(&again));
}

/// Returns the examples as bit patterns, with a single one for NaN, so that they can be compared.
fn content(data: &InMemory) -> Vec<(Vec<u32>, Target)> {
    let bits = |v: &f32| if v.is_nan() { u32::MAX } else { v.to_bits() };
    let one = |example: &Example| {
        let values = example.sequence.values().iter().map(bits).collect();
        (values, example.target.clone())
    };
    data.examples().iter().map(one).collect()
}
