//! Selecting rows of a tensor, the operation on which padding and packing are built.

use candle_core::cpu_backend::Map1;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor, WithDType};

use crate::error::{Error, Result};

/// Selects rows of a tensor: `source[rows[0]], source[rows[1]], ..` along the first dimension.
///
/// Gradients flow back to the selected rows; the gradient of any other row is exactly zero.
pub(crate) fn select(source: &Tensor, rows: Vec<usize>) -> Result<Tensor> {
    let source = source.contiguous()?;
    if !rows.is_empty() && rows.iter().copied().eq(0..rows.len()) {
        // The rows are already in this order, such as the rows of a single sequence.
        return Ok(source.narrow(0, 0, rows.len())?);
    }
    if source.device().is_cpu() {
        return Ok(source.apply_op1(Gather(rows))?);
    }
    let index: Vec<i64> = rows.into_iter().map(|row| row as i64).collect();
    let index = Tensor::from_vec(index.clone(), index.len(), source.device())?;
    Ok(source.index_select(&index, 0)?)
}

/// Copies the rows with these indices: `index_select` without a tensor of indices, and without setting
/// the result to zero first.
struct Gather(Vec<usize>);

impl Map1 for Gather {
    fn f<T: WithDType>(&self, from: &[T], layout: &Layout) -> candle_core::Result<Vec<T>> {
        let (from, row_len) = contiguous(from, layout)?;
        macro_rules! for_row_len {
            ($($n:literal)*) => {
                match row_len {
                    $($n => copy_rows::<T, $n>(from, &self.0),)*
                    _ => {
                        let mut copied = Vec::with_capacity(self.0.len() * row_len);
                        for &row in &self.0 {
                            copied.extend_from_slice(&from[row * row_len..(row + 1) * row_len]);
                        }
                        copied
                    }
                }
            };
        }
        Ok(for_row_len!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16))
    }
}

/// Copies rows of N elements; for few elements this takes less time than a call of `memcpy` per row.
fn copy_rows<T: Copy, const N: usize>(from: &[T], rows: &[usize]) -> Vec<T> {
    let (from, _) = from.as_chunks::<N>();
    rows.iter().map(|&row| from[row]).collect::<Vec<_>>().into_flattened()
}

impl CustomOp1 for Gather {
    fn name(&self) -> &'static str {
        "select rows"
    }

    fn cpu_fwd(
        &self,
        from: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        Ok((self.map(from, layout)?, with_rows(layout, self.0.len())))
    }

    fn bwd(
        &self,
        source: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let scatter = Scatter { rows: &self.0, count: source.dim(0)? };
        gradient.contiguous()?.apply_op1_no_bwd(&scatter).map(Some)
    }
}

/// The transpose of [`Gather`]: adds row k to row `rows[k]` of `count` rows.
struct Scatter<'a> {
    rows: &'a [usize],
    count: usize,
}

impl Map1 for Scatter<'_> {
    fn f<T: WithDType>(&self, from: &[T], layout: &Layout) -> candle_core::Result<Vec<T>> {
        let (from, row_len) = contiguous(from, layout)?;
        let mut sums = vec![T::zero(); self.count * row_len];
        for (k, &row) in self.rows.iter().enumerate() {
            let to = &mut sums[row * row_len..(row + 1) * row_len];
            let from = &from[k * row_len..(k + 1) * row_len];
            to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
        }
        Ok(sums)
    }
}

impl CustomOp1 for Scatter<'_> {
    fn name(&self) -> &'static str {
        "scatter rows"
    }

    fn cpu_fwd(
        &self,
        from: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        Ok((self.map(from, layout)?, with_rows(layout, self.count)))
    }
}

/// Returns the elements of a contiguous tensor, and the number of elements of a row.
fn contiguous<'a, T>(from: &'a [T], layout: &Layout) -> candle_core::Result<(&'a [T], usize)> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("expected contiguous rows");
    };
    Ok((&from[start..end], layout.dims()[1..].iter().product()))
}

/// Returns the shape of a tensor with its first dimension replaced.
fn with_rows(layout: &Layout, count: usize) -> Shape {
    let mut dims = layout.dims().to_vec();
    dims[0] = count;
    dims.into()
}

/// Selects rows like [`select`]; `None` is a row filled with `value`.
pub(crate) fn select_or_fill(
    source: &Tensor,
    rows: impl Iterator<Item = Option<usize>>,
    value: f64,
) -> Result<Tensor> {
    let count = source.dim(0)?;
    let fill = fill_row(source, value)?;
    let source = Tensor::cat(&[source, &fill], 0)?;
    select(&source, rows.map(|row| row.unwrap_or(count)).collect())
}

