//! What is in a `.ts` file.
//!
//! `cargo run -p ragged-datasets --example inspect_ts -- PATH.ts`
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use ragged_datasets::{Target, TargetKind, ts};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).map(PathBuf::from).ok_or("usage: inspect_ts PATH.ts")?;
    let file = ts::read(&path)?;
    let lengths: Vec<usize> = file.examples.iter().map(|e| e.sequence.len()).collect();
    println!("name       {}", file.problem_name.as_deref().unwrap_or("(none)"));
    println!("series     {}", file.examples.len());
    println!("features   {}", file.features);
    println!("lengths    {:?} to {:?}", lengths.iter().min(), lengths.iter().max());
    let values = || file.examples.iter().flat_map(|e| e.sequence.values());
    println!("missing    {} of {}", values().filter(|v| v.is_nan()).count(), values().count());
    match &file.target_kind {
        TargetKind::Values(count) => println!("targets    {count} a series"),
        TargetKind::StepClasses(_) | TargetKind::StepValues(_) => println!("targets    a step"),
        TargetKind::Classes(labels) => {
            for (k, label) in labels.iter().enumerate() {
                let class = Target::Class(k as u32);
                let count = file.examples.iter().filter(|e| e.target == class).count();
                println!("class      {label}: {count}");
            }
        }
    }
    Ok(())
}
