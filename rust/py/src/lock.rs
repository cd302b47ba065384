//! Locks between processes.

use std::fs::File;
use std::path::PathBuf;
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
    filenos: Filenos,
    pid: u32,
}

#[pymethods]
impl Lock {
    #[new]
    #[pyo3(signature = (path, timeout=10.0))]
    fn new(py: Python<'_>, path: PathBuf, timeout: f64) -> PyResult<Self> {
        let timeout = Duration::try_from_secs_f64(timeout.max(0.0)).unwrap_or(Duration::MAX);
        let held = enter(py, 1, None, |progress| lock::Lock::take(&path, timeout, progress))?;
        let filenos = Filenos::of([held.file()]);
        Ok(Self { held: Mutex::new(Some(held)), path, filenos, pid: std::process::id() })
    }

    /// The numbers of the open files, for whoever must close them in a forked child.
    fn filenos(&self) -> Vec<i32> {
        self.filenos.get()
    }

    fn release(&self) -> PyResult<()> {
        if std::process::id() != self.pid {
            return Err(PyRuntimeError::new_err(
                "this lock belongs to the process that took it, not to its fork",
            ));
        }
        self.filenos.set([]);
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

/// Numbers of open files. They are looked at and changed under the GIL alone, which a fork waits for.
pub struct Filenos(Mutex<Vec<i32>>);

impl Filenos {
    /// Those of some files.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a File>) -> Self {
        Self(Mutex::new(numbers(files)))
    }

    /// Those of other files from now on.
    pub fn set<'a>(&self, files: impl IntoIterator<Item = &'a File>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = numbers(files);
    }

    /// All of them.
    pub fn get(&self) -> Vec<i32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(unix)]
fn numbers<'a>(files: impl IntoIterator<Item = &'a File>) -> Vec<i32> {
    files.into_iter().map(std::os::fd::AsRawFd::as_raw_fd).collect()
}

/// Windows has no forks.
#[cfg(not(unix))]
fn numbers<'a>(_files: impl IntoIterator<Item = &'a File>) -> Vec<i32> {
    Vec::new()
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
