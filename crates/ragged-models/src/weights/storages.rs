//! The storages of a checkpoint, and tensors as views of them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{Read, Seek};

use candle_core::{DType, Device, Storage, Tensor, WithDType};
use half::{bf16, f16};
use zip::ZipArchive;

use crate::weights::tensor_record::TensorRecord;

/// The bytes that copied tensors may have in total beyond the bytes of the storages. Only tensors
/// whose elements overlap in their storage need more than the storages have.
const MAX_OVERLAP: usize = 1 << 28;

/// The records `data/KEY` of an archive. Each is read once; tensors with the same storage share it.
pub(crate) struct Storages<R> {
    archive: ZipArchive<R>,
    /// The folder of all records, with its `/`.
    root: String,
    /// Whether the elements are stored with their most significant byte first.
    big_endian: bool,
    read: HashMap<(String, DType), Tensor>,
    /// The bytes that may still be copied.
    copies: usize,
}

impl<R: Read + Seek> Storages<R> {
    /// Reads the byte order of the archive. Files of PyTorch before 2.1 do not name it; theirs is
    /// taken to be little-endian, as PyTorch does.
    pub(crate) fn open(mut archive: ZipArchive<R>, root: String) -> Result<Self, String> {
        let mut order = vec![];
        let name = format!("{root}byteorder");
        if archive.index_for_name(&name).is_some() {
            let entry = archive.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
            entry.take(64).read_to_end(&mut order).map_err(|error| format!("{name}: {error}"))?;
        } else {
            order = b"little".into();
        }
        let big_endian = match order.as_slice() {
            b"little" => false,
            b"big" => true,
            other => {
                let got = String::from_utf8_lossy(other);
                return Err(format!("{name}: expected `little` or `big`, got `{got}`"));
            }
        };
        Ok(Self { archive, root, big_endian, read: HashMap::new(), copies: MAX_OVERLAP })
    }

    /// Returns a tensor. It is a view of its storage where candle can represent it: contiguous,
    /// transposed and expanded tensors need no memory of their own.
    ///
    /// # Errors
    ///
    /// The reason why the storage cannot be read, or does not hold the tensor.
    pub(crate) fn tensor(&mut self, record: &TensorRecord) -> Result<Tensor, String> {
        let TensorRecord { dtype, offset, size, stride, .. } = record;
        let flat = self.flat(&record.storage, *dtype)?;
        let held = flat.elem_count();
        let outside = || format!("size {size:?} is beyond the {held} elements of its storage");
        let mut nonzero = size.iter().filter(|&&dim| dim > 0);
        let bytes = nonzero.try_fold(dtype.size_in_bytes(), |bytes, &dim| bytes.checked_mul(dim));
        bytes.filter(|&bytes| isize::try_from(bytes).is_ok()).ok_or_else(outside)?;
        let text = |error: candle_core::Error| error.to_string();
        if size.contains(&0) {
            return Tensor::zeros(size.as_slice(), *dtype, &Device::Cpu).map_err(text);
        }
        let mut dims = size.iter().zip(stride);
        let last = dims.try_fold(*offset, |at, (&dim, &stride)| {
            at.checked_add((dim - 1).checked_mul(stride)?)
        });
        last.filter(|&last| last < held).ok_or_else(outside)?;

        // As in memory: from the largest stride to the smallest. Dimensions that do not move in the
        // storage are of size 1 until the end.
        let distinct = |k: usize| if stride[k] == 0 { 1 } else { size[k] };
        let mut order: Vec<usize> = (0..size.len()).collect();
        order.sort_by_key(|&k| (distinct(k) == 1, Reverse(stride[k])));
        let sizes: Vec<usize> = order.iter().map(|&k| distinct(k)).collect();
        let strides: Vec<usize> = order.iter().map(|&k| stride[k]).collect();
        let count: usize = sizes.iter().product();
        let mut packed = 1;
        let is_packed = sizes.iter().zip(&strides).rev().all(|(&dim, &stride)| {
            let fits = dim == 1 || stride == packed;
            packed *= dim;
            fits
        });
        let elements = if is_packed && !record.negative {
            flat.narrow(0, *offset, count).map_err(text)?
        } else {
            let copied = count * dtype.size_in_bytes();
            self.copies = self.copies.checked_sub(copied).ok_or_else(|| {
                format!("size {size:?} repeats elements of its storage too often: save a copy")
            })?;
            let steps: Vec<_> = sizes.iter().copied().zip(strides).collect();
            copy(&flat, *offset, &steps, record.negative).map_err(text)?
        };
        let mut inverse = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &k)| inverse[k] = at);
        let view = || elements.reshape(sizes)?.permute(inverse)?.broadcast_as(size.as_slice());
        view().map_err(text)
    }

    /// Returns all elements of a storage, [N].
    fn flat(&mut self, key: &str, dtype: DType) -> Result<Tensor, String> {
        let id = (key.to_string(), dtype);
        if let Some(tensor) = self.read.get(&id) {
            return Ok(tensor.clone());
        }
        let name = format!("{}data/{key}", self.root);
        let mut bytes = vec![];
        let entry = self.archive.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
        let (size, compressed) = (entry.size(), entry.compressed_size());
        check_ratio(size, compressed).map_err(|error| format!("{name}: {error}"))?;
        // The size is the one that the archive declares. More than that is not read.
        let read = entry.take(size).read_to_end(&mut bytes);
        read.map_err(|error| format!("{name}: {error}"))?;
        let width = dtype.size_in_bytes();
        let held = bytes.len() / width;
        bytes.truncate(held * width);
        if self.big_endian != cfg!(target_endian = "big") {
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        let tensor = Tensor::from_raw_buffer(&bytes, dtype, &[held], &Device::Cpu);
        let tensor = tensor.map_err(|error| format!("{name}: {error}"))?;
        self.copies = self.copies.saturating_add(bytes.len());
        self.read.insert(id, tensor.clone());
        Ok(tensor)
    }
}

