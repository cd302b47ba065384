//! What a scan of all rows reads.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator};
use arrow_schema::{Schema, SchemaRef};
use n4w_core::query::scan_plan::{Plan, Stream};
use n4w_core::query::score_struct;
use n4w_core::segment::ipc;
use n4w_core::summary::json_scores::ScorePath;
use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};

use crate::convert::{Converter, errors_value};
use crate::gate::{enter, to_py};
use crate::stream;
use crate::workspace::open;

/// The files of a workspace at one moment, and in which columns and types their rows are answered.
#[pyclass(frozen, module = "nirs4all_workspace._native")]
pub struct ScanPlan {
    plan: Plan,
}

#[pymethods]
impl ScanPlan {
    #[new]
    #[pyo3(signature = (root, *, live, partial, is_last))]
    fn new(py: Python<'_>, root: PathBuf, live: bool, partial: bool, is_last: bool) -> PyResult<Self> {
        let plan = enter(py, 0, None, |progress| Plan::of(&root, open(live), partial, is_last, progress))?;
        Ok(Self { plan })
    }

    /// The columns of the answer, as an Arrow IPC stream without rows.
    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let empty = RecordBatch::new_empty(self.plan.schema.clone());
        let bytes = ipc::encode(&empty).map_err(|error| to_py(py, &error))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Files that cannot be used, as dicts of path, kind and message.
    fn errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Converter::new(py).object(&errors_value(&self.plan.errors))
    }

    /// Files of equal columns that another reader reads as they are, each with path; then which columns they have
    /// and how many rows; the files that only `stream` reads, by their places; and files that must not be read.
    #[allow(clippy::type_complexity, reason = "as Python takes it apart")]
    fn groups<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<String>,
        like: &Self,
    ) -> PyResult<(Vec<(Vec<(usize, PathBuf)>, Vec<String>, u64)>, Vec<usize>, Bound<'py, PyAny>)> {
        let answer = like.select(&columns)?;
        let reading = enter(py, 0, None, |_| self.plan.reading(&answer))?;
        let groups = reading.groups.into_iter().map(|group| {
            let path = |&file: &usize| Some((file, self.plan.path(file)?.to_path_buf()));
            (group.files.iter().filter_map(path).collect(), group.columns, group.rows)
        });
        let errors = Converter::new(py).object(&errors_value(&reading.errors))?;
        Ok((groups.collect(), reading.converted, errors))
    }

    /// The rows of one file in these columns of the answer of a plan.
    fn stream(&self, file: usize, columns: Vec<String>, like: &Self) -> PyResult<RowStream> {
        let answer = SchemaRef::new(like.select(&columns)?);
        let stream = self.plan.stream(file, answer).ok_or_else(|| PyIndexError::new_err(file))?;
        Ok(RowStream { stream: Mutex::new(stream) })
    }

    /// The path of a file, by its place.
    fn path(&self, file: usize) -> PyResult<PathBuf> {
        self.plan.path(file).map(PathBuf::from).ok_or_else(|| PyIndexError::new_err(file))
    }

    /// The name of a file in the workspace, by its place.
    fn name(&self, file: usize) -> PyResult<String> {
        self.plan.name(file).map(str::to_owned).ok_or_else(|| PyIndexError::new_err(file))
    }
}

impl ScanPlan {
    fn select(&self, columns: &[String]) -> PyResult<Schema> {
        let field = |name: &String| {
            let found = self.plan.schema.column_with_name(name);
            found.map(|(_, field)| field.clone()).ok_or_else(|| PyKeyError::new_err(name.clone()))
        };
        Ok(Schema::new(columns.iter().map(field).collect::<PyResult<Vec<_>>>()?))
    }
}

/// The rows of one file, converted, a few at a time.
#[pyclass(frozen, module = "nirs4all_workspace._native")]
pub struct RowStream {
    stream: Mutex<Stream>,
}

#[pymethods]
impl RowStream {
    /// The next rows; None after the last ones.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Rows>> {
        let read = || self.stream.lock().unwrap_or_else(PoisonError::into_inner).next_batch();
        let batch = py.detach(read).map_err(|error| to_py(py, &error))?;
        Ok(batch.map(|batch| Rows { batch }))
    }

    /// What was damaged or did not convert, as dicts of path, kind and message.
    fn errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let errors = self.stream.lock().unwrap_or_else(PoisonError::into_inner).errors();
        Converter::new(py).object(&errors_value(&errors))
    }
}

/// Rows that any library takes as an Arrow stream.
#[pyclass(frozen, module = "nirs4all_workspace._native")]
pub struct Rows {
    /// All of them.
    pub batch: RecordBatch,
}

#[pymethods]
impl Rows {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A consumer may ask for another schema, and must take what comes.
        drop(requested_schema);
        let batches = RecordBatchIterator::new([Ok(self.batch.clone())], self.batch.schema());
        let stream = FFI_ArrowArrayStream::new(Box::new(batches));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }
}

/// Which numbers the rows of a workspace have in `scores`, by names such as `val.r2`.
#[pyfunction]
#[pyo3(signature = (root, *, live))]
pub fn score_names(py: Python<'_>, root: PathBuf, live: bool) -> PyResult<Vec<String>> {
    let names = enter(py, 0, None, |progress| score_struct::names(&root, open(live), progress))?;
    Ok(names.iter().map(ScorePath::column).collect())
}

/// Which numbers the rows of a frame have in its column `scores`.
#[pyfunction]
pub fn score_names_in(frame: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let mut names = BTreeSet::new();
    for batch in stream::Stream::of(frame, "score_names_in")? {
        let batch = batch.map_err(|error| to_py(frame.py(), &error))?;
        let found = frame.py().detach(|| score_struct::names_in(&batch));
        names.append(&mut found.map_err(|error| to_py(frame.py(), &error))?);
    }
    Ok(names.iter().map(ScorePath::column).collect())
}

/// The column `scores` of a frame as structs of these numbers.
#[pyfunction]
pub fn score_structs(frame: &Bound<'_, PyAny>, names: Vec<String>) -> PyResult<Vec<Rows>> {
    let py = frame.py();
    let names = names.iter().map(|name| ScorePath::parse(name)).collect::<Result<BTreeSet<_>, _>>();
    let names = names.map_err(|error| to_py(py, &error))?;
    let structs_of = |batch: n4w_core::Result<RecordBatch>| {
        let made = batch.and_then(|batch| py.detach(|| score_struct::structs_of(&batch, &names)));
        made.map(|batch| Rows { batch }).map_err(|error| to_py(py, &error))
    };
    stream::Stream::of(frame, "score_structs")?.map(structs_of).collect()
}
