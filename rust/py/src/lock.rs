//! Locks between processes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use n4w_core::fs::lock;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::convert::Converter;
use crate::gate::{to_py, wait};

/// A lock that is held until `release`, the end of a `with` block, or the end of the process.
#[pyclass(frozen, weakref, module = "nirs4all_workspace._native")]
pub struct Lock {
    held: Mutex<Option<lock::Lock>>,
    #[pyo3(get)]
    path: PathBuf,
    is_last: AtomicBool,
    pid: u32,
}

#[pymethods]
impl Lock {
    #[new]
    #[pyo3(signature = (path, timeout=10.0))]
    fn new(py: Python<'_>, path: PathBuf, timeout: f64) -> PyResult<Self> {
        let timeout = Duration::try_from_secs_f64(timeout.max(0.0)).unwrap_or(Duration::MAX);
        let held = wait(py, |check| lock::Lock::take(&path, timeout, check))?;
        Ok(Self {
            held: Mutex::new(Some(held)),
            path,
            is_last: AtomicBool::new(false),
            pid: std::process::id(),
        })
    }

    fn remove_on_release(&self) {
        self.is_last.store(true, Relaxed);
    }

    fn release(&self, py: Python<'_>) -> PyResult<()> {
        if std::process::id() != self.pid {
            return Err(PyRuntimeError::new_err(
                "this lock belongs to the process that took it, not to its fork",
            ));
        }
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_last = self.is_last.load(Relaxed);
        py.detach(|| match held {
            Some(held) if is_last => held.remove(),
            held => drop(held),
        });
        Ok(())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.release(py)
    }
}

#[pyfunction]
pub fn lock_is_held(py: Python<'_>, path: PathBuf) -> PyResult<bool> {
    py.detach(|| lock::is_held(&path)).map_err(|error| to_py(py, &error))
}

#[pyfunction]
pub fn lock_holder(py: Python<'_>, path: PathBuf) -> PyResult<Option<Bound<'_, PyAny>>> {
    let holder = py.detach(|| lock::holder(&path));
    holder.map(|holder| Converter::new(py).object(&holder.to_value())).transpose()
}
