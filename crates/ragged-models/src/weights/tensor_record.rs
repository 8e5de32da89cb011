//! The description of a tensor in the pickle of a checkpoint.
//!
//! `torch.save` writes a tensor as a call of a function that rebuilds it, such as
//! `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata)`.

use candle_core::DType;

use crate::weights::pickle::object_graph::{Class, Object, Pickle, Value};

/// How deep a parameter or a tensor of a subclass may contain the call that rebuilds its elements.
/// `torch.save` writes at most two levels.
const MAX_DEPTH: usize = 8;

/// Where the elements of a tensor are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorRecord {
    pub(crate) dtype: DType,
    /// The key of the storage, which is the name of its record in the archive.
    pub(crate) storage: String,
    /// The index of the first element in the storage.
    pub(crate) offset: usize,
    pub(crate) size: Vec<usize>,
    /// The distance between neighbours along each dimension, in elements.
    pub(crate) stride: Vec<usize>,
    /// Whether the elements are the negatives of those in the storage: PyTorch's negative bit, which
    /// the imaginary part of a conjugate has.
    pub(crate) negative: bool,
}

/// Parses the description of a tensor, or returns `None` if the value is no tensor.
///
/// Parameters, parameters with attributes and tensors of Python subclasses are read as the tensor
/// that they contain.
///
/// # Errors
///
/// The reason why a tensor, or something that looks like one, cannot be read.
pub(crate) fn parse<'a>(
    pickle: &Pickle<'a>,
    value: Value<'a>,
) -> Option<Result<TensorRecord, String>> {
    let (mut callable, mut arguments) = call(pickle, value)?;
    let outer = callable;
    for _ in 0..MAX_DEPTH {
        let inner = match (callable.module, callable.name) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
                return Some(dense(pickle, arguments, None));
            }
            ("torch._utils", "_rebuild_tensor_v3") => {
                return Some(match arguments.get(6) {
                    Some(Value::Class(dtype)) => dense(pickle, arguments, Some(*dtype)),
                    _ => Err(format!("{callable}: expected a dtype as the seventh argument")),
                });
            }
            // The tensor is the first argument.
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                arguments.first().and_then(|&tensor| call(pickle, tensor))
            }
            // (function, subclass, arguments of the function, attributes)
            ("torch._tensor", "_rebuild_from_type" | "_rebuild_from_type_v2") => match *arguments {
                [Value::Class(function), _, inner, ..] => {
                    pickle.tuple(inner).map(|inner| (function, inner))
                }
                _ => None,
            },
            _ => return looks_like_tensor(pickle, callable, arguments, outer),
        };
        match inner {
            Some(inner) => (callable, arguments) = inner,
            None => return Some(Err(format!("{callable} was not called with a tensor"))),
        }
    }
    Some(Err(format!("{outer} contains more than {MAX_DEPTH} calls, one in the other")))
}

/// Returns the function and arguments of a call. An object whose attributes are set after the call,
/// such as a module, is not a call that makes a tensor.
fn call<'p, 'a>(pickle: &'p Pickle<'a>, value: Value<'a>) -> Option<(Class<'a>, &'p [Value<'a>])> {
    match pickle.object(value)? {
        Object::Instance { callable: Value::Class(class), arguments, state: None, .. } => {
            Some((*class, pickle.tuple(*arguments)?))
        }
        _ => None,
    }
}

/// Returns the error for a call of an unknown function that seems to make a tensor: its name says so,
/// a known function contains it, or one of its arguments is a storage or a tensor.
fn looks_like_tensor<'a>(
    pickle: &Pickle<'a>,
    callable: Class<'a>,
    arguments: &[Value<'a>],
    outer: Class<'a>,
) -> Option<Result<TensorRecord, String>> {
    let known = match callable.name {
        "_rebuild_qtensor" => Some("quantised tensors are not supported: save tensor.dequantize()"),
        "_rebuild_sparse_tensor" => {
            Some("sparse tensors are not supported: save tensor.to_dense()")
        }
        "_rebuild_nested_tensor" => Some("nested tensors are not supported: save their parts"),
        "_rebuild_meta_tensor_no_storage" => Some("tensors on the device `meta` have no elements"),
        "_rebuild_wrapper_subclass" => {
            Some("tensors without a storage of their own have no elements")
        }
        "_rebuild_device_tensor_from_cpu_tensor" | "_rebuild_device_tensor_from_numpy" => {
            Some("tensors of this device are not supported: save tensor.cpu()")
        }
        _ => None,
    };
    let is_tensor = |&value: &Value<'a>| {
        let inner = call(pickle, value).is_some_and(|(inner, _)| inner.name.contains("_rebuild_"));
        inner || matches!(pickle.object(value), Some(Object::Persistent(_)))
    };
    let similar =
        callable != outer || callable.name.contains("_rebuild_") || arguments.iter().any(is_tensor);
    similar.then(|| {
        Err(match known {
            Some(advice) => format!("{callable}: {advice}"),
            None => format!("{callable} makes an unknown kind of tensor"),
        })
    })
}

