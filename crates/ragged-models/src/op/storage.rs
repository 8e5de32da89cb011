//! The elements of tensors as slices.

use candle_core::{Layout, Result, Storage, StorageRef, WithDType, bail};

/// The element types of a layer, for messages.
pub(crate) const ELEMENTS: &str =
    if cfg!(feature = "f64") { "f32 or f64" } else { "f32 (f64 with the feature `f64`)" };

/// The elements of a contiguous tensor on the CPU.
pub(crate) fn slice<'a, T: WithDType>(
    (storage, layout): &'a (StorageRef, &Layout),
) -> Result<&'a [T]> {
    let (Storage::Cpu(storage), Some((start, end))) = (&**storage, layout.contiguous_offsets())
    else {
        bail!("recurrent layer: expected contiguous tensors on the CPU");
    };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}
