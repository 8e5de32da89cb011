//! Packing: the packed batch, and the conversions to and from it.

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};
use crate::gather::{select, select_or_fill};
use crate::layout::PackedLayout;
use crate::lengths::{check_lengths, resolve_total_length};
use crate::pad::{Padding, batch_and_steps, concatenate, unflatten};

/// Sequences of unequal length without padding: step by step, and within a step the longest sequence
/// first.
///
/// Its four parts are PyTorch's: `data` `[N, ...]`, `batch_sizes`, `sorted_indices` and
/// `unsorted_indices`. They cannot be changed separately, so they are always consistent.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::pack_sequence;
///
/// let sequence = |values: &[u32]| Tensor::new(values, &Device::Cpu);
/// let sequences = [sequence(&[1, 2])?, sequence(&[3, 4, 5])?];
/// let packed = pack_sequence(&sequences, false)?;
/// assert_eq!(packed.data().to_vec1::<u32>()?, [3, 1, 4, 2, 5]);
/// assert_eq!(packed.batch_sizes(), [2, 2, 1]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PackedSequence {
    data: Tensor,
    layout: PackedLayout,
}

impl PackedSequence {
    /// Creates a packed batch from the parts of PyTorch's.
    ///
    /// # Errors
    ///
    /// The errors of [`PackedLayout::new`], and [`Error::PackedRows`] if `data` does not have N rows.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::PackedSequence;
    /// let data = Tensor::new(&[3u32, 1, 4, 2, 5], &Device::Cpu)?;
    /// let packed = PackedSequence::new(data, vec![2, 2, 1], vec![1, 0])?;
    /// assert_eq!(packed.lengths(), [2, 3]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn new(data: Tensor, batch_sizes: Vec<usize>, sorted_indices: Vec<usize>) -> Result<Self> {
        Self::from_layout(data, PackedLayout::new(batch_sizes, sorted_indices)?)
    }

    /// Creates a packed batch from rows `data` `[N, ...]` in the order of `layout`.
    ///
    /// # Errors
    ///
    /// [`Error::PackedRows`] if `data` does not have N rows.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::{PackedLayout, PackedSequence};
    /// let data = Tensor::new(&[3u32, 1, 4, 2, 5], &Device::Cpu)?;
    /// let packed = PackedSequence::from_layout(data, PackedLayout::from_lengths(&[2, 3]))?;
    /// assert_eq!(packed.batch_sizes(), [2, 2, 1]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn from_layout(data: Tensor, layout: PackedLayout) -> Result<Self> {
        if data.dims().first() != Some(&layout.rows()) {
            return Err(Error::PackedRows { expected: layout.rows(), got: data.dims().to_vec() });
        }
        Ok(Self { data, layout })
    }

    /// Returns the rows, `[N, ...]`.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// assert_eq!(packed.data().to_vec1::<f32>()?, [3.0, 1.0, 4.0, 2.0, 5.0]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn data(&self) -> &Tensor {
        &self.data
    }

    /// Returns the order of the rows.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// assert_eq!(packed.layout().rows(), 5);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn layout(&self) -> &PackedLayout {
        &self.layout
    }

    /// Returns `[T]`: the number of sequences that have each step.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// assert_eq!(packed.batch_sizes(), [2, 2, 1]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn batch_sizes(&self) -> &[usize] {
        self.layout.batch_sizes()
    }

    /// Returns `[B]`: the caller's index of the sequence at each sorted position.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// assert_eq!(packed.sorted_indices(), [1, 0]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn sorted_indices(&self) -> &[usize] {
        self.layout.sorted_indices()
    }

    /// Returns `[B]`: the sorted position of each sequence, in the caller's order.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// assert_eq!(packed.unsorted_indices(), [1, 0]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn unsorted_indices(&self) -> &[usize] {
        self.layout.unsorted_indices()
    }

    /// Returns B, the number of sequences, including those of length zero.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// assert_eq!(packed.batch_size(), 2);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn batch_size(&self) -> usize {
        self.layout.batch_size()
    }

    /// Returns `[B]`: the lengths, in the caller's order.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// assert_eq!(packed.lengths(), [2, 3]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn lengths(&self) -> Vec<usize> {
        self.layout.lengths()
    }

    /// Applies a function that works row by row, such as a linear layer or an activation.
    ///
    /// # Errors
    ///
    /// The errors of `f`, and [`Error::PackedRows`] if it changes the number of rows.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// let doubled = packed.map(|rows| rows * 2.0)?;
    /// assert_eq!(doubled.data().to_vec1::<f32>()?, [6.0, 2.0, 8.0, 4.0, 10.0]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn map(&self, f: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>) -> Result<Self> {
        Self::from_layout(f(&self.data)?, self.layout.clone())
    }

    /// Copies the batch to a device.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// assert_eq!(packed.to_device(&Device::Cpu)?.lengths(), [2, 3]);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        self.map(|data| data.to_device(device))
    }

    /// Converts the batch to a dtype.
    ///
    /// # Errors
    ///
    /// Errors from candle, if it does not support the conversion.
    ///
    /// ```
    /// # use candle_core::{Device, Tensor};
    /// # use ragged_sequence::pack_sequence;
    /// # let a = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
    /// # let b = Tensor::new(&[3f32, 4.0, 5.0], &Device::Cpu)?;
    /// let packed = pack_sequence(&[a, b], false)?; // [1, 2] and [3, 4, 5]
    /// use candle_core::DType;
    /// assert_eq!(packed.to_dtype(DType::F64)?.data().dtype(), DType::F64);
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        self.map(|data| data.to_dtype(dtype))
    }
}

