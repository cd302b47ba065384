//! Rows of Parquet files, a batch at a time.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use n4w_core::base::threads;
use n4w_core::reading::table::Reader;
use n4w_core::segment::ipc;
use n4w_core::types::row_digest::digest;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::gate::{detached, to_py};
use crate::scan::Rows;
use crate::stream::Stream;

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

/// The digest of a table's rows.
#[pyfunction]
#[pyo3(signature = (frame, columns=None))]
pub fn row_digest(py: Python<'_>, frame: &Bound<'_, PyAny>, columns: Option<Vec<String>>) -> PyResult<u128> {
    let mut sum = 0_u128;
    for batch in Stream::of(frame, "row_digest")? {
        let batch = batch.map_err(|error| to_py(py, &error))?;
        let work = || threads::run(0, || digest(&batch, columns.as_deref()))?;
        sum = sum.wrapping_add(detached(py, None, work)?);
    }
    Ok(sum)
}
