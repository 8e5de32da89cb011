//! Fills missing values and scales a series, first as a whole, then as its values arrive.
//!
//! ```text
//! cargo run -p ragged-transforms --example stream
//! ```

#![allow(clippy::print_stdout)]

use ragged_transforms::{Pipeline, Result, Standardize, Transform, Values};

fn main() -> Result<()> {
    let scale = Standardize { mean: vec![20.0], std: vec![2.5] };
    let pipeline = Pipeline::new(1, vec![Transform::ForwardFill, Transform::Standardize(scale)])?;
    let series = [20.0, 22.5, f64::NAN, 25.0];
    println!("{:?}", pipeline.apply(Values::rounded(&series, 1)?)?.as_slice());
    let mut state = pipeline.state()?;
    for value in series {
        let mut scaled = Values::rounded(&[value], 1)?;
        pipeline.apply_next(&mut scaled, &mut state)?;
        println!("{value} becomes {}", scaled.as_slice()[0]);
    }
    Ok(())
}
