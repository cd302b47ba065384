//! Durable files.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use n4w_core::fs::atomic;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::gate::to_py;

/// A file that is written piece by piece and replaces its target where its `with` block ends well.
#[pyclass(frozen, module = "nirs4all_workspace._native")]
pub struct Draft {
    open: Mutex<Option<atomic::Draft>>,
    target: PathBuf,
    pid: u32,
}

#[pymethods]
impl Draft {
    #[new]
    fn new(py: Python<'_>, target: PathBuf) -> PyResult<Self> {
        let draft = atomic::Draft::begin(&target).map_err(|error| to_py(py, &error))?;
        Ok(Self { open: Mutex::new(Some(draft)), target, pid: std::process::id() })
    }

    fn write(&self, py: Python<'_>, content: &[u8]) -> PyResult<usize> {
        self.check_process()?;
        let written = py.detach(|| {
            let mut draft = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let written = draft.as_mut().map(|draft| draft.file().write_all(content));
            written.transpose().map_err(|error| n4w_core::Error::io(&self.target, error))
        });
        match written.map_err(|error| to_py(py, &error))? {
            Some(()) => Ok(content.len()),
            None => Err(PyValueError::new_err("this file is closed")),
        }
    }

    #[allow(clippy::unused_self)]
    fn flush(&self) {}

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.check_process()?;
        let draft = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        match draft.filter(|_| kind.is_none()) {
            Some(draft) => {
                py.detach(|| draft.sync().and_then(|()| draft.replace())).map_err(|error| to_py(py, &error))
            }
            None => Ok(()),
        }
    }
}

impl Draft {
    fn check_process(&self) -> PyResult<()> {
        if std::process::id() == self.pid {
            return Ok(());
        }
        Err(PyRuntimeError::new_err("this file belongs to the process that began it, not to its fork"))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if std::process::id() != self.pid {
            // Dropping it would remove the file that the parent of this fork is writing.
            std::mem::forget(self.open.get_mut().ok().and_then(Option::take));
        }
    }
}

#[pyfunction]
pub fn replace_file(py: Python<'_>, path: PathBuf, content: &[u8]) -> PyResult<()> {
    py.detach(|| atomic::replace(&path, content)).map_err(|error| to_py(py, &error))
}

#[pyfunction]
pub fn create_file(py: Python<'_>, path: PathBuf, content: &[u8]) -> PyResult<()> {
    py.detach(|| atomic::create(&path, content)).map_err(|error| to_py(py, &error))
}

#[pyfunction]
pub fn make_folder(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    py.detach(|| atomic::make_folder(&path)).map_err(|error| to_py(py, &error))
}

#[pyfunction]
pub fn move_folder(py: Python<'_>, source: PathBuf, target: PathBuf) -> PyResult<()> {
    py.detach(|| atomic::move_folder(&source, &target)).map_err(|error| to_py(py, &error))
}

#[pyfunction]
pub fn sync_folder(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    let synced = py.detach(|| n4w_core::fs::platform::sync_folder(&path));
    synced.map_err(|error| to_py(py, &n4w_core::Error::io(&path, error)))
}

#[pyfunction]
pub fn is_network_drive(path: PathBuf) -> bool {
    n4w_core::fs::platform::is_network_drive(&path)
}
