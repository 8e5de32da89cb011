//! Checks that a configuration file of any content is accepted or refused without a panic, and that an
//! accepted one survives a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ragged_train::ExperimentConfig;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(config) = ExperimentConfig::parse(text, &[]) else { return };
    let written = config.to_toml().expect("a configuration can be written");
    let again = ExperimentConfig::parse(&written, &[]).expect("what was written can be read");
    assert_eq!(again.to_toml().expect("a configuration can be written"), written);
});
