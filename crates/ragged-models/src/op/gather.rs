//! Rows of a matrix by their indices, with the gradient of the matrix.

use std::marker::PhantomData;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, WithDType, bail};

/// Returns the rows `indices` of `matrix` `[V, E]`: `[N, E]`.
///
/// The gradient of a row of the matrix is the sum of the gradients of its copies, added in the order of `indices`, so
/// that it does not depend on the number of threads.
pub(crate) fn gather(matrix: &Tensor, indices: Arc<Vec<u32>>) -> Result<Tensor> {
    let matrix = matrix.contiguous()?;
    match matrix.dtype() {
        DType::F32 => matrix.apply_op1(Gather::<f32>(indices, PhantomData)),
        DType::F64 => matrix.apply_op1(Gather::<f64>(indices, PhantomData)),
        dtype => bail!("gather: expected dtype f32 or f64, got {dtype:?}"),
    }
}

struct Gather<T>(Arc<Vec<u32>>, PhantomData<T>);

impl<T: WithDType> CustomOp1 for Gather<T> {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn cpu_fwd(&self, matrix: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (count, width) = layout.shape().dims2()?;
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("gather: expected a contiguous matrix");
        };
        let matrix = &T::cpu_storage_as_slice(matrix)?[start..end];
        let mut rows = Vec::with_capacity(self.0.len() * width);
        for (step, &index) in self.0.iter().enumerate() {
            let index = index as usize;
            if index >= count {
                bail!("index {index} at row {step}: expected an index below {count}");
            }
            rows.extend_from_slice(&matrix[index * width..(index + 1) * width]);
        }
        Ok((T::to_cpu_storage_owned(rows), (self.0.len(), width).into()))
    }

    fn bwd(&self, matrix: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (count, width) = matrix.dims2()?;
        let gradient = gradient.flatten_all()?.to_vec1::<T>()?;
        let mut sum = vec![T::zero(); count * width];
        for (index, gradient) in self.0.iter().zip(gradient.chunks_exact(width)) {
            let row = &mut sum[*index as usize * width..][..width];
            row.iter_mut().zip(gradient).for_each(|(sum, &gradient)| *sum += gradient);
        }
        Ok(Some(Tensor::from_vec(sum, (count, width), matrix.device())?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn gradients_of_repeated_rows_are_added() {
        let matrix = Tensor::new(&[[1f64, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu).unwrap();
        let matrix = Var::from_tensor(&matrix).unwrap();
        let rows = gather(&matrix, Arc::new(vec![2, 0, 2])).unwrap();
        assert_eq!(rows.to_vec2::<f64>().unwrap(), [[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]);
        let weights = Tensor::new(&[[1f64, 10.0], [100.0, 1000.0], [2.0, 20.0]], &Device::Cpu);
        let loss = (rows * weights.unwrap()).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&matrix).unwrap().to_vec2::<f64>().unwrap();
        assert_eq!(gradient, [[100.0, 1000.0], [0.0, 0.0], [3.0, 30.0]]);
    }

    #[test]
    fn no_rows_and_wrong_indices() {
        let matrix = Tensor::ones((3, 2), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(gather(&matrix, Arc::new(vec![])).unwrap().dims(), [0, 2]);
        let error = gather(&matrix, Arc::new(vec![0, 3])).unwrap_err().to_string();
        assert!(error.starts_with("index 3 at row 1: expected an index below 3"), "{error}");
    }
}
