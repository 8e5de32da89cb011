//! Tensors of Python as slices, by the DLPack protocol.
//!
//! DLPack is a format in which libraries pass tensors to each other: the C structure [`DlTensor`]. PyTorch 2.10 and later
//! fill it in a C function (the exchange API of DLPack 1.3), in 0.1 microseconds per tensor. Other libraries and older
//! versions of PyTorch return it from `__dlpack__()`, which takes some microseconds.
//!
//! # Safety
//!
//! A [`View`] borrows the Python object, which owns the memory. As with every library that releases the lock of the
//! interpreter, a thread must not change or resize a tensor while another thread computes with it.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{NonNull, null_mut};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCapsule, PyCapsuleMethods, PyType};

/// `DLTensor` of `dlpack.h`.
#[repr(C)]
struct DlTensor {
    data: *mut c_void,
    device_type: i32,
    device_id: i32,
    ndim: i32,
    /// 0 for signed integers, 1 for unsigned ones, 2 for floats, 6 for booleans.
    dtype_code: u8,
    dtype_bits: u8,
    dtype_lanes: u16,
    shape: *const i64,
    /// In elements; null for a contiguous tensor.
    strides: *const i64,
    byte_offset: u64,
}

const CPU: i32 = 1;

/// `DLPackVersion`.
#[repr(C)]
struct Version {
    major: u32,
    minor: u32,
}

/// `DLPackExchangeAPI` of version 1. Only one function of it is used.
#[repr(C)]
struct ExchangeApi {
    version: Version,
    previous: *const c_void,
    allocate: *const c_void,
    managed_from_object: *const c_void,
    object_from_managed: *const c_void,
    /// Describes a tensor without a new reference to it. Returns -1 and sets a Python error on failure.
    describe: Option<unsafe extern "C" fn(*mut c_void, *mut DlTensor) -> c_int>,
    current_stream: *const c_void,
}

/// The class of PyTorch's tensors, and the function that describes one.
static TORCH: PyOnceLock<(Py<PyType>, Describe)> = PyOnceLock::new();
type Describe = unsafe extern "C" fn(*mut c_void, *mut DlTensor) -> c_int;

/// Looks up the exchange API of a class of tensors. Returns whether it has one.
#[pyfunction]
pub(crate) fn use_exchange_api(tensor_class: &Bound<PyType>) -> PyResult<bool> {
    const NAME: &CStr = c"dlpack_exchange_api";
    let Ok(capsule) = tensor_class.getattr("__dlpack_c_exchange_api__") else {
        return Ok(false);
    };
    let pointer = capsule.cast::<PyCapsule>()?.pointer_checked(Some(NAME))?;
    // SAFETY: a capsule of this name holds the structure, which is as static as the class; the version comes first
    // in every version of it.
    let api = unsafe { pointer.cast::<ExchangeApi>().as_ref() };
    let (1, Some(describe)) = (api.version.major, api.describe) else {
        return Ok(false);
    };
    let class = tensor_class.clone().unbind();
    Ok(TORCH.get_or_init(tensor_class.py(), || (class, describe)).0.is(tensor_class))
}

/// The types of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DType {
    F32,
    F64,
    I64,
    Bool,
}

/// A type of elements.
pub(crate) trait Element: Copy {
    const DTYPE: DType;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}
impl Element for f64 {
    const DTYPE: DType = DType::F64;
}
impl Element for i64 {
    const DTYPE: DType = DType::I64;
}

/// A contiguous tensor in the memory of the CPU.
pub(crate) struct View<'py> {
    name: &'static str,
    data: *mut c_void,
    pub(crate) dtype: DType,
    shape: [usize; 3],
    ndim: usize,
    /// The object that owns the memory: the tensor, or the capsule that keeps it.
    _owner: Bound<'py, PyAny>,
}

impl<'py> View<'py> {
    /// Describes a tensor of at most three dimensions.
    pub(crate) fn new(name: &'static str, tensor: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = tensor.py();
        let mut description = DlTensor {
            data: null_mut(),
            device_type: 0,
            device_id: 0,
            ndim: 0,
            dtype_code: 0,
            dtype_bits: 0,
            dtype_lanes: 0,
            shape: null_mut(),
            strides: null_mut(),
            byte_offset: 0,
        };
        if let Some((class, describe)) = TORCH.get(py)
            && tensor.get_type().is_subclass(class.bind(py))?
        {
            // SAFETY: an instance of the class whose function this is, and a structure for it to write.
            if unsafe { describe(tensor.as_ptr().cast(), &mut description) } != 0 {
                return Err(PyErr::fetch(py));
            }
            // SAFETY: the description is valid while the tensor is, which the view keeps.
            return unsafe { Self::from_description(name, &description, tensor.clone()) };
        }
        let capsule = tensor.call_method0("__dlpack__")?;
        let pointer: NonNull<c_void> =
            capsule.cast::<PyCapsule>()?.pointer_checked(Some(c"dltensor"))?;
        // SAFETY: a capsule of this name holds a `DLManagedTensor`, which begins with a `DLTensor`, and is valid while
        // the capsule is, which the view keeps.
        unsafe { Self::from_description(name, pointer.cast().as_ref(), capsule) }
    }

