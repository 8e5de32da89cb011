//! The optimiser state of one parameter as plain vectors.

use candle_core::{DType, Device, Tensor, Var, WithDType};

type Result<T> = candle_core::Result<T>;

/// The element types of parameters.
pub(crate) trait Real: WithDType {
    fn sqrt(self) -> Self;
    /// The vectors in `slots`, if they have this element type.
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

/// The optimiser state of one parameter: vectors of its length and element type.
#[derive(Debug, Clone)]
pub(crate) enum Slots {
    F32(Vec<Vec<f32>>),
    F64(Vec<Vec<f64>>),
}

impl Slots {
    /// Returns `count` vectors of zeros.
    pub(crate) fn zeros(var: &Var, count: usize) -> Result<Self> {
        let len = var.elem_count();
        match var.dtype() {
            DType::F32 => Ok(Self::F32(vec![vec![0.0; len]; count])),
            DType::F64 => Ok(Self::F64(vec![vec![0.0; len]; count])),
            dtype => candle_core::bail!(
                "optimizer state: expected a parameter of dtype f32 or f64, got {}",
                dtype.as_str()
            ),
        }
    }

    /// Copies tensors, converted to the element type of the parameter.
    pub(crate) fn from_tensors(var: &Var, tensors: &[&Tensor]) -> Result<Self> {
        let flat = |t: &&Tensor| t.to_dtype(var.dtype())?.flatten_all();
        let flat = tensors.iter().map(flat).collect::<Result<Vec<_>>>()?;
        Ok(match Self::zeros(var, 0)? {
            Self::F32(_) => Self::F32(flat.iter().map(Tensor::to_vec1).collect::<Result<_>>()?),
            Self::F64(_) => Self::F64(flat.iter().map(Tensor::to_vec1).collect::<Result<_>>()?),
        })
    }

    /// Returns the vectors as tensors of the parameter's shape.
    pub(crate) fn to_tensors(&self, var: &Var) -> Result<Vec<Tensor>> {
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
