//! One parameter updated in place, with the numbers that its rule keeps beside it.

use std::cell::RefCell;

use candle_core::{CpuStorage, DType, Device, InplaceOp2, Layout, Tensor, Var, WithDType};

use super::rules::Rule;

type Result<T> = candle_core::Result<T>;

/// The number types that parameters have.
pub(super) trait Real: WithDType {
    fn sqrt(self) -> Self;
    /// The slots, if they are of this type.
    fn slots(slots: &mut Slots) -> Option<&mut Vec<Vec<Self>>>;
}

macro_rules! real {
    ($type:ty, $variant:ident) => {
        impl Real for $type {
            fn sqrt(self) -> Self {
                self.sqrt()
            }

            fn slots(slots: &mut Slots) -> Option<&mut Vec<Vec<Self>>> {
                match slots {
                    Slots::$variant(slots) => Some(slots),
                    _ => None,
                }
            }
        }
    };
}

real!(f32, F32);
real!(f64, F64);

/// What a rule keeps for one parameter: some vectors as long as it, in its type.
#[derive(Clone)]
pub(super) enum Slots {
    F32(Vec<Vec<f32>>),
    F64(Vec<Vec<f64>>),
}

impl Slots {
    /// `count` vectors of zeros.
    pub(super) fn zeros(var: &Var, count: usize) -> Result<Self> {
        let len = var.elem_count();
        match var.dtype() {
            DType::F32 => Ok(Self::F32(vec![vec![0.0; len]; count])),
            DType::F64 => Ok(Self::F64(vec![vec![0.0; len]; count])),
            dtype => candle_core::bail!("an update needs f32 or f64, got {}", dtype.as_str()),
        }
    }

    /// From tensors, in the type of the parameter.
    pub(super) fn from_tensors(var: &Var, tensors: &[&Tensor]) -> Result<Self> {
        let flat = |t: &&Tensor| t.to_dtype(var.dtype())?.flatten_all();
        let flat = tensors.iter().map(flat).collect::<Result<Vec<_>>>()?;
        Ok(match Self::zeros(var, 0)? {
            Self::F32(_) => Self::F32(flat.iter().map(Tensor::to_vec1).collect::<Result<_>>()?),
            Self::F64(_) => Self::F64(flat.iter().map(Tensor::to_vec1).collect::<Result<_>>()?),
        })
    }

    /// As tensors of the parameter's shape.
    pub(super) fn to_tensors(&self, var: &Var) -> Result<Vec<Tensor>> {
        let shape = || var.shape().clone();
        match self {
            Self::F32(slots) => {
                slots.iter().map(|s| Tensor::from_slice(s, shape(), &Device::Cpu)).collect()
            }
            Self::F64(slots) => {
                slots.iter().map(|s| Tensor::from_slice(s, shape(), &Device::Cpu)).collect()
            }
        }
    }
}

/// Updates `var` by its gradient.
pub(super) fn update(var: &Var, gradient: &Tensor, slots: &mut Slots, rule: &Rule) -> Result<()> {
    var.as_tensor()
        .inplace_op2(&gradient.contiguous()?, &InPlace { rule, slots: RefCell::new(slots) })
}

/// Candle hands out a tensor's own numbers to an operation in place alone.
struct InPlace<'a> {
    rule: &'a Rule<'a>,
    slots: RefCell<&'a mut Slots>,
}

impl InPlace<'_> {
    fn run<T: Real>(&self, p: &mut [T], g: &CpuStorage, layout: &Layout) -> Result<()> {
        let (start, end) = offsets(layout)?;
        let g = &T::cpu_storage_as_slice(g)?[start..end];
        let mut slots = self.slots.borrow_mut();
        let Some(slots) = T::slots(&mut slots) else {
            candle_core::bail!("an update of {:?} by a state of another type", T::DTYPE);
        };
        if g.len() != p.len() || slots.iter().any(|slot| slot.len() != p.len()) {
            candle_core::bail!("an update of {} numbers by a gradient of {}", p.len(), g.len());
        }
        self.rule.apply(p, g, slots);
        Ok(())
    }
}

impl InplaceOp2 for InPlace<'_> {
    fn name(&self) -> &'static str {
        "ragged-update"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        p_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<()> {
        let (start, end) = offsets(p_layout)?;
        match p {
            CpuStorage::F32(p) => self.run(&mut p[start..end], g, g_layout),
            CpuStorage::F64(p) => self.run(&mut p[start..end], g, g_layout),
            _ => candle_core::bail!("an update needs dtype f32 or f64"),
        }
    }
}

fn offsets(layout: &Layout) -> Result<(usize, usize)> {
    match layout.contiguous_offsets() {
        Some(offsets) => Ok(offsets),
        None => candle_core::bail!("an update needs contiguous tensors"),
    }
}
