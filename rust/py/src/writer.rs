//! Writing predictions: mappings, batches and arrays of Python into one writer of the core.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::ffi_stream::RecordBatchStreamReader;
use arrow_pyarrow::FromPyArrow;
use n4w_core::arrays::{ROLES, Values};
use n4w_core::error::caught;
use n4w_core::mappings::Cell;
use n4w_core::summary::columns::parse_time;
use n4w_core::threads;
use n4w_core::value::Value;
use n4w_core::writer::{Given, Options, Writer};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::convert::Converter;
use crate::gate::{detached, enter, to_py};
use crate::recover::outcome_value;

/// One writer of predictions; see `nirs4all_workspace.Writer`.
#[pyclass(frozen, weakref, module = "nirs4all_workspace._native")]
pub struct JournalWriter {
    writer: Mutex<Writer>,
    pid: u32,
}

#[pymethods]
impl JournalWriter {
    #[new]
    #[pyo3(signature = (root, run_id, dataset_name, folder, *, durable=true, flush_rows, flush_bytes, flush_seconds, ids=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        root: PathBuf,
        run_id: &str,
        dataset_name: &str,
        folder: &str,
        durable: bool,
        flush_rows: usize,
        flush_bytes: usize,
        flush_seconds: f64,
        ids: Option<(String, String)>,
    ) -> PyResult<Self> {
        let age = Duration::try_from_secs_f64(flush_seconds)
            .map_err(|error| PyValueError::new_err(format!("flush_seconds is {flush_seconds}: {error}")))?;
        let options = Options { is_durable: durable, rows: flush_rows, bytes: flush_bytes, age };
        let given = ids.map(|(writer, journal)| Given { writer, journal });
        let open = || match given {
            None => Writer::open(&root, run_id, dataset_name, folder, options),
            Some(given) => Writer::open_as(&root, run_id, dataset_name, folder, options, given),
        };
        let writer = detached(py, Some(&root), open)?;
        Ok(Self { writer: Mutex::new(writer), pid: std::process::id() })
    }

    #[getter]
    fn writer_id(&self) -> PyResult<String> {
        self.check_process()?;
        Ok(self.lock().name().writer.clone())
    }

    #[getter]
    fn path(&self) -> PyResult<Option<PathBuf>> {
        self.check_process()?;
        Ok(self.lock().path().map(std::path::Path::to_path_buf))
    }

    fn progress(&self) -> PyResult<(u64, u64)> {
        self.check_process()?;
        Ok(self.lock().progress())
    }

    fn write(&self, py: Python<'_>, row: &Bound<'_, PyDict>) -> PyResult<bool> {
        self.check_process()?;
        let (cells, arrays) = parts_of(row)?;
        // Under the lock runs no Python code, which might come back here.
        caught(None, || self.lock().write(cells, arrays)).map_err(|error| to_py(py, &error))
    }

    fn write_batch(&self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.check_process()?;
        let batches = batches_of(batch)?;
        self.work(py, |writer| writer.write_batches(&batches))
    }

    fn write_arrays(&self, py: Python<'_>, arrays: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
        self.check_process()?;
        let batches = batches_of(arrays)?;
        self.work(py, |writer| writer.write_arrays(&batches))
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.work(py, Writer::flush)
    }

    fn tally<'py>(&self, py: Python<'py>, result_id: &str) -> PyResult<Bound<'py, PyAny>> {
        let tally = self.work(py, |writer| writer.tally(result_id))?;
        let value = Value::map([
            ("n_rows", tally.rows.into()),
            ("metric", tally.metric.as_deref().into()),
            ("score_kind", tally.score_kind.into()),
            ("best_score", tally.best_score.into()),
            ("best_model", tally.best_model.as_deref().into()),
        ]);
        Converter::new(py).object(&value)
    }

    fn checkpoint(&self, py: Python<'_>, result_id: &str, result: &str) -> PyResult<()> {
        self.work(py, |writer| writer.checkpoint(result_id, result))
    }

    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.check_process()?;
        let outcomes = enter(py, 0, None, |progress| self.lock().close(progress));
        Converter::new(py).object(&outcomes?.iter().map(outcome_value).collect::<Value>())
    }
}

impl JournalWriter {
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_process(&self) -> PyResult<()> {
        if std::process::id() == self.pid {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(
            "this writer belongs to the process that opened it, not to its fork; open another one here",
        ))
    }

    fn work<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Writer) -> n4w_core::Result<T> + Send,
    ) -> PyResult<T> {
        self.check_process()?;
        detached(py, None, || {
            // Locked outside of the pool, whose threads may take up another call while they wait.
            let writer = &mut *self.lock();
            let path = writer.path().map(Path::to_path_buf);
            // In a pool of this process: the pool that a fork inherits has no threads.
            caught(path.as_deref(), || threads::run(0, || work(writer)).and_then(|result| result))
        })
    }
}

/// The ids that arrays have by their content.
#[pyfunction]
pub fn array_ids(py: Python<'_>, arrays: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let batches = batches_of(arrays)?;
    detached(py, None, || {
        let found = n4w_core::arrays::of_batches(&batches)?;
        Ok(found.iter().map(|(values, _)| n4w_core::arrays::id_of(&values.hash())).collect())
    })
}

