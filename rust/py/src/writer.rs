//! Writing predictions: mappings, batches and arrays of Python into one writer of the core.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;
use n4w_core::base::codec::ByteWriter;
use n4w_core::base::error::caught;
use n4w_core::base::threads;
use n4w_core::base::value::Value;
use n4w_core::catalogue::result_fields::score_fields;
use n4w_core::write::arrays::{ROLES, Values};
use n4w_core::write::intake::results_of;
use n4w_core::write::mappings::Cell;
use n4w_core::write::planned::FIELDS;
use n4w_core::write::writer::{Given, Options, Writer};
use n4w_core::yaml::tree::Tree;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::cells::{array_of, cell_of, text_of};
use crate::convert::Converter;
use crate::gate::{detached, enter, to_py};
use crate::recover::outcome_value;
use crate::stream::Stream;
use crate::yaml::Trees;

/// One writer of predictions; see `nirs4all_workspace.Writer`.
#[pyclass(frozen, weakref, module = "nirs4all_workspace._native")]
pub struct JournalWriter {
    writer: Mutex<Writer>,
    /// Returns what the rows of a result take from it, as a dict.
    planned: Option<Py<PyAny>>,
    results: Mutex<HashSet<String>>,
    /// Called with the ids of results that rows name for the first time; raises where they are refused.
    check_results: Option<Py<PyAny>>,
    pid: u32,
}

/// Bits of what a call that adds rows returns.
const IS_DUE: u8 = 1;
const HAS_FRESH: u8 = 2;

#[pymethods]
impl JournalWriter {
    #[new]
    #[pyo3(signature = (root, run_id, dataset_name, folder, *, durable=true, flush_rows, flush_bytes, flush_seconds, ids=None, planned=None, check_results=None))]
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
        planned: Option<Py<PyAny>>,
        check_results: Option<Py<PyAny>>,
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
        Ok(Self {
            writer: Mutex::new(writer),
            planned,
            results: Mutex::default(),
            check_results,
            pid: std::process::id(),
        })
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

    fn write(&self, py: Python<'_>, row: &Bound<'_, PyDict>) -> PyResult<u8> {
        self.check_process()?;
        let (cells, arrays) = parts_of(row)?;
        if self.check_results.is_some() {
            match cells.iter().find(|(name, _)| name == "result_id") {
                Some((_, Cell::Text(result))) => self.check_new(py, &[result])?,
                // What is no text is refused below.
                Some((_, other)) => {
                    if let Ok(Cell::Text(result)) = other.clone().as_text("result_id") {
                        self.check_new(py, &[&result])?;
                    }
                }
                None => {}
            }
        }
        if self.planned.is_some() {
            let result = self.lock().planned.unplanned(&cells);
            result.map_or(Ok(()), |result| self.plan(py, result))?;
        }
        // Under the lock runs no Python code, which might come back here.
        let added = caught(None, || {
            let mut writer = self.lock();
            writer.write(cells, arrays).map(|is_due| bits(&mut writer, is_due))
        });
        added.map_err(|error| to_py(py, &error))
    }

    fn write_batch(&self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<u8> {
        self.check_process()?;
        let batches = batches_of(batch)?;
        if self.check_results.is_some() {
            // What is no text is refused below.
            let results = detached(py, None, || Ok(results_of(&batches).unwrap_or_default()))?;
            self.check_new(py, &results.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        if self.planned.is_some() {
            for result in self.work(py, |writer| writer.planned.unplanned_of_batches(&batches))? {
                self.plan(py, result)?;
            }
        }
        self.work(py, |writer| writer.write_batches(&batches).map(|is_due| bits(writer, is_due)))
    }

    fn take_fresh(&self) -> PyResult<Vec<(&'static str, String)>> {
        self.check_process()?;
        Ok(self.lock().seen().take_fresh())
    }

    fn write_arrays(&self, py: Python<'_>, arrays: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
        self.check_process()?;
        let batches = batches_of(arrays)?;
        self.work(py, |writer| writer.write_arrays(&batches))
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.work(py, Writer::flush)
    }

    #[pyo3(signature = (result_id, metric=None))]
    fn tally<'py>(
        &self,
        py: Python<'py>,
        result_id: &str,
        metric: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let stats = self.work(py, |writer| writer.result_stats(result_id, metric))?;
        let said = [
            ("n_rows", i64::try_from(stats.rows).map_or(Tree::Null, Tree::Int)),
            ("metric", stats.metric.clone().into()),
            ("score_kind", stats.score_kind.into()),
            ("best_score", stats.best_score.map_or(Tree::Null, Tree::Float)),
            ("best_model", stats.best_model.clone().into()),
            ("repeated_fold", stats.repeated_fold.clone().into()),
            ("without_metric", Tree::Int(i64::try_from(stats.without_metric).unwrap_or(i64::MAX))),
        ];
        let said = said.into_iter().chain(score_fields(&stats)).map(|(name, value)| (name.into(), value));
        let mut written = ByteWriter::default();
        Tree::Map(said.collect()).encode(&mut written);
        Trees::new(py).object(&written.bytes)
    }

    fn checkpoint(&self, py: Python<'_>, results: Vec<(String, String)>) -> PyResult<()> {
        let results: Vec<(&str, &str)> = results.iter().map(|(id, text)| (&**id, &**text)).collect();
        self.work(py, |writer| writer.checkpoint(&results))
    }

    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.check_process()?;
        let outcomes = enter(py, 0, None, |progress| self.lock().close(progress));
        Converter::new(py).object(&outcomes?.iter().map(outcome_value).collect::<Value>())
    }
}

impl JournalWriter {
    /// Asks for what the rows of a result take from it.
    fn plan(&self, py: Python<'_>, result: String) -> PyResult<()> {
        let Some(planned) = &self.planned else { return Ok(()) };
        let found = planned.bind(py).call1((&result,))?.cast_into::<PyDict>()?;
        let mut values = [const { Cell::Null }; FIELDS.len()];
        for (name, value) in FIELDS.iter().zip(&mut values) {
            if let Some(given) = found.get_item(name)? {
                *value = cell_of(&given, name)?;
            }
        }
        self.lock().planned.insert(result, values);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the results checked that no row named before.
    fn check_new(&self, py: Python<'_>, results: &[&str]) -> PyResult<()> {
        let Some(check) = &self.check_results else { return Ok(()) };
        let known = || self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<&str> = {
            let known = known();
            results.iter().copied().filter(|result| !known.contains(*result)).collect()
        };
        if !new.is_empty() {
            check.call1(py, (new.clone(),))?;
            known().extend(new.into_iter().map(str::to_owned));
        }
        Ok(())
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
        let found = n4w_core::write::arrays::of_batches(&batches)?;
        Ok(found.iter().map(|(values, _)| n4w_core::write::arrays::id_of(&values.hash())).collect())
    })
}

fn bits(writer: &mut Writer, is_due: bool) -> u8 {
    (u8::from(is_due) * IS_DUE) | (u8::from(writer.seen().has_fresh()) * HAS_FRESH)
}

fn batches_of(batch: &Bound<'_, PyAny>) -> PyResult<Vec<RecordBatch>> {
    let py = batch.py();
    let batches: n4w_core::Result<Vec<_>> = Stream::of(batch, "write_batch")?.collect();
    batches.map_err(|error| to_py(py, &error))
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
            if !value.is_none()
                && let Some(values) = array_of(&value, &name)?
            {
                arrays.push((role, values));
            }
        } else {
            let cell = cell_of(&value, &name)?;
            cells.push((Cow::Owned(name), cell));
        }
    }
    Ok((cells, arrays))
}
