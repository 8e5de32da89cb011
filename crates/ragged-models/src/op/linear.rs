//! The product of a linear layer, `y = W x + b` for each row x, with its gradients.
//!
//! A row's result and the gradient of a row do not depend on the other rows, in any bit. The kernels compute
//! the values. The gradients of a head with few weights or few outputs are sums of our own, since candle's
//! matrix product is made for large matrices: on Linux it queries the number of cores at each call, which takes
//! longer than the whole product of a small head. All others call candle's matrix product (the `gemm` crate)
//! in such a way that it adds the terms of every sum in the same order for any number of rows.

use std::marker::PhantomData;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, WithDType, bail};
use ragged_kernels::{Element, PreparedLinear};

/// The largest number of weights for which gradients are summed here for any number of outputs.
const FEW_WEIGHTS: usize = 1 << 14;

/// The largest number of outputs for which gradients are summed here for any number of weights.
const FEW_OUTPUTS: usize = 16;

/// `gemm` computes matrices of at most this many elements with dot products of its own.
const GEMM_DOT_PRODUCTS: usize = 256;

/// `gemm` adds at most this many terms at once if neither side of the result exceeds
/// [`GEMM_SMALL_SIDE`]; if one does, it adds more, depending on the caches of the processor.
const GEMM_SMALL_DEPTH: usize = 512;

/// See [`GEMM_SMALL_DEPTH`].
const GEMM_SMALL_SIDE: usize = 64;

/// Returns `x W^T + b` for `x` `[B, I]`, `weight` `[O, I]` and `bias` `[O]`, all `f32` or `f64`
/// tensors on the CPU; `None` for any other device or dtype.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Option<Tensor>> {
    if !x.device().is_cpu() || !weight.device().is_cpu() || x.dtype() != weight.dtype() {
        return Ok(None);
    }
    let x = x.contiguous()?;
    match x.dtype() {
        DType::F32 => x.apply_op3(weight, bias, LinearOp::<f32>(PhantomData)),
        #[cfg(feature = "f64")]
        DType::F64 => x.apply_op3(weight, bias, LinearOp::<f64>(PhantomData)),
        _ => return Ok(None),
    }
    .map(Some)
}

/// The operation on elements of one type.
struct LinearOp<T>(PhantomData<T>);

impl<T: Element + WithDType> CustomOp3 for LinearOp<T> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = x_layout.shape().dims2()?;
        let (x, weight) = (slice::<T>(x, x_layout)?, slice::<T>(weight, weight_layout)?);
        let bias = slice::<T>(bias, bias_layout)?;
        let mut y = vec![T::zero(); rows * bias.len()];
        PreparedLinear::new(inputs, weight, bias)
            .and_then(|linear| linear.forward(x, &mut y))
            .map_err(candle_core::Error::wrap)?;
        Ok((T::to_cpu_storage_owned(y), (rows, bias.len()).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, (outputs, _)) = (x.dim(0)?, weight.dims2()?);
        match weight.elem_count() <= FEW_WEIGHTS || outputs <= FEW_OUTPUTS || rows == 0 {
            true => summed_gradients::<T>(x, weight, bias, dy),
            false => product_gradients(x, weight, bias, dy),
        }
    }
}

/// The gradients of the input, the weight and the bias, of those that are tracked.
type LinearGradients = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

