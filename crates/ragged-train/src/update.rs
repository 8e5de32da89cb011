//! Element by element updates of a parameter or a moment, in place.

use candle_core::{CpuStorage, DType, InplaceOp3, Layout, Result, Tensor, WithDType};

/// The number types that parameters have.
pub(crate) trait Real: WithDType {
    fn sqrt(self) -> Self;
}

impl Real for f32 {
    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

impl Real for f64 {
    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

/// A rule `target = apply(target, a, b)`, the same for every element.
pub(crate) trait Update {
    fn apply<T: Real>(&self, target: T, a: T, b: T) -> T;
}

/// Applies a rule to tensors of one shape.
pub(crate) fn update(target: &Tensor, a: &Tensor, b: &Tensor, rule: impl Update) -> Result<()> {
    target.inplace_op3(&a.contiguous()?, &b.contiguous()?, &InPlace(rule))
}

struct InPlace<U>(U);

impl<U: Update> InPlace<U> {
    fn run<T: Real>(
        &self,
        target: &mut [T],
        a: (&CpuStorage, &Layout),
        b: (&CpuStorage, &Layout),
    ) -> Result<()> {
        let (a, b) = (slice::<T>(a)?, slice::<T>(b)?);
        if (a.len(), b.len()) != (target.len(), target.len()) {
            candle_core::bail!("update of {} by {} and {}", target.len(), a.len(), b.len());
        }
        for ((target, &a), &b) in target.iter_mut().zip(a).zip(b) {
            *target = self.0.apply(*target, a, b);
        }
        Ok(())
    }
}

impl<U: Update> InplaceOp3 for InPlace<U> {
    fn name(&self) -> &'static str {
        "ragged-update"
    }

    fn cpu_fwd(
        &self,
        target: &mut CpuStorage,
        layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<()> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("an update needs a contiguous target");
        };
        let (a, b) = ((a, a_layout), (b, b_layout));
        match target {
            CpuStorage::F32(target) => self.run::<f32>(&mut target[start..end], a, b),
            CpuStorage::F64(target) => self.run::<f64>(&mut target[start..end], a, b),
            _ => candle_core::bail!("an update needs dtype {:?} or {:?}", DType::F32, DType::F64),
        }
    }
}

fn slice<'a, T: WithDType>((storage, layout): (&'a CpuStorage, &Layout)) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("an update needs contiguous tensors");
    };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}
