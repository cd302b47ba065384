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