/// Packs sequences `[length, ...]`, which must be sorted by length if `enforce_sorted`.
///
/// # Errors
///
/// [`Error::NoSequences`]; [`Error::DType`], [`Error::Device`] and [`Error::TrailingShape`] for a
/// sequence that differs from the first; [`Error::Unsorted`].
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::pack_sequence;
///
/// let sequence = |values: &[u32]| Tensor::new(values, &Device::Cpu);
/// let sequences = [sequence(&[1, 2])?, sequence(&[3, 4, 5])?];
/// let packed = pack_sequence(&sequences, false)?;
/// assert_eq!(packed.data().to_vec1::<u32>()?, [3, 1, 4, 2, 5]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
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

/// Returns the sequences of a packed batch, in the caller's order: the inverse of [`pack_sequence`].
///
/// # Errors
///
/// Errors from candle.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{pack_sequence, unpack_sequence};
///
/// let sequence = |values: &[u32]| Tensor::new(values, &Device::Cpu);
/// let sequences = [sequence(&[1, 2])?, sequence(&[3, 4, 5])?];
/// let unpacked = unpack_sequence(&pack_sequence(&sequences, false)?)?;
/// assert_eq!(unpacked[1].to_vec1::<u32>()?, [3, 4, 5]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
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
/// The values of the padding are not read, and their gradient is exactly zero.
///
/// # Errors
///
/// [`Error::LengthCount`], [`Error::LengthBeyondSteps`], [`Error::Rank`], and [`Error::Unsorted`] if
/// `enforce_sorted` is set and lengths increase.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::pack_padded_sequence;
///
/// let padded = Tensor::new(&[[1u32, 2, 0], [3, 4, 5]], &Device::Cpu)?;
/// let packed = pack_padded_sequence(&padded, &[2, 3], false)?;
/// assert_eq!(packed.data().to_vec1::<u32>()?, [3, 1, 4, 2, 5]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
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

/// Returns the padded tensor `[B, T, ...]` of a packed batch, and its lengths, in the caller's order.
///
/// # Errors
///
/// [`Error::PaddingValue`] and [`Error::TotalLength`].
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{Padding, pack_sequence, pad_packed_sequence};
///
/// let sequence = |values: &[u32]| Tensor::new(values, &Device::Cpu);
/// let sequences = [sequence(&[1, 2])?, sequence(&[3, 4, 5])?];
/// let packed = pack_sequence(&sequences, false)?;
/// let (padded, lengths) = pad_packed_sequence(&packed, &Padding::default())?;
/// assert_eq!(padded.to_vec2::<u32>()?, [[1, 2, 0], [3, 4, 5]]);
/// assert_eq!(lengths, [2, 3]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
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

/// Returns the layout of `lengths`, which must be sorted if `enforce_sorted`.
fn layout(lengths: &[usize], enforce_sorted: bool) -> Result<PackedLayout> {
    if enforce_sorted && let Some(i) = lengths.windows(2).position(|pair| pair[0] < pair[1]) {
        let (previous, length) = (lengths[i], lengths[i + 1]);
        return Err(Error::Unsorted { index: i + 1, length, previous });
    }
    Ok(PackedLayout::from_lengths(lengths))
}

/// Returns a function from the caller's index `b` of a sequence and a step `t` to the packed row.
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
