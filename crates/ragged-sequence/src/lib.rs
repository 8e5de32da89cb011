//! Sequences of unequal length on candle: lengths, padding and packing.
//!
//! The principal type is [`PackedSequence`]. A batch must be one tensor, but sequences differ in length.
//! *Padding* makes them equally long, and a model then computes the padding, too. *Packing* keeps only the
//! time steps that exist, in such an order that each time step of a recurrent layer is one contiguous
//! block of rows. For `[1, 2, 3]`, `[4, 5]` and `[6, 7, 8, 9]`:
//!
//! ```text
//! padded        sorted by length   packed, step by step
//! 1 2 3 0       6 7 8 9            step         0 | 1 | 2 | 3
//! 4 5 0 0       1 2 3 0            data         6 1 4 | 7 2 5 | 8 3 | 9
//! 6 7 8 9       4 5 0 0            batch_sizes  3       3       2     1
//! ```
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use ragged_sequence::{pack_padded_sequence, pad_packed_sequence, pad_sequence, Padding};
//!
//! let sequences = [
//!     Tensor::new(&[1u32, 2, 3], &Device::Cpu)?,
//!     Tensor::new(&[4u32, 5], &Device::Cpu)?,
//!     Tensor::new(&[6u32, 7, 8, 9], &Device::Cpu)?,
//! ];
//! let padded = pad_sequence(&sequences, &Padding::default())?;
//! assert_eq!(padded.to_vec2::<u32>()?, [[1, 2, 3, 0], [4, 5, 0, 0], [6, 7, 8, 9]]);
//!
//! let packed = pack_padded_sequence(&padded, &[3, 2, 4], false)?;
//! assert_eq!(packed.data().to_vec1::<u32>()?, [6, 1, 4, 7, 2, 5, 8, 3, 9]);
//! assert_eq!(packed.batch_sizes(), [3, 3, 2, 1]);
//! assert_eq!(packed.sorted_indices(), [2, 0, 1]);
//!
//! let (back, lengths) = pad_packed_sequence(&packed, &Padding::default())?;
//! assert_eq!(back.to_vec2::<u32>()?, padded.to_vec2::<u32>()?);
//! assert_eq!(lengths, [3, 2, 4]);
//! # Ok::<(), ragged_sequence::Error>(())
//! ```
//!
//! The functions have the names of `torch.nn.utils.rnn`. They accept any trailing shape, and any dtype
//! and device of candle; gradients flow through all of them. They differ from PyTorch as follows:
//!
//! - Sequences of length zero are allowed everywhere (pytorch#11514, #80605); they have no rows.
//! - Lengths beyond the padded steps, fractional lengths, mixed dtypes, and padding values that the dtype
//!   cannot represent are [errors](Error) that name the index. PyTorch changes such values silently.
//! - Sequences of the same length keep the caller's order.
//! - Tensors are batch-first.
//!
//! # Letters
//!
//! **B** sequences, **T** steps, **N** packed rows (the sum of the lengths).
//!
//! # In reading order
//!
//! 1. [`PackedLayout`]: which row belongs to which sequence and step.
//! 2. [`pad_sequence`] and [`unpad_sequence`]: padding.
//! 3. [`PackedSequence`] with [`pack_sequence`], [`unpack_sequence`], [`pack_padded_sequence`] and
//!    [`pad_packed_sequence`]: packing.
//! 4. [`PackedTokens`]: packed batches of token ids, also of sequences that consist of sequences.
//! 5. [`lengths_from_tensor`], [`lengths_to_mask`] and [`mask_to_lengths`]: forms of lengths.
//! 6. [`pool`] (one row per sequence), [`packed_softmax`] and [`reverse_packed_sequence`]: operations on
//!    packed rows.
//! 7. [`random`]: the seeded generators of the whole workspace.

#![forbid(unsafe_code)]

mod error;
#[cfg(feature = "candle")]
mod gather;
mod layout;
#[cfg(feature = "candle")]
mod lengths;
#[cfg(feature = "candle")]
mod packed_sequence;
#[cfg(feature = "candle")]
mod packed_tokens;
#[cfg(feature = "candle")]
mod pad;
#[cfg(feature = "candle")]
mod pool;
#[cfg(feature = "candle")]
pub mod random;
#[cfg(feature = "candle")]
mod reverse;
#[cfg(feature = "candle")]
mod softmax;

pub use error::{Error, Result};
pub use layout::{PackedLayout, invert_permutation};
#[cfg(feature = "candle")]
pub use lengths::{lengths_from_tensor, lengths_to_mask, mask_to_lengths};
#[cfg(feature = "candle")]
pub use packed_sequence::{
    PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence, unpack_sequence,
};
#[cfg(feature = "candle")]
pub use packed_tokens::{InnerSequences, PackedTokens};
#[cfg(feature = "candle")]
pub use pad::{Padding, PaddingSide, pad_sequence, unpad_sequence};
#[cfg(feature = "candle")]
pub use pool::{Pooling, pool};
#[cfg(feature = "candle")]
pub use reverse::{reverse_packed_sequence, reverse_padded_sequence};
#[cfg(feature = "candle")]
pub use softmax::{masked_softmax, packed_softmax};

#[cfg(all(doctest, feature = "candle"))]
#[doc = include_str!("../README.md")]
struct Readme;
