//! One layer over a batch of uneven lengths, packed and padded: the rows and the time.
//!
//! `cargo run --release -p ragged-kernels --example packed_vs_padded`
#![allow(clippy::print_stdout)]

use std::time::Instant;

use ragged_kernels::{
    CellKind, Direction, ForwardOptions, Input, PackedShape, Result, Weights, infer,
};

fn main() -> Result<()> {
    let (batch, steps, input_size, hidden_size) = (64, 50, 7, 100);
    // Lengths 50, 49, 48, .. and again: the batch sizes shrink evenly.
    let packed: Vec<usize> = (0..steps).map(|t| batch - t * batch / steps).collect();
    let padded = vec![batch; steps];
    for (name, batch_sizes) in [("packed", packed), ("padded", padded)] {
        let shape =
            PackedShape::new(batch, &batch_sizes, input_size, hidden_size, Direction::Forward)?;
        let (n, h) = (shape.rows(), hidden_size);
        let numbers = |count: usize| (0..count).map(|k| (k as f32 * 0.37).sin() * 0.1).collect();
        let x: Vec<f32> = numbers(n * input_size);
        let (weight_ih, weight_hh): (Vec<f32>, Vec<f32>) =
            (numbers(4 * h * input_size), numbers(4 * h * h));
        let weights = Weights::new(&weight_ih, &weight_hh);
        let (input, options) = (Input::new(&x), ForwardOptions::default());
        let mut best = f64::INFINITY;
        for _ in 0..20 {
            let start = Instant::now();
            infer(CellKind::Lstm, &shape, &weights, &input, options)?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{name}: {n:4} rows in {:.3} ms", best * 1e3);
    }
    Ok(())
}
