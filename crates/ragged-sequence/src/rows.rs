//! Picking rows of a tensor: the one operation under all padding and packing.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// `source[rows[0]], source[rows[1]], ..` along the first dimension.
///
/// Gradients flow back to the picked rows; a row that is not picked gets exactly zero.
pub(crate) fn select(source: &Tensor, rows: Vec<i64>) -> Result<Tensor> {
    let index = Tensor::from_vec(rows.clone(), rows.len(), source.device())?;
    Ok(source.contiguous()?.index_select(&index, 0)?)
}

/// [`select`], where `None` stands for a row filled with `value`.
pub(crate) fn select_or_fill(
    source: &Tensor,
    rows: impl Iterator<Item = Option<usize>>,
    value: f64,
) -> Result<Tensor> {
    let count = source.dim(0)?;
    let fill = fill_row(source, value)?;
    let source = Tensor::cat(&[source, &fill], 0)?;
    select(&source, rows.map(|row| row.unwrap_or(count) as i64).collect())
}

/// One row of `value` in the shape and dtype of the rows of `source`.
fn fill_row(source: &Tensor, value: f64) -> Result<Tensor> {
    let dtype = source.dtype();
    if !can_hold(dtype, value) {
        return Err(Error::PaddingValue { value, dtype });
    }
    let mut shape = source.dims().to_vec();
    shape[0] = 1;
    Ok(Tensor::full(value, shape, source.device())?.to_dtype(dtype)?)
}

/// Whether `value` comes out of `dtype` as the same number, up to a float's rounding.
fn can_hold(dtype: DType, value: f64) -> bool {
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
    use super::*;

    #[test]
    fn a_value_is_held_where_it_comes_back() {
        #[track_caller]
        fn check(dtype: DType, held: &[f64], refused: &[f64]) {
            held.iter().for_each(|&v| assert!(can_hold(dtype, v), "{dtype:?} {v}"));
            refused.iter().for_each(|&v| assert!(!can_hold(dtype, v), "{dtype:?} {v}"));
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