fn batches_of(batch: &Bound<'_, PyAny>) -> PyResult<Vec<RecordBatch>> {
    let py = batch.py();
    if batch.hasattr(intern!(py, "__arrow_c_stream__"))? {
        let stream = RecordBatchStreamReader::from_pyarrow_bound(batch)?;
        return stream.collect::<Result<_, _>>().map_err(|error| PyValueError::new_err(error.to_string()));
    }
    if batch.hasattr(intern!(py, "__arrow_c_array__"))? {
        return Ok(vec![RecordBatch::from_pyarrow_bound(batch)?]);
    }
    Err(PyTypeError::new_err(format!(
        "write_batch takes an Arrow table, batch or data frame (with __arrow_c_stream__ or __arrow_c_array__), \
         not {}",
        batch.get_type().name()?
    )))
}

type Cells<'a> = Vec<(Cow<'a, str>, Cell<'a>)>;

/// The cells of a mapping, and its arrays by their place in [`ROLES`].
fn parts_of<'a>(row: &'a Bound<'_, PyDict>) -> PyResult<(Cells<'a>, Vec<(usize, Values)>)> {
    let mut cells = Vec::with_capacity(row.len());
    let mut arrays = Vec::new();
    for (key, value) in row.iter() {
        let key =
            key.cast::<PyString>().map_err(|_| PyTypeError::new_err("the keys of a row are column names"))?;
        let name = text_of(key, "the name of a column")?;
        if let Some(role) = ROLES.iter().position(|(role, _, _)| *role == name) {
            if !value.is_none() {
                arrays.push((role, values_of(&value, &name)?));
            }
        } else {
            let cell = cell_of(&value, &name)?;
            cells.push((Cow::Owned(name), cell));
        }
    }
    Ok((cells, arrays))
}

fn cell_of(value: &Bound<'_, PyAny>, column: &str) -> PyResult<Cell<'static>> {
    let py = value.py();
    if value.is_none() {
        return Ok(Cell::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(Cell::Text(Cow::Owned(text.to_owned()))),
            Err(_) => text_of(text, &format!("column {column:?}")).map(|text| Cell::Text(Cow::Owned(text))),
        };
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(Cell::Float(number.value()));
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Cell::Bool(truth.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        let too_large = |_| PyValueError::new_err(format!("column '{column}' has a number beyond 64 bits"));
        return value.extract().map(Cell::Int).map_err(too_large);
    }
    if value.is_instance_of::<PyDict>()
        || value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
    {
        let stored = py.import(intern!(py, "nirs4all_workspace.stored"))?;
        let text = stored.call_method1(intern!(py, "cell_text"), (value, column))?;
        return Ok(Cell::Text(Cow::Owned(text.extract()?)));
    }
    if value.hasattr(intern!(py, "isoformat"))? {
        let text: String = value.call_method0(intern!(py, "isoformat"))?.extract()?;
        return Ok(parse_time(&text).map_or(Cell::Text(Cow::Owned(text)), Cell::Time));
    }
    // Scalars of numpy and its like.
    if value.hasattr(intern!(py, "item"))? {
        let item = value.call_method0(intern!(py, "item"))?;
        if !item.get_type().is(value.get_type()) {
            return cell_of(&item, column);
        }
    }
    Err(PyTypeError::new_err(format!(
        "column '{column}' has a value of type {}, which no column can hold",
        value.get_type().name()?
    )))
}

/// A text, which may be no Unicode: then it is refused by its name.
fn text_of(text: &Bound<'_, PyString>, what: &str) -> PyResult<String> {
    if let Ok(text) = text.to_str() {
        return Ok(text.to_owned());
    }
    let stored = text.py().import(intern!(text.py(), "nirs4all_workspace.stored"))?;
    stored.call_method1(intern!(text.py(), "check_text"), (text, what))?.extract()
}

/// Numbers from a buffer, from anything with `to_numpy`, or from lists in lists.
fn values_of(value: &Bound<'_, PyAny>, key: &str) -> PyResult<Values> {
    let py = value.py();
    macro_rules! buffers {
        ($($type:ty),*) => {
            $(if let Ok(values) = from_buffer::<$type>(value, |number| number as f64) {
                return Ok(values);
            })*
        };
    }
    if let Ok(values) = from_buffer::<f64>(value, |number| number) {
        return Ok(values);
    }
    #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "one macro for all types")]
    {
        buffers!(f32, i64, i32, i16, i8, u64, u32, u16, u8);
    }
    if let Ok(array) = value.call_method0(intern!(py, "to_numpy")) {
        return values_of(&array, key);
    }
    let unfit = || {
        let kind = value.get_type();
        PyTypeError::new_err(format!("{key} must be an array or a list of numbers, or None, not {kind}"))
    };
    if let Ok(data) = value.extract::<Vec<f64>>() {
        return Ok(Values { shape: vec![data.len()], data });
    }
    let rows: Vec<Vec<f64>> = value.extract().map_err(|_| unfit())?;
    let width = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != width) {
        return Err(PyValueError::new_err(format!("the rows of {key} have different lengths")));
    }
    Ok(Values { shape: vec![rows.len(), width], data: rows.concat() })
}

fn from_buffer<T: Element>(value: &Bound<'_, PyAny>, number: impl Fn(T) -> f64) -> PyResult<Values> {
    let buffer = PyBuffer::<T>::get(value)?;
    let data = buffer.to_vec(value.py())?.into_iter().map(number).collect();
    Ok(Values { data, shape: buffer.shape().to_vec() })
}
