//! Checking column chunks before others decode them.

use std::path::PathBuf;

use n4w_core::decode::chunk_checks::{Readers, check_files};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::gate::{enter, to_py};

#[pyfunction]
#[pyo3(signature = (paths, columns=None, *, threads=0))]
pub fn check_chunks<'py>(
    py: Python<'py>,
    paths: Vec<PathBuf>,
    columns: Option<Vec<String>>,
    threads: usize,
) -> PyResult<Bound<'py, PyList>> {
    let checked = enter(py, threads, None, |_| Ok(check_files(&paths, columns.as_deref())))?;
    let list = PyList::empty(py);
    for checked in checked {
        match checked {
            Ok(Readers::All) => list.append(py.None())?,
            Ok(Readers::InBatches(reason)) => list.append(reason)?,
            Err(error) => list.append(to_py(py, &error))?,
        }
    }
    Ok(list)
}