/// `dx = W^T dy`, `dW = sum dy x^T`, `db = sum dy`, row by row.
fn summed_gradients<T: WithDType>(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    dy: &Tensor,
) -> Result<LinearGradients> {
    let (dims, outputs, inputs) = (x.dims(), weight.dims()[0], weight.dims()[1]);
    let [x_values, weight_values, dy] = [x, weight, dy].map(Tensor::flatten_all);
    let (x_values, weight_values) = (x_values?.to_vec1::<T>()?, weight_values?.to_vec1::<T>()?);
    let dy = dy?.to_vec1::<T>()?;
    let mut dx = vec![T::zero(); x_values.len()];
    let mut dw = vec![T::zero(); weight_values.len()];
    let mut db = vec![T::zero(); outputs];
    let rows = x_values.chunks_exact(inputs).zip(dx.chunks_exact_mut(inputs));
    for ((x, dx), dy) in rows.zip(dy.chunks_exact(outputs)) {
        for (o, &dy) in dy.iter().enumerate() {
            let unit = o * inputs..(o + 1) * inputs;
            add_scaled(dx, dy, &weight_values[unit.clone()]);
            add_scaled(&mut dw[unit], dy, x);
            db[o] += dy;
        }
    }
    let tensor = |of: &Tensor, values, dims: &[usize]| {
        of.track_op().then(|| Tensor::from_vec(values, dims, of.device())).transpose()
    };
    let (dx, dw) = (tensor(x, dx, dims)?, tensor(weight, dw, &[outputs, inputs])?);
    Ok((dx, dw, tensor(bias, db, &[outputs])?))
}

/// `dx = dy W`, `dW = dy^T x`, `db = sum dy`, by candle's matrix product.
///
/// `gemm` chooses among its algorithms by the shape of the result. Two measures keep the choice, and
/// with it the order of the additions, the same for any number of rows: a few rows are padded with
/// zeros up to [`padded_rows`], and long sums are split into [`blocks`].
fn product_gradients(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    dy: &Tensor,
) -> Result<LinearGradients> {
    let (x_tracked, weight_tracked) = (x.track_op(), weight.track_op());
    let (x, weight, dy) = (x.detach(), weight.detach(), dy.contiguous()?.detach());
    let (rows, (outputs, inputs)) = (x.dim(0)?, weight.dims2()?);
    let input_gradient = || -> Result<Tensor> {
        let dy = dy.pad_with_zeros(0, 0, padded_rows(rows, inputs) - rows)?;
        let parts = blocks(outputs, inputs)
            .map(|(start, len)| dy.narrow(1, start, len)?.matmul(&weight.narrow(0, start, len)?));
        let sum = parts.reduce(|sum, part| sum? + part?);
        sum.unwrap_or_else(|| x.zeros_like())?.narrow(0, 0, rows)?.contiguous()
    };
    Ok((
        x_tracked.then(input_gradient).transpose()?,
        weight_tracked.then(|| dy.t()?.matmul(&x)).transpose()?,
        bias.track_op().then(|| dy.sum(0)).transpose()?,
    ))
}

/// Returns the number of rows, at least `rows`, for which `gemm` computes a matrix with `columns`
/// columns neither as a vector nor with dot products.
fn padded_rows(rows: usize, columns: usize) -> usize {
    rows.max(2).max(GEMM_DOT_PRODUCTS / columns + 1)
}

/// Splits a sum over `terms` terms, for a result with `columns` columns, into blocks `(start, len)`
/// whose terms `gemm` adds in one order for any number of rows.
fn blocks(terms: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = if columns > GEMM_SMALL_SIDE { 1 } else { terms.div_ceil(GEMM_SMALL_DEPTH) };
    (0..count).map(move |k| (k * terms / count, (k + 1) * terms / count - k * terms / count))
}

/// Adds `scale * from` to `to`.
fn add_scaled<T: WithDType>(to: &mut [T], scale: T, from: &[T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to += scale * from;
    }
}