/// Returns one row filled with `value`, with the shape and dtype of the rows of `source`.
fn fill_row(source: &Tensor, value: f64) -> Result<Tensor> {
    let dtype = source.dtype();
    if !can_represent(dtype, value) {
        return Err(Error::PaddingValue { value, dtype });
    }
    let mut shape = source.dims().to_vec();
    shape[0] = 1;
    Ok(Tensor::full(value, shape, source.device())?.to_dtype(dtype)?)
}

/// Returns whether `dtype` can represent `value`, up to the rounding of a float.
fn can_represent(dtype: DType, value: f64) -> bool {
    let whole = |least: f64, most: f64| value.fract() == 0.0 && (least..=most).contains(&value);
    let real = |most: f64| value.is_nan() || value.is_infinite() || value.abs() <= most;
    match dtype {
        DType::U8 => whole(0.0, u8::MAX.into()),
        DType::U32 => whole(0.0, u32::MAX.into()),
        DType::I16 => whole(i16::MIN.into(), i16::MAX.into()),
        DType::I32 => whole(i32::MIN.into(), i32::MAX.into()),
        // The largest f64 below 2^63.
        DType::I64 => whole(i64::MIN as f64, 9_223_372_036_854_774_784.0),
        // 2^127 (2 - 2^-7), and 2^15 (2 - 2^-10).
        DType::BF16 => real(3.389_531_389_251_535_5e38),
        DType::F16 => real(65504.0),
        DType::F32 => real(f32::MAX.into()),
        DType::F64 => true,
        // 2^8 (1 + 6/8), and no infinities.
        DType::F8E4M3 => real(448.0) && !value.is_infinite(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// Rows that are selected twice or never, and rows of several dimensions, with few and many elements.
    #[test]
    fn select_agrees_with_index_select() {
        let shapes = (1..=20).map(|width| (1, width)).chain([(2, 3), (0, 3)]);
        for (shape, rows) in shapes.flat_map(|s| {
            [vec![2, 0, 2, 3, 2], vec![3], vec![0, 1], vec![0, 1, 2, 3], vec![]]
                .map(|rows| (s, rows))
        }) {
            let (count, shape) = (4 * shape.0 * shape.1, (4, shape.0, shape.1));
            let values: Vec<f64> = (0..count).map(|k| k as f64).collect();
            let source = Var::from_vec(values, shape, &Device::Cpu).unwrap();
            let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
            let index = Tensor::from_vec(index, rows.len(), &Device::Cpu).unwrap();
            let run = |selected: Tensor| {
                let loss = selected.powf(3.0).unwrap().sum_all().unwrap();
                let gradient = loss.backward().unwrap().get(&source).unwrap().clone();
                let elements = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
                (selected.dims().to_vec(), elements(&selected), elements(&gradient))
            };
            let want = run(source.index_select(&index, 0).unwrap());
            assert_eq!(run(select(&source, rows).unwrap()), want);
        }
    }

    #[test]
    fn values_that_a_dtype_can_represent() {
        #[track_caller]
        fn check(dtype: DType, yes: &[f64], no: &[f64]) {
            yes.iter().for_each(|&v| assert!(can_represent(dtype, v), "{dtype:?} {v}"));
            no.iter().for_each(|&v| assert!(!can_represent(dtype, v), "{dtype:?} {v}"));
        }
        check(DType::U8, &[0.0, 255.0], &[-1.0, 256.0, 0.5, f64::NAN, f64::INFINITY]);
        check(DType::U32, &[4294967295.0], &[-1.0, 4294967296.0]);
        check(DType::I16, &[-32768.0], &[32768.0]);
        check(DType::I32, &[-2147483648.0], &[2147483648.0]);
        let limit = -(i64::MIN as f64);
        check(DType::I64, &[-limit], &[limit, f64::NAN]);
        check(DType::F16, &[0.1, f64::NAN, f64::INFINITY, -65504.0], &[70000.0]);
        check(DType::BF16, &[3e38], &[3.4e38]);
        check(DType::F32, &[3.4e38], &[1e39]);
        check(DType::F64, &[f64::MAX], &[]);
        check(DType::F8E4M3, &[448.0, f64::NAN], &[449.0, f64::INFINITY]);
    }
}
