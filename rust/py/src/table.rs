//! Rows of Parquet files, a batch at a time.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use n4w_core::reading::table::Reader;
use n4w_core::segment::ipc;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::gate::{detached, to_py};
use crate::scan::Rows;

/// Reads some columns of a file from one row to another.
#[pyclass(frozen, module = "nirs4all_workspace._native")]
pub struct RowReader {
    reader: Mutex<Reader>,
    path: PathBuf,
}

#[pymethods]
impl RowReader {
    #[new]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        columns: Option<Vec<String>>,
        start: usize,
        count: usize,
        batch: usize,
    ) -> PyResult<Self> {
        let open = || Reader::open(&path, columns.as_deref(), start, count, batch);
        Ok(Self { reader: Mutex::new(detached(py, Some(&path), open)?), path })
    }

    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let empty = RecordBatch::new_empty(self.lock().schema.clone());
        let bytes = ipc::encode(&empty).map_err(|error| to_py(py, &error))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn next(&self, py: Python<'_>) -> PyResult<Option<Rows>> {
        let batch = detached(py, Some(&self.path), || self.lock().read())?;
        Ok(batch.map(|batch| Rows { batch }))
    }
}

impl RowReader {
    fn lock(&self) -> std::sync::MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
