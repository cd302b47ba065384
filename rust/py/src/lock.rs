//! Locks between processes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use n4w_core::lock;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::convert::Converter;
use crate::gate::{enter, to_py};

/// A lock that is held until `release`, the end of a `with` block, or the end of the process.
#[pyclass(frozen, weakref, module = "nirs4all_workspace._native")]
pub struct Lock {
    held: Mutex<Option<lock::Lock>>,
    #[pyo3(get)]
    path: PathBuf,
    fileno: AtomicI32,
    pid: u32,
}

#[pymethods]
impl Lock {
    #[new]
    #[pyo3(signature = (path, timeout=10.0))]
    fn new(py: Python<'_>, path: PathBuf, timeout: f64) -> PyResult<Self> {
        let timeout = Duration::try_from_secs_f64(timeout.max(0.0)).unwrap_or(Duration::MAX);
        let held = enter(py, 1, None, |progress| lock::Lock::take(&path, timeout, progress))?;
        let fileno = AtomicI32::new(fileno(held.file()));
        Ok(Self { held: Mutex::new(Some(held)), path, fileno, pid: std::process::id() })
    }

    /// The number of the open file, for whoever must close it in a forked child; -1 once released.
    fn fileno(&self) -> i32 {
        self.fileno.load(Relaxed)
    }

    fn release(&self) -> PyResult<()> {
        if std::process::id() != self.pid {
            return Err(PyRuntimeError::new_err(
                "this lock belongs to the process that took it, not to its fork",
            ));
        }
        self.fileno.store(-1, Relaxed);
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(held);
        Ok(())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.release()
    }
}

/// The number of an open file; -1 where the system has none.
#[cfg(unix)]
pub fn fileno(file: &std::fs::File) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(file)
}

/// The number of an open file; -1 where the system has none.
#[cfg(not(unix))]
pub fn fileno(_file: &std::fs::File) -> i32 {
    -1
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
