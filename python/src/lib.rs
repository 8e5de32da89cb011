//! The extension module `ragged._ragged`: the part of the Python package that is written in Rust.
//!
//! - `dlpack`: tensors of Python as slices.
//! - `batch`: the order of the rows of a batch.
//! - `pack`: packing of padded batches and of episodes.
//! - `recurrent`: one layer and direction, forward and backward.
//! - `runtime`: trained models and their sessions.

mod batch;
mod dlpack;
mod pack;
mod recurrent;
mod runtime;

use pyo3::prelude::*;

#[pymodule]
mod _ragged {
    #[pymodule_export]
    use crate::batch::Batch;
    #[pymodule_export]
    use crate::dlpack::use_exchange_api;
    #[pymodule_export]
    use crate::pack::{cut_at_starts, pack, unpack};
    #[pymodule_export]
    use crate::recurrent::{backward, forward, tape_len};
    #[pymodule_export]
    use crate::runtime::{PyModel, PySession, softmax};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<PyModule>) -> PyResult<()> {
        ragged_kernels::prepare_for_forks();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