/// Parses the arguments (storage, offset, size, stride, requires_grad, hooks, [dtype], metadata).
fn dense<'a>(
    pickle: &Pickle<'a>,
    arguments: &[Value<'a>],
    dtype: Option<Class<'a>>,
) -> Result<TensorRecord, String> {
    let [storage, offset, size, stride, rest @ ..] = arguments else {
        return Err("expected a storage, offset, size and stride".into());
    };
    let Some(Object::Persistent(id)) = pickle.object(*storage) else {
        return Err(format!("expected a storage, got {}", pickle.describe(*storage)));
    };
    let Some([Value::Text("storage"), Value::Class(class), Value::Text(key), ..]) =
        pickle.tuple(*id)
    else {
        return Err("expected the type and key of a storage".into());
    };
    let dtype = match dtype {
        Some(dtype) if class.name == "UntypedStorage" => element_dtype(dtype)?,
        Some(dtype) => return Err(format!("{dtype} elements in a storage of type {class}")),
        None => storage_dtype(*class)?,
    };
    let metadata = rest.get(if class.name == "UntypedStorage" { 3 } else { 2 });
    let negative = metadata.map_or(Ok(false), |&metadata| negative_bit(pickle, metadata))?;
    let (size, stride) = (whole_numbers(pickle, *size)?, whole_numbers(pickle, *stride)?);
    if size.len() != stride.len() {
        return Err(format!("size {size:?} and stride {stride:?} differ in length"));
    }
    let offset = whole_number(*offset)?;
    Ok(TensorRecord { dtype, storage: (*key).into(), offset, size, stride, negative })
}

/// Returns the dtype of a storage class of `torch` or of a device's module, such as `torch.cuda`.
fn storage_dtype(class: Class<'_>) -> Result<DType, String> {
    Ok(match class.name {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "ByteStorage" | "BoolStorage" | "UntypedStorage" => DType::U8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        _ => return Err(format!("storage type {class} is not supported")),
    })
}

/// Returns the dtype that the pickle names, such as `torch.uint32`.
fn element_dtype(dtype: Class<'_>) -> Result<DType, String> {
    Ok(match dtype.name {
        "float32" => DType::F32,
        "float64" => DType::F64,
        "float16" => DType::F16,
        "bfloat16" => DType::BF16,
        "uint8" | "bool" => DType::U8,
        "uint32" => DType::U32,
        "int16" => DType::I16,
        "int32" => DType::I32,
        "int64" => DType::I64,
        _ => return Err(format!("dtype {dtype} is not supported")),
    })
}

/// Returns the negative bit of a tensor's metadata, a dictionary of flags.
fn negative_bit<'a>(pickle: &Pickle<'a>, metadata: Value<'a>) -> Result<bool, String> {
    if metadata == Value::None {
        return Ok(false);
    }
    let flags = pickle.dictionary(metadata).ok_or_else(|| {
        format!("metadata: expected a dictionary, got {}", pickle.describe(metadata))
    })?;
    let mut negative = false;
    for (name, flag) in flags {
        match (name, flag) {
            ("neg", Value::Bool(flag)) => negative = flag,
            // A conjugate differs from its storage only if its elements are complex.
            (_, Value::Bool(false)) => {}
            _ => return Err(format!("metadata: {name} is not supported")),
        }
    }
    Ok(negative)
}

/// Parses a size, stride or offset.
fn whole_number(value: Value<'_>) -> Result<usize, String> {
    match value {
        Value::Int(number) => {
            number.try_into().map_err(|_| format!("expected a number of at least 0, got {number}"))
        }
        other => Err(format!("expected a whole number, got {}", other.kind(&[]))),
    }
}

/// Parses a tuple of sizes or strides.
fn whole_numbers<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> Result<Vec<usize>, String> {
    let numbers = pickle.tuple(value).ok_or("expected a tuple of whole numbers")?;
    numbers.iter().map(|&number| whole_number(number)).collect()
}