/// Checks by how much a storage is compressed. PyTorch does not compress; an archive that is built to fill the
/// memory is compressed by up to 1000 to 1.
fn check_ratio(size: u64, compressed: u64) -> Result<(), String> {
    let ratio = size / compressed.max(1);
    if size > ANY_RATIO && ratio > MAX_RATIO {
        return Err(format!(
            "{size} bytes, compressed by {ratio} to 1: expected at most {MAX_RATIO} to 1 for storages above \
             {ANY_RATIO} bytes"
        ));
    }
    Ok(())
}

/// Storages up to this size may be compressed by any ratio: 64 MiB.
const ANY_RATIO: u64 = 64 << 20;

/// The highest ratio by which larger storages may be compressed.
const MAX_RATIO: u64 = 200;

/// Returns elements of a storage, [N]: from `offset`, along dimensions of (size, stride).
fn copy(
    flat: &Tensor,
    offset: usize,
    dims: &[(usize, usize)],
    negative: bool,
) -> candle_core::Result<Tensor> {
    fn of<T: WithDType>(
        flat: &Tensor,
        offset: usize,
        dims: &[(usize, usize)],
        map: impl Fn(T) -> T,
    ) -> candle_core::Result<Tensor> {
        let (storage, _) = flat.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { candle_core::bail!("expected the CPU") };
        let elements = T::cpu_storage_as_slice(storage)?;
        let count = dims.iter().map(|&(dim, _)| dim).product();
        let mut copied = Vec::with_capacity(count);
        let mut index = vec![0; dims.len()];
        let mut at = offset;
        loop {
            copied.push(map(elements[at]));
            // The next index: the last dimension runs fastest.
            let Some(k) = (0..dims.len()).rev().find(|&k| index[k] + 1 < dims[k].0) else { break };
            for (passed, &(dim, stride)) in index[k + 1..].iter_mut().zip(&dims[k + 1..]) {
                *passed = 0;
                at -= (dim - 1) * stride;
            }
            index[k] += 1;
            at += dims[k].1;
        }
        Tensor::from_vec(copied, count, &Device::Cpu)
    }
    macro_rules! copy {
        ($dtype:ty, $negate:expr) => {{
            let negate: fn($dtype) -> $dtype = if negative { $negate } else { |x| x };
            of(flat, offset, dims, negate)
        }};
    }
    match flat.dtype() {
        DType::F32 => copy!(f32, |x| -x),
        DType::F64 => copy!(f64, |x| -x),
        DType::F16 => copy!(f16, |x| -x),
        DType::BF16 => copy!(bf16, |x| -x),
        DType::U8 => copy!(u8, u8::wrapping_neg),
        DType::U32 => copy!(u32, u32::wrapping_neg),
        DType::I16 => copy!(i16, i16::wrapping_neg),
        DType::I32 => copy!(i32, i32::wrapping_neg),
        DType::I64 => copy!(i64, i64::wrapping_neg),
        dtype => candle_core::bail!("dtype {} is not supported", dtype.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_that_would_fill_the_memory_is_refused() {
        assert_eq!(check_ratio(1 << 40, 1 << 40), Ok(()));
        assert_eq!(check_ratio(1 << 20, 1 << 10), Ok(()));
        let error = check_ratio(1 << 30, 1 << 20).unwrap_err();
        assert!(error.starts_with("1073741824 bytes, compressed by 1024 to 1"), "{error}");
    }
}