    /// # Safety
    ///
    /// The description is that of memory that `owner` owns.
    unsafe fn from_description(
        name: &'static str,
        tensor: &DlTensor,
        owner: Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let error = |text: &str| PyValueError::new_err(format!("{name}: {text}"));
        if tensor.device_type != CPU {
            return Err(error("expected a tensor on the CPU"));
        }
        let dtype = match (tensor.dtype_code, tensor.dtype_bits, tensor.dtype_lanes) {
            (2, 32, 1) => DType::F32,
            (2, 64, 1) => DType::F64,
            (0, 64, 1) => DType::I64,
            (6, 8, 1) => DType::Bool,
            _ => return Err(error("expected a dtype of float32, float64, int64 or bool")),
        };
        let ndim = usize::try_from(tensor.ndim).unwrap_or(usize::MAX);
        if ndim > 3 {
            return Err(error("expected at most three dimensions"));
        }
        let mut shape = [1; 3];
        let mut stride = 1i64;
        for k in (0..ndim).rev() {
            // SAFETY: there are `ndim` sizes, and as many strides or none.
            let (size, its_stride) = unsafe {
                let strides = tensor.strides;
                (*tensor.shape.add(k), if strides.is_null() { stride } else { *strides.add(k) })
            };
            if size > 1 && its_stride != stride {
                return Err(error("expected a contiguous tensor"));
            }
            shape[k] = usize::try_from(size).map_err(|_| error("expected sizes of at least 0"))?;
            stride *= size.max(1);
        }
        let data = tensor.data.wrapping_byte_add(tensor.byte_offset as usize);
        let align = match dtype {
            DType::F64 | DType::I64 => 8,
            DType::F32 => 4,
            DType::Bool => 1,
        };
        if !data.addr().is_multiple_of(align) {
            return Err(error("expected aligned memory"));
        }
        Ok(Self { name, data, dtype, shape, ndim, _owner: owner })
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape[..self.ndim]
    }

    fn len(&self) -> usize {
        self.shape().iter().product()
    }

    fn check<T: Element>(&self) -> PyResult<NonNull<T>> {
        if self.dtype != T::DTYPE {
            let (name, expected, got) = (self.name, T::DTYPE, self.dtype);
            return Err(PyTypeError::new_err(format!(
                "{name}: expected {expected:?}, got {got:?}"
            )));
        }
        // A tensor without elements may have no memory.
        Ok(NonNull::new(self.data.cast()).unwrap_or(NonNull::dangling()))
    }

    /// Returns the elements.
    pub(crate) fn slice<T: Element>(&self) -> PyResult<&[T]> {
        let start = self.check::<T>()?;
        // SAFETY: a contiguous, aligned tensor of this dtype, whose owner this view keeps.
        Ok(unsafe { std::slice::from_raw_parts(start.as_ptr(), self.len()) })
    }

    /// Returns the elements of a tensor that nothing else reads or writes.
    pub(crate) fn slice_mut<T: Element>(&mut self) -> PyResult<&mut [T]> {
        let start = self.check::<T>()?;
        // SAFETY: as above; the package passes tensors that it has just created.
        Ok(unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), self.len()) })
    }

    /// Returns whether each element of a tensor of booleans is true.
    pub(crate) fn booleans(&self) -> PyResult<Vec<bool>> {
        if self.dtype != DType::Bool {
            let (name, got) = (self.name, self.dtype);
            return Err(PyTypeError::new_err(format!("{name}: expected Bool, got {got:?}")));
        }
        let start = NonNull::new(self.data.cast::<u8>()).unwrap_or(NonNull::dangling());
        // SAFETY: as for `slice`, with bytes.
        let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), self.len()) };
        Ok(bytes.iter().map(|&byte| byte != 0).collect())
    }
}

/// Describes a tensor if there is one.
pub(crate) fn view_option<'py>(
    name: &'static str,
    tensor: &Option<Bound<'py, PyAny>>,
) -> PyResult<Option<View<'py>>> {
    tensor.as_ref().map(|tensor| View::new(name, tensor)).transpose()
}
