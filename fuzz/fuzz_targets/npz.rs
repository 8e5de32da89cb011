//! Whatever the bytes, the reader answers; what it accepts is the same after a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ragged_datasets::formats::Format;

fuzz_target!(|bytes: &[u8]| ragged_fuzz::check(bytes, Format::Npz));
