//! Trained models and their sessions, for `ragged.numpy`.

use std::path::PathBuf;
use std::sync::Mutex;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ragged_runtime::{Error, Model, Scratch, Session, softmax as softmax_of};

use crate::dlpack::View;

/// A trained model. See `ragged.numpy.Model`.
#[pyclass(frozen, name = "Model", module = "ragged._ragged")]
pub(crate) struct PyModel {
    model: Model,
    scratch: Mutex<Scratch>,
}

/// The state of one sequence. See `ragged.numpy.Session`.
#[pyclass(name = "Session", module = "ragged._ragged")]
pub(crate) struct PySession(Session);

fn error(error: Error) -> PyErr {
    match &error {
        Error::Io { .. } | Error::NoCheckpoint { .. } => PyOSError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}

impl From<Model> for PyModel {
    fn from(model: Model) -> Self {
        Self { model, scratch: Mutex::default() }
    }
}

#[pymethods]
impl PyModel {
    #[staticmethod]
    fn open(py: Python, path: PathBuf) -> PyResult<Self> {
        Ok(py.detach(|| Model::open(&path)).map_err(error)?.into())
    }

    #[staticmethod]
    fn from_bytes(py: Python, bytes: &[u8]) -> PyResult<Self> {
        Ok(py.detach(|| Model::from_bytes(bytes)).map_err(error)?.into())
    }

    #[getter]
    fn features(&self) -> usize {
        self.model.features()
    }

    #[getter]
    fn outputs(&self) -> usize {
        self.model.outputs()
    }

    #[getter]
    fn is_per_step(&self) -> bool {
        self.model.is_per_step()
    }

    #[getter]
    fn labels(&self) -> Option<Vec<String>> {
        self.model.targets().labels().map(<[String]>::to_vec)
    }

    #[getter]
    fn feature_names(&self) -> Option<Vec<String>> {
        self.model.feature_names().map(<[String]>::to_vec)
    }

    /// Returns the outputs for each sequence, as the bytes of f32.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        sequences: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let views: PyResult<Vec<View>> =
            sequences.iter().map(|sequence| View::new("sequence", sequence)).collect();
        let views = views?;
        let slices: PyResult<Vec<&[f64]>> = views.iter().map(View::slice).collect();
        let slices = slices?;
        let outputs = py.detach(|| self.model.predict(&slices)).map_err(error)?;
        let bytes = |outputs: &Vec<f32>| -> Vec<u8> {
            outputs.iter().flat_map(|value| value.to_ne_bytes()).collect()
        };
        Ok(outputs.iter().map(|outputs| PyBytes::new(py, &bytes(outputs))).collect())
    }

    fn session(&self) -> PyResult<PySession> {
        Ok(PySession(self.model.session().map_err(error)?))
    }

    fn restore(&self, bytes: &[u8]) -> PyResult<PySession> {
        Ok(PySession(self.model.restore(bytes).map_err(error)?))
    }

    /// Runs one step `x` [S, I] of each of S sessions and writes `y` [S, O]. Returns the index of each session that has
    /// refused its step, and why.
    fn step(
        &self,
        py: Python,
        mut sessions: Vec<PyRefMut<PySession>>,
        x: &Bound<PyAny>,
        y: &Bound<PyAny>,
    ) -> PyResult<Vec<(usize, String)>> {
        let (x, mut y) = (View::new("x", x)?, View::new("y", y)?);
        let (x, y) = (x.slice::<f64>()?, y.slice_mut::<f32>()?);
        let mut sessions: Vec<&mut Session> = sessions.iter_mut().map(|s| &mut s.0).collect();
        py.detach(|| {
            // A step of another thread has other intermediate results.
            let mut own = Scratch::default();
            let mut shared = self.scratch.try_lock().ok();
            let scratch = shared.as_deref_mut().unwrap_or(&mut own);
            let refused = self.model.step(&mut sessions, x, y, scratch).map_err(error)?;
            Ok(refused.iter().map(|refused| (refused.session, refused.error.to_string())).collect())
        })
    }
}

#[pymethods]
impl PySession {
    /// The number of steps that the model has read.
    #[getter]
    fn steps(&self) -> u64 {
        self.0.steps()
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    fn copy(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Returns the probabilities of logits.
#[pyfunction]
pub(crate) fn softmax(logits: &Bound<PyAny>) -> PyResult<Vec<f64>> {
    Ok(softmax_of(View::new("logits", logits)?.slice()?))
}
