//! The linear head, with PyTorch's initialisation (candle-nn's differs).
//!
//! A head has few outputs, so its products are tiny beside the recurrent layer's. Candle's matrix
//! product is made for large ones: on Linux it asks the system about the processor each time, which
//! takes longer than the product of a small head and, three times a training step, a good part of
//! the time of a small LSTM. So products with few weights are written out here, in one operation with
//! the bias.

use std::marker::PhantomData;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, WithDType, bail};
use candle_nn::{Init, Module, VarBuilder};

/// The most weights for which a general product does not pay.
///
/// The number of rows has no say: what a row gives must not depend on how many there are, and sums
/// over inputs come in another order there.
const SMALL: usize = 1 << 14;

/// Partial sums of a dot product that do not wait for one another.
const LANES: usize = 16;

/// `weight` `[O, I]` and `bias` `[O]`, both from U(-1/sqrt(I), 1/sqrt(I)) as in `torch.nn.Linear`.
pub(crate) fn linear(
    input_size: usize,
    output_size: usize,
    vb: VarBuilder,
) -> crate::Result<Linear> {
    let bound = 1.0 / (input_size as f64).sqrt();
    let init = Init::Uniform { lo: -bound, up: bound };
    let weight = vb.get_with_hints((output_size, input_size), "weight", init)?;
    let bias = vb.get_with_hints(output_size, "bias", init)?;
    Ok(Linear { weight, bias })
}

/// `y = W x + b` for each row x.
pub(crate) struct Linear {
    /// `[O, I]`.
    weight: Tensor,
    /// `[O]`.
    bias: Tensor,
}

impl Module for Linear {
    /// `[.., I]` to `[.., O]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (w, b) = (&self.weight, &self.bias);
        let small = w.elem_count() <= SMALL;
        let fits = x.rank() == 2 && x.dims()[1] == w.dims()[1] && x.dtype() == w.dtype();
        if small && fits && x.device().is_cpu() && w.device().is_cpu() {
            match x.dtype() {
                DType::F32 => return x.contiguous()?.apply_op3(w, b, Small::<f32>(PhantomData)),
                DType::F64 => return x.contiguous()?.apply_op3(w, b, Small::<f64>(PhantomData)),
                _ => {}
            }
        }
        candle_nn::Linear::new(w.clone(), Some(b.clone())).forward(x)
    }
}

/// The operation for small rows `[B, I]`: sums over inputs and over rows, each in one order.
struct Small<T>(PhantomData<T>);

impl<T: WithDType> CustomOp3 for Small<T> {
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
        let mut y = Vec::with_capacity(rows * bias.len());
        for x in x.chunks_exact(inputs) {
            let units = weight.chunks_exact(inputs).zip(bias);
            y.extend(units.map(|(weight, &bias)| dot(x, weight) + bias));
        }
        Ok((T::to_cpu_storage_owned(y), (rows, bias.len()).into()))
    }

    /// `dx = W^T dy`, `dW = sum dy x^T`, `db = sum dy`.
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
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
}

fn dot<T: WithDType>(a: &[T], b: &[T]) -> T {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [T::zero(); LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
    sums.into_iter().fold(T::zero(), |sum, part| sum + part)
}

fn add_scaled<T: WithDType>(to: &mut [T], scale: T, from: &[T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to += scale * from;
    }
}

fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("linear: expected contiguous tensors");
    };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// Values and gradients of both paths, over sizes that leave a rest of the lanes and none.
    #[test]
    fn small_products_are_candles() {
        let numbers = |seed: usize, dims: &[usize]| {
            let count = dims.iter().product();
            let value = |k: usize| ((k * 37 + seed * 11) % 101) as f64 / 50.0 - 1.0;
            Tensor::from_vec((0..count).map(value).collect::<Vec<f64>>(), dims, &Device::Cpu)
        };
        for (rows, inputs, outputs) in [(1, 1, 1), (5, 16, 3), (64, 37, 2), (3, 80, 1)] {
            for dtype in [DType::F32, DType::F64] {
                let var = |seed, dims: &[usize]| {
                    Var::from_tensor(&numbers(seed, dims).unwrap().to_dtype(dtype).unwrap())
                };
                // Rows that do not lie one behind the other.
                let x = var(1, &[inputs, rows]).unwrap();
                let (weight, bias) = (var(2, &[outputs, inputs]), var(3, &[outputs]));
                let (weight, bias) = (weight.unwrap(), bias.unwrap());
                let (w, b) = (weight.as_tensor().clone(), bias.as_tensor().clone());
                let library = candle_nn::Linear::new(w.clone(), Some(b.clone()));
                let ours = Linear { weight: w, bias: b };
                let run = |module: &dyn Module| {
                    let y = module.forward(&x.t().unwrap()).unwrap();
                    let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
                    let grad = |var: &Var| grads.get(var).unwrap().clone();
                    [y, grad(&x), grad(&weight), grad(&bias)]
                };
                for (got, want) in run(&ours).iter().zip(run(&library)) {
                    assert_eq!((got.dims(), got.dtype()), (want.dims(), dtype));
                    let values = |tensor: &Tensor| {
                        let tensor = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
                        tensor.to_vec1::<f64>().unwrap()
                    };
                    let want = values(&want);
                    let scale = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
                    let tolerance = if dtype == DType::F32 { 1e-6 } else { 1e-14 };
                    for (got, want) in values(got).iter().zip(&want) {
                        assert!((got - want).abs() <= tolerance * scale, "{got} against {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_rows_are_legal() {
        let var = |dims: &[usize]| Var::ones(dims, DType::F32, &Device::Cpu).unwrap();
        let (x, weight, bias) = (var(&[0, 4]), var(&[2, 4]), var(&[2]));
        let (w, b) = (weight.as_tensor().clone(), bias.as_tensor().clone());
        let y = Linear { weight: w, bias: b }.forward(&x).unwrap();
        assert_eq!(y.dims(), [0, 2]);
        let grads = y.sum_all().unwrap().backward().unwrap();
        for var in [&weight, &bias] {
            let gradient = grads.get(var).unwrap().flatten_all().unwrap();
            assert!(gradient.to_vec1::<f32>().unwrap().iter().all(|&g| g == 0.0));
        }
    }
}
