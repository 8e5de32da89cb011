//! Prints a summary of a file of sequences.
//!
//! `cargo run -p ragged-datasets --example inspect -- PATH`
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use ragged_datasets::formats::{self, ReadOptions};
use ragged_datasets::{Dataset, Target, TargetKind};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).map(PathBuf::from).ok_or("usage: inspect PATH")?;
    let data = formats::read(&path, &ReadOptions::default())?;
    let examples = data.examples();
    let lengths: Vec<usize> = examples.iter().map(|e| e.sequence.len()).collect();
    println!("sequences  {}", examples.len());
    println!("features   {}", data.features());
    println!("lengths    {:?} to {:?}", lengths.iter().min(), lengths.iter().max());
    let values = || examples.iter().flat_map(|e| e.sequence.values());
    println!("missing    {} of {}", values().filter(|v| v.is_nan()).count(), values().count());
    println!("sha256     {}", data.fingerprint());
    match data.target_kind() {
        TargetKind::Values(count) => println!("targets    {count} per sequence"),
        TargetKind::StepValues(count) => println!("targets    {count} per step"),
        TargetKind::StepClasses(labels) => println!("classes    {} per step", labels.join(", ")),
        TargetKind::Parts { parts, .. } => {
            let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
            println!("targets    {}", names.join(", "));
        }
        TargetKind::Labels(labels) => println!("labels     {} in lists", labels.join(", ")),
        TargetKind::Classes(labels) => {
            for (k, label) in labels.iter().enumerate() {
                let class = Target::Class(k as u32);
                let count = examples.iter().filter(|e| e.target == class).count();
                println!("class      {label}: {count}");
            }
        }
    }
    Ok(())
}