/// The elements of a contiguous tensor on the CPU.
fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("linear: expected contiguous tensors");
    };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use candle_nn::Module;

    use super::*;

    fn values(tensor: &Tensor) -> Vec<f64> {
        let tensor = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
        tensor.to_vec1().unwrap()
    }

    /// A variable with fixed values from -1 to 1.
    fn var(seed: usize, dims: &[usize], dtype: DType) -> Var {
        let value = |k: usize| ((k * 37 + seed * 11) % 101) as f64 / 50.0 - 1.0;
        let elements = (0..dims.iter().product()).map(value).collect::<Vec<f64>>();
        let tensor = Tensor::from_vec(elements, dims, &Device::Cpu).unwrap();
        Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap()
    }

    /// Values and gradients of both operations, for sizes with and without a rest of the lanes and
    /// of the blocks.
    #[test]
    fn products_agree_with_candles() {
        // The last number is the tolerance in f32; sums of over a thousand terms round more often.
        let shapes = [
            (1, 1, 1, 1e-6),
            (5, 16, 3, 1e-6),
            (64, 37, 2, 1e-6),
            (3, 80, 1, 1e-6),
            (70, 130, 130, 4e-6),
            (1, 1025, 40, 4e-6),
            (3, 40, 1025, 4e-6),
        ];
        for (rows, inputs, outputs, tolerance_f32) in shapes {
            for dtype in [DType::F32, DType::F64] {
                // The rows of its transpose are not contiguous.
                let x = var(1, &[inputs, rows], dtype);
                let (weight, bias) = (var(2, &[outputs, inputs], dtype), var(3, &[outputs], dtype));
                let library = candle_nn::Linear::new(
                    weight.as_tensor().clone(),
                    Some(bias.as_tensor().clone()),
                );
                let gradients = |y: Tensor| {
                    let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
                    let grad = |var: &Var| grads.get(var).unwrap().clone();
                    [y, grad(&x), grad(&weight), grad(&bias)]
                };
                let x_rows = x.t().unwrap();
                let ours = gradients(linear(&x_rows, &weight, &bias).unwrap().unwrap());
                let theirs = gradients(library.forward(&x_rows).unwrap());
                for (got, want) in ours.iter().zip(&theirs) {
                    assert_eq!((got.dims(), got.dtype()), (want.dims(), dtype));
                    let want = values(want);
                    let scale = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
                    let tolerance = if dtype == DType::F32 { tolerance_f32 } else { 1e-14 };
                    for (got, want) in values(got).iter().zip(&want) {
                        assert!((got - want).abs() <= tolerance * scale, "{got} against {want}");
                    }
                }
            }
        }
    }

    /// Values and input gradients of some rows are, bit for bit, those of the rows alone.
    #[test]
    fn a_row_does_not_depend_on_the_others() {
        let shapes = [(7, 3), (1025, 20), (700, 64), (40, 1025), (64, 300), (300, 300), (1100, 70)];
        for (inputs, outputs) in shapes {
            for dtype in [DType::F32, DType::F64] {
                let x = var(1, &[70, inputs], dtype);
                let (weight, bias) = (var(2, &[outputs, inputs], dtype), var(3, &[outputs], dtype));
                let run = |start: usize, len: usize| {
                    let rows = x.narrow(0, start, len).unwrap();
                    let y = linear(&rows, &weight, &bias).unwrap().unwrap();
                    let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
                    let dx = grads.get(&x).unwrap().narrow(0, start, len).unwrap();
                    [y, dx].map(|rows| values(&rows))
                };
                let [all_y, all_dx] = run(0, 70);
                for (start, len) in [(0, 1), (69, 1), (3, 2), (5, 13), (1, 17), (2, 65)] {
                    let [y, dx] = run(start, len);
                    let size = format!("{len} rows, {inputs} inputs, {outputs} outputs, {dtype:?}");
                    assert!(y == all_y[start * outputs..][..y.len()], "values of {size}");
                    assert!(dx == all_dx[start * inputs..][..dx.len()], "gradients of {size}");
                }
            }
        }
    }

    #[test]
    fn no_rows_are_legal() {
        for (inputs, outputs) in [(4, 2), (200, 200)] {
            let var = |dims: &[usize]| Var::ones(dims, DType::F32, &Device::Cpu).unwrap();
            let (x, weight, bias) = (var(&[0, inputs]), var(&[outputs, inputs]), var(&[outputs]));
            let y = linear(&x, &weight, &bias).unwrap().unwrap();
            assert_eq!(y.dims(), [0, outputs]);
            let grads = y.sum_all().unwrap().backward().unwrap();
            for var in [&weight, &bias] {
                let gradient = grads.get(var).unwrap().flatten_all().unwrap();
                assert!(gradient.to_vec1::<f32>().unwrap().iter().all(|&g| g == 0.0));
            }
        }
    }
}
