//! Durable files.

use std::path::PathBuf;

use n4w_core::atomic;
use pyo3::prelude::*;

use crate::gate::to_py;

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
    let synced = py.detach(|| n4w_core::platform::sync_folder(&path));
    synced.map_err(|error| to_py(py, &n4w_core::Error::io(&path, error)))
}

#[pyfunction]
pub fn is_network_drive(path: PathBuf) -> bool {
    n4w_core::platform::is_network_drive(&path)
}
