//! Padding and packing, compared exactly.

use candle_core::Tensor;
use ragged_sequence::{
    Padding, PaddingSide, lengths_from_tensor, pack_padded_sequence, pack_sequence,
    pad_packed_sequence, pad_sequence, unpack_sequence, unpad_sequence,
};

use crate::conformance::case::{Case, CaseResult, Comparison};

pub(super) fn compare(case: &Case) -> CaseResult<Comparison> {
    let (batch, sorted) = (case.size("batch")?, case.flag("enforce_sorted")?);
    let sequences = (0..batch).map(|b| Ok(case.tensor(&format!("sequence.{b}"))?.clone()));
    let sequences = sequences.collect::<CaseResult<Vec<Tensor>>>()?;
    let lengths = lengths_from_tensor(case.tensor("lengths")?)?;
    let value =
        case.option("padding_value").as_f64().ok_or("option padding_value: expected a number")?;
    let total_length = match case.option("total_length").is_null() {
        true => None,
        false => Some(case.size("total_length")?),
    };
    let time_first = !case.flag("batch_first")?;
    let ours =
        |tensor: &Tensor| if time_first { tensor.transpose(0, 1) } else { Ok(tensor.clone()) };

    let mut comparison = Comparison::new(0.0);
    for (name, side) in [("padded", PaddingSide::Right), ("padded_left", PaddingSide::Left)] {
        let want = ours(case.tensor(name)?)?;
        let got = pad_sequence(&sequences, &Padding { value, side, ..Default::default() })?;
        comparison.add(name, &got, &want)?;
        let back = unpad_sequence(&want, &lengths, side)?;
        for (b, (got, want)) in back.iter().zip(&sequences).enumerate() {
            comparison.add(&format!("sequence.{b} of {name}"), got, want)?;
        }
    }

    let padded = ours(case.tensor("padded")?)?;
    let of_padded = pack_padded_sequence(&padded, &lengths, sorted)?;
    for packed in [&of_padded, &pack_sequence(&sequences, sorted)?] {
        comparison.add("data", packed.data(), case.tensor("data")?)?;
        comparison.add_sizes("batch_sizes", packed.batch_sizes(), case.tensor("batch_sizes")?)?;
        let orders = [
            ("sorted_indices", packed.sorted_indices()),
            ("unsorted_indices", packed.unsorted_indices()),
        ];
        for (name, got) in orders {
            match case.find(name) {
                Some(want) => comparison.add_sizes(name, got, want)?,
                // PyTorch omits them where they are the identity.
                None if packed.layout().is_sorted() => {}
                None => return Err(format!("{name} should be the caller's order").into()),
            }
        }
    }

    let padding = Padding { value, total_length, ..Default::default() };
    let (unpacked, unpacked_lengths) = pad_packed_sequence(&of_padded, &padding)?;
    comparison.add("unpacked", &unpacked, &ours(case.tensor("unpacked")?)?)?;
    let want = case.tensor("unpacked_lengths")?;
    comparison.add_sizes("unpacked_lengths", &unpacked_lengths, want)?;
    for (b, (got, want)) in unpack_sequence(&of_padded)?.iter().zip(&sequences).enumerate() {
        comparison.add(&format!("sequence.{b} of data"), got, want)?;
    }
    Ok(comparison)
}
