//! Prints the lecture's worked example: three sequences are padded, packed, and padded again.
//!
//! `cargo run -p ragged-sequence --example pack`
#![allow(clippy::print_stdout)]

use candle_core::{Device, Tensor};
use ragged_sequence::{Padding, pack_padded_sequence, pad_packed_sequence, pad_sequence};

fn main() -> ragged_sequence::Result<()> {
    let sequences = [
        Tensor::new(&[1u32, 2, 3], &Device::Cpu)?,
        Tensor::new(&[4u32, 5], &Device::Cpu)?,
        Tensor::new(&[6u32, 7, 8, 9], &Device::Cpu)?,
    ];
    let padded = pad_sequence(&sequences, &Padding::default())?;
    println!("padded\n{padded}\n");

    let packed = pack_padded_sequence(&padded, &[3, 2, 4], false)?;
    println!("packed            {:?}", packed.data().to_vec1::<u32>()?);
    println!("batch_sizes       {:?}", packed.batch_sizes());
    println!("sorted_indices    {:?}", packed.sorted_indices());
    println!("unsorted_indices  {:?}\n", packed.unsorted_indices());

    let (back, lengths) = pad_packed_sequence(&packed, &Padding::default())?;
    println!("lengths {lengths:?}, padded back\n{back}");
    Ok(())
}
