//! The packed batch and the ways into and out of it.

use candle_core::{DType, Device, Tensor};

use crate::lengths::{check_lengths, resolve_total_length};
use crate::pad::{batch_and_steps, concatenate, unflatten};
use crate::rows::{select, select_or_fill};
use crate::{Error, PackedLayout, Padding, Result};

/// Sequences of unequal length without padding, time step by time step, longest sequence first.
///
/// Its four parts are PyTorch's: `data` `[N, ...]`, `batch_sizes`, `sorted_indices` and
/// `unsorted_indices`. None can be changed alone, so they always agree.
#[derive(Debug, Clone)]
pub struct PackedSequence {
    data: Tensor,
    layout: PackedLayout,
}

impl PackedSequence {
    /// Puts a packed batch together from its parts, as they come out of PyTorch.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] where `batch_sizes` grows, holds a zero or starts above B, where
    /// `sorted_indices` `[B]` is no permutation, or where `data` does not have N rows.
    pub fn new(data: Tensor, batch_sizes: Vec<usize>, sorted_indices: Vec<usize>) -> Result<Self> {
        Self::from_layout(data, PackedLayout::new(batch_sizes, sorted_indices)?)
    }

    /// Rows `data` `[N, ...]` that lie in the order of `layout`.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] where `data` does not have N rows.
    pub fn from_layout(data: Tensor, layout: PackedLayout) -> Result<Self> {
        if data.dims().first() != Some(&layout.rows()) {
            return Err(Error::Layout {
                name: "packed data",
                expected: format!("{} rows", layout.rows()),
                got: format!("shape {:?}", data.dims()),
            });
        }
        Ok(Self { data, layout })
    }

    /// The rows, `[N, ...]`.
    pub fn data(&self) -> &Tensor {
        &self.data
    }

    /// The order of the rows.
    pub fn layout(&self) -> &PackedLayout {
        &self.layout
    }

    /// `[T]`: how many sequences run at each step.
    pub fn batch_sizes(&self) -> &[usize] {
        self.layout.batch_sizes()
    }

    /// `[B]`: the caller's index of each sequence in sorted order.
    pub fn sorted_indices(&self) -> &[usize] {
        self.layout.sorted_indices()
    }

    /// `[B]`: the sorted place of each sequence in the caller's order.
    pub fn unsorted_indices(&self) -> &[usize] {
        self.layout.unsorted_indices()
    }

    /// B, the number of sequences, those of length zero included.
    pub fn batch_size(&self) -> usize {
        self.layout.batch_size()
    }

    /// `[B]`: the lengths, in the caller's order.
    pub fn lengths(&self) -> Vec<usize> {
        self.layout.lengths()
    }

    /// Applies what works row by row: a linear layer, an activation, a change of features.
    ///
    /// # Errors
    ///
    /// Those of `f`, and [`Error::Layout`] where it changes the number of rows.
    pub fn map(&self, f: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>) -> Result<Self> {
        Self::from_layout(f(&self.data)?, self.layout.clone())
    }

    /// The same batch on another device.
    ///
    /// # Errors
    ///
    /// Candle's, where the device cannot take it.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        self.map(|data| data.to_device(device))
    }

    /// The same batch in another dtype.
    ///
    /// # Errors
    ///
    /// Candle's, where it has no such conversion.
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        self.map(|data| data.to_dtype(dtype))
    }
}

/// Packs sequences `[length, ...]`, in any order of length unless `enforce_sorted`.
///
/// # Errors
///
/// [`Error::Count`] for no sequence at all, [`Error::Mismatch`] for one that differs from the first
/// in dtype, device or trailing shape, [`Error::Unsorted`].
pub fn pack_sequence(sequences: &[Tensor], enforce_sorted: bool) -> Result<PackedSequence> {
    let (rows, lengths) = concatenate(sequences)?;
    let layout = layout(&lengths, enforce_sorted)?;
    let mut offsets = vec![0; lengths.len()];
    for b in 1..lengths.len() {
        offsets[b] = offsets[b - 1] + lengths[b - 1];
    }
    let index = layout.positions().map(|(b, t)| offsets[b] + t).collect();
    PackedSequence::from_layout(select(&rows, index)?, layout)
}

/// The sequences of a packed batch, in the caller's order: the inverse of [`pack_sequence`].
///
/// # Errors
///
/// Candle's alone.
pub fn unpack_sequence(packed: &PackedSequence) -> Result<Vec<Tensor>> {
    let lengths = packed.lengths();
    let row = rows_by_position(packed.layout());
    let index = lengths.iter().enumerate().flat_map(|(b, &length)| {
        let row = &row;
        (0..length).map(move |t| row(b, t))
    });
    let rows = select(packed.data(), index.collect())?;
    let mut begin = 0;
    lengths
        .iter()
        .map(|&length| {
            begin += length;
            Ok(rows.narrow(0, begin - length, length)?)
        })
        .collect()
}

/// Packs a padded tensor `[B, T, ...]` whose sequences begin at step 0.
///
/// Values in the padding are not read, and get a gradient of exactly zero.
///
/// # Errors
///
/// [`Error::Count`] for a wrong number of lengths, [`Error::Length`] for one beyond T,
/// [`Error::Unsorted`] where `enforce_sorted` and lengths grow.
pub fn pack_padded_sequence(
    input: &Tensor,
    lengths: &[usize],
    enforce_sorted: bool,
) -> Result<PackedSequence> {
    let (batch, steps) = batch_and_steps(input)?;
    check_lengths(lengths, batch, steps)?;
    let layout = layout(lengths, enforce_sorted)?;
    let index = layout.positions().map(|(b, t)| b * steps + t).collect();
    PackedSequence::from_layout(select(&input.flatten(0, 1)?, index)?, layout)
}

/// The padded tensor `[B, T, ...]` of a packed batch, and its lengths, in the caller's order.
///
/// # Errors
///
/// [`Error::PaddingValue`] and [`Error::TotalLength`].
pub fn pad_packed_sequence(
    packed: &PackedSequence,
    padding: &Padding,
) -> Result<(Tensor, Vec<usize>)> {
    let lengths = packed.lengths();
    let total = resolve_total_length(&lengths, padding.total_length)?;
    let row = rows_by_position(packed.layout());
    let index = lengths.iter().enumerate().flat_map(|(b, &length)| {
        let (row, begin) = (&row, padding.side.begin(length, total));
        (0..total).map(move |t| (begin..begin + length).contains(&t).then(|| row(b, t - begin)))
    });
    let padded = select_or_fill(packed.data(), index, padding.value)?;
    Ok((unflatten(&padded, lengths.len(), total)?, lengths))
}

/// The layout of `lengths`, which must already be in order where `enforce_sorted`.
fn layout(lengths: &[usize], enforce_sorted: bool) -> Result<PackedLayout> {
    if enforce_sorted && let Some(i) = lengths.windows(2).position(|pair| pair[0] < pair[1]) {
        let (previous, length) = (lengths[i], lengths[i + 1]);
        return Err(Error::Unsorted { index: i + 1, length, previous });
    }
    Ok(PackedLayout::from_lengths(lengths))
}

/// The packed row of step `t` of sequence `b`, as the caller counts.
pub(crate) fn rows_by_position(layout: &PackedLayout) -> impl Fn(usize, usize) -> usize + '_ {
    let offsets: Vec<usize> = layout
        .batch_sizes()
        .iter()
        .scan(0, |end, &running| {
            *end += running;
            Some(*end - running)
        })
        .collect();
    move |b, t| offsets[t] + layout.unsorted_indices()[b]
}
