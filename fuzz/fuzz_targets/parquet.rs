//! Checks that the reader accepts or refuses any bytes without a panic, and that accepted data
//! survives a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ragged_datasets::formats::Format;

fuzz_target!(|bytes: &[u8]| ragged_fuzz::check(bytes, Format::Parquet));
