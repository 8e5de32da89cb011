//! Packed batches whose steps are indices of tokens.

use candle_core::{DType, Tensor};

use crate::error::{Error, Result};
use crate::layout::PackedLayout;
use crate::packed_sequence::PackedSequence;

/// A packed batch whose steps are indices of tokens, such as words; optionally with numbers, and with a sequence of
/// its own for each step, such as the characters of the word.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{PackedLayout, PackedSequence, PackedTokens};
///
/// // "to be" and "be": words 1 and 2, of which "be" is spelled 3 4 and "to" 5 6.
/// let ids = Tensor::new(&[[1u32], [2], [2]], &Device::Cpu)?;
/// let ids = PackedSequence::from_layout(ids, PackedLayout::from_lengths(&[2, 1]))?;
/// let letters = Tensor::new(&[3u32, 5, 4, 6], &Device::Cpu)?;
/// let letters = PackedSequence::from_layout(letters, PackedLayout::from_lengths(&[2, 2]))?;
/// // Each distinct word is spelled once: step 0 reads sequence 1, the others read sequence 0.
/// let tokens = PackedTokens::new(ids)?.with_inner(letters, vec![1, 0, 0])?;
/// assert_eq!(tokens.layout().lengths(), [2, 1]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PackedTokens {
    /// `[N, K]` of dtype `u32`.
    ids: PackedSequence,
    /// `[N, F]`.
    values: Option<Tensor>,
    inner: Option<InnerSequences>,
}

/// The sequences that the steps of a packed batch consist of.
#[derive(Debug, Clone)]
pub struct InnerSequences {
    sequences: PackedSequence,
    rows: Vec<u32>,
}

impl InnerSequences {
    /// Returns the packed batch of U sequences of indices, `[M]` of dtype `u32`.
    pub fn sequences(&self) -> &PackedSequence {
        &self.sequences
    }

    /// Returns, for each of the N steps of the outer batch, which of the U sequences it consists of.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }
}

impl PackedTokens {
    /// Creates a packed batch of K columns of indices, `[N, K]` of dtype `u32`. K may be 0.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for another number of dimensions, [`Error::TokenDType`] for another dtype.
    pub fn new(ids: PackedSequence) -> Result<Self> {
        if ids.data().rank() != 2 {
            let got = ids.data().dims().to_vec();
            return Err(Error::Rank { name: "token ids", expected: "[N, K]", got });
        }
        check_dtype(ids.data())?;
        Ok(Self { ids, values: None, inner: None })
    }

    /// Adds numbers, `[N, F]`.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for another number of dimensions, [`Error::PackedRows`] for another number of rows.
    pub fn with_values(mut self, values: Tensor) -> Result<Self> {
        if values.rank() != 2 {
            let got = values.dims().to_vec();
            return Err(Error::Rank { name: "values", expected: "[N, F]", got });
        }
        check_rows(self.layout(), values.dims())?;
        self.values = Some(values);
        Ok(self)
    }

    /// Adds the sequences of which the steps consist: a packed batch of U sequences of indices, `[M]` of dtype
    /// `u32`, and for each of the N steps the sequence that it reads.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] and [`Error::TokenDType`] for other indices, [`Error::PackedRows`] unless there is one entry
    /// of `rows` for each step, [`Error::InnerSequence`] for one that is not below U.
    pub fn with_inner(mut self, sequences: PackedSequence, rows: Vec<u32>) -> Result<Self> {
        if sequences.data().rank() != 1 {
            let got = sequences.data().dims().to_vec();
            return Err(Error::Rank { name: "inner token ids", expected: "[M]", got });
        }
        check_dtype(sequences.data())?;
        check_rows(self.layout(), &[rows.len()])?;
        let count = sequences.batch_size();
        if let Some(step) = rows.iter().position(|&row| row as usize >= count) {
            return Err(Error::InnerSequence { step, got: rows[step] as usize, count });
        }
        self.inner = Some(InnerSequences { sequences, rows });
        Ok(self)
    }

    /// Returns the order of the rows.
    pub fn layout(&self) -> &PackedLayout {
        self.ids.layout()
    }

    /// Returns the indices, `[N, K]` of dtype `u32`.
    pub fn ids(&self) -> &Tensor {
        self.ids.data()
    }

    /// Returns the numbers, `[N, F]`.
    pub fn values(&self) -> Option<&Tensor> {
        self.values.as_ref()
    }

    /// Returns the sequences of which the steps consist.
    pub fn inner(&self) -> Option<&InnerSequences> {
        self.inner.as_ref()
    }
}

fn check_rows(layout: &PackedLayout, dims: &[usize]) -> Result<()> {
    match dims[0] == layout.rows() {
        true => Ok(()),
        false => Err(Error::PackedRows { expected: layout.rows(), got: dims.to_vec() }),
    }
}

fn check_dtype(ids: &Tensor) -> Result<()> {
    match ids.dtype() {
        DType::U32 => Ok(()),
        got => Err(Error::TokenDType { got }),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn packed(ids: Tensor, lengths: &[usize]) -> PackedSequence {
        PackedSequence::from_layout(ids, PackedLayout::from_lengths(lengths)).unwrap()
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let ids = |dtype| Tensor::zeros((3, 1), dtype, &Device::Cpu).unwrap();
        let error = |result: Result<PackedTokens>| result.unwrap_err().to_string();
        let flat = packed(Tensor::zeros(3, DType::U32, &Device::Cpu).unwrap(), &[2, 1]);
        let message = "token ids: expected a tensor [N, K], got shape [3]";
        assert_eq!(error(PackedTokens::new(flat.clone())), message);
        let message = "token ids have dtype f32: expected u32";
        assert_eq!(error(PackedTokens::new(packed(ids(DType::F32), &[2, 1]))), message);

        let tokens = PackedTokens::new(packed(ids(DType::U32), &[2, 1])).unwrap();
        let values = Tensor::zeros((2, 4), DType::F32, &Device::Cpu).unwrap();
        let message = "packed data: expected 3 rows, got shape [2, 4]";
        assert_eq!(error(tokens.clone().with_values(values)), message);
        let message = "packed data: expected 3 rows, got shape [2]";
        assert_eq!(error(tokens.clone().with_inner(flat.clone(), vec![0, 1])), message);
        let message = "step 2 consists of inner sequence 2: expected one below 2";
        assert_eq!(error(tokens.with_inner(flat, vec![0, 1, 2])), message);
    }
}
