//! Accumulators and the summaries of single files.

use n4w_core::base::clock;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use n4w_core::footer::TailReader;
use n4w_core::reading::collect::{FileSummary, summarise_file};
use n4w_core::summary::{Accumulator, add_batches, embedded, report};
use n4w_core::types::columns;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PyString, PyTuple, PyType};
use rayon::prelude::*;

use crate::convert::Converter;
use crate::gate::{enter, to_py};
use crate::mapping::{self, Known};
use crate::stream::Stream;

/// So many rows of a stream are read before they are added together.
const ROWS_AT_ONCE: usize = 1 << 20;

#[pyclass(frozen, module = "nirs4all_workspace")]
pub struct SummaryAccumulator {
    state: Mutex<Accumulator>,
    known: Mutex<Known>,
}

#[pymethods]
impl SummaryAccumulator {
    #[new]
    #[pyo3(signature = (top_k=32))]
    fn new(top_k: usize) -> Self {
        Self::of(Accumulator::new(top_k))
    }

    fn add(&self, row: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(dict) = row.cast::<PyDict>() {
            return mapping::add(dict, &self.state, &self.known);
        }
        let copy = PyDict::new(row.py());
        copy.update(row.cast::<PyMapping>()?)?;
        mapping::add(&copy, &self.state, &self.known)
    }

    #[pyo3(signature = (batch, *, threads=0))]
    fn add_batch(&self, batch: &Bound<'_, PyAny>, threads: usize) -> PyResult<()> {
        let py = batch.py();
        let top_k = self.lock().top_k();
        let stream = Stream::of(batch, "add_batch")?;
        let added = enter(py, threads, None, |progress| {
            let mut added = Accumulator::new(top_k);
            let (mut held, mut rows) = (Vec::new(), 0);
            for batch in stream {
                progress.check()?;
                let batch = columns::by_meaning(&batch?)?;
                rows += batch.num_rows();
                held.push(batch);
                if rows >= ROWS_AT_ONCE {
                    add_batches(&mut added, &held)?;
                    held.clear();
                    rows = 0;
                }
            }
            add_batches(&mut added, &held)?;
            Ok(added)
        })?;
        // All of the batch or nothing: it is added in one piece, after it was read without error.
        self.lock().merge(&added);
        Ok(())
    }

    fn merge(&self, other: &Self) {
        // A copy first: an accumulator may be merged with itself, and two with each other.
        let other = other.lock().clone();
        self.lock().merge(&other);
    }

    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let value = report::summary(&self.lock(), None, &clock::now());
        Converter::new(py).object(&value)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &embedded::to_bytes(&self.lock()))
    }

    #[classmethod]
    fn from_bytes(_class: &Bound<'_, PyType>, py: Python<'_>, state: &[u8]) -> PyResult<Self> {
        embedded::from_bytes(state).map(Self::of).map_err(|error| to_py(py, &error))
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("n4a_version", report::VERSION)?;
        dict.set_item("summary", self.summary(py)?)?;
        dict.set_item("sketch", embedded::to_text(&self.lock()))?;
        Ok(dict)
    }

    #[classmethod]
    fn from_dict(_class: &Bound<'_, PyType>, state: &Bound<'_, PyDict>) -> PyResult<Self> {
        let sketch =
            state.get_item("sketch")?.ok_or_else(|| PyValueError::new_err("the dict has no key 'sketch'"))?;
        embedded::from_text(sketch.cast::<PyString>()?.to_str()?)
            .map(Self::of)
            .map_err(|error| to_py(state.py(), &error))
    }

    fn __len__(&self) -> usize {
        self.lock().rows() as usize
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((slf.get_type().getattr("from_bytes")?, (slf.get().to_bytes(slf.py()),)))
    }
}

impl SummaryAccumulator {
    fn of(accumulator: Accumulator) -> Self {
        Self { state: Mutex::new(accumulator), known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Accumulator> {
        mapping::lock(&self.state)
    }
}

#[pyfunction]
#[pyo3(signature = (paths, *, threads=0))]
pub fn read_summaries<'py>(
    py: Python<'py>,
    paths: Vec<PathBuf>,
    threads: usize,
) -> PyResult<Bound<'py, PyList>> {
    let generated_at = clock::now();
    let read = enter(py, threads, None, |progress| {
        let one = |tails: &mut TailReader, path: &PathBuf| {
            progress.check()?;
            let read = summarise_file(path, tails).and_then(FileSummary::datasets);
            let summary = |(datasets, scanned)| (embedded::summary_of(&datasets, &generated_at), scanned);
            Ok(read.map(summary).map_err(|error| error.at(path)))
        };
        paths.par_iter().map_init(TailReader::default, one).collect::<n4w_core::Result<Vec<_>>>()
    })?;
    let mut converter = Converter::new(py);
    let list = PyList::empty(py);
    for summary in read {
        let entry = match summary {
            Ok((value, scanned)) => PyTuple::new(
                py,
                [converter.object(&value)?, scanned.into_pyobject(py)?, py.None().into_bound(py)],
            )?,
            Err(error) => {
                let none = py.None().into_bound(py);
                PyTuple::new(
                    py,
                    [none.clone(), none, to_py(py, &error).into_value(py).into_bound(py).into_any()],
                )?
            }
        };
        list.append(entry)?;
    }
    Ok(list)
}
