//! Runs as Python dicts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use n4w_core::base::codec::ByteWriter;
use n4w_core::base::error::FileError;
use n4w_core::base::metrics::Direction;
use n4w_core::catalogue as core;
use n4w_core::catalogue::found_results::Results;
use n4w_core::catalogue::result_query::{self, Counted, ResultQuery};
use n4w_core::catalogue::top_results::{Per, TopResults, top};
use n4w_core::catalogue::{Entry, Kind, Listed, model_scores, results};
use n4w_core::fs::stat::Identity;
use n4w_core::segment::live_set::Open;
use n4w_core::yaml::tree::Tree;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::convert::{Converter, errors_value};
use crate::gate::enter;
use crate::yaml::Trees;

#[pyfunction]
#[pyo3(signature = (root, progress=None, *, threads=0, keep=true))]
pub fn list_runs<'py>(
    py: Python<'py>,
    root: PathBuf,
    progress: Option<Py<PyAny>>,
    threads: usize,
    keep: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let found = enter(py, threads, progress.as_ref(), |progress| core::list(&root, keep, progress))?;
    let mut trees = Trees::new(py);
    let runs: Vec<_> =
        found.entries.iter().map(|listed| trees.object(&listed.entry.content)).collect::<PyResult<_>>()?;
    answer(py, &found, PyList::new(py, runs)?)
}

#[pyfunction]
pub fn list_run_headers(py: Python<'_>, root: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let found = enter(py, 0, None, |progress| core::list(&root, true, progress))?;
    let headers = found.entries.iter().map(|listed| Bound::new(py, RunHeader(listed.clone())));
    let headers: Vec<_> = headers.collect::<PyResult<_>>()?;
    answer(py, &found, PyList::new(py, headers)?)
}

/// What a table shows of an entry; the rest is made a dict when it is asked for.
#[pyclass(frozen)]
pub struct RunHeader(Listed);

#[pymethods]
impl RunHeader {
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.entry.kind.name()
    }

    #[getter]
    fn id(&self) -> &str {
        &self.0.entry.id
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.entry.name
    }

    #[getter]
    fn status(&self) -> Option<&str> {
        self.0.entry.status.as_deref()
    }

    #[getter]
    fn created_at(&self) -> &str {
        &self.0.entry.created_at
    }

    #[getter]
    fn stamp(&self) -> Option<(u64, i64, i64, u64)> {
        self.0.stat.map(|Identity { size, mtime_ns, ctime_ns, inode }| (size, mtime_ns, ctime_ns, inode))
    }

    fn entry<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Trees::new(py).object(&self.0.entry.content)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Parts,))> {
        let entry = &self.0.entry;
        let names = (entry.id.clone(), entry.name.clone(), entry.status.clone(), entry.created_at.clone());
        let parts = (entry.kind.name().to_owned(), names, entry.content.to_vec(), self.stamp());
        Ok((py.import("nirs4all_workspace._native")?.getattr("_run_header")?, (parts,)))
    }
}

/// Kind; id, name, status and creation time; content; stamp.
type Parts = (String, (String, String, Option<String>, String), Vec<u8>, Option<(u64, i64, i64, u64)>);

/// A header that was pickled.
#[pyfunction]
pub fn _run_header(parts: Parts) -> PyResult<RunHeader> {
    let (kind, (id, name, status, created_at), content, stamp) = parts;
    let kind = [Kind::Run, Kind::Session, Kind::Files, Kind::Part].into_iter().find(|it| it.name() == kind);
    let kind = kind.ok_or_else(|| PyValueError::new_err("a run header of an unknown kind"))?;
    let entry = Entry { kind, id, name, status, created_at, content: content.into() };
    let stat = stamp.map(|(size, mtime_ns, ctime_ns, inode)| Identity { size, mtime_ns, ctime_ns, inode });
    Ok(RunHeader(Listed { entry: Arc::new(entry), stat }))
}

fn answer<'py>(
    py: Python<'py>,
    found: &core::Catalogue,
    runs: Bound<'py, PyList>,
) -> PyResult<Bound<'py, PyDict>> {
    let answer = PyDict::new(py);
    answer.set_item("runs", runs)?;
    answer.set_item("errors", Converter::new(py).object(&errors_value(&found.errors))?)?;
    answer.set_item("read", found.read)?;
    answer.set_item("unchanged", found.unchanged)?;
    Ok(answer)
}

#[pyfunction]
#[pyo3(signature = (root, run_ids=None, progress=None, *, threads=0))]
pub fn list_results<'py>(
    py: Python<'py>,
    root: PathBuf,
    run_ids: Option<Vec<String>>,
    progress: Option<Py<PyAny>>,
    threads: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let found = enter(py, threads, progress.as_ref(), |progress| {
        results::list(&root, run_ids.as_deref(), progress).map(Said::of)
    })?;
    found.answer(py)
}

/// The checkpointed results of one run; no other run is looked at.
#[pyfunction]
pub fn run_results(py: Python<'_>, root: PathBuf, run_id: String) -> PyResult<Bound<'_, PyDict>> {
    enter(py, 0, None, |_| results::of_one_run(&root, &run_id).map(Said::of))?.answer(py)
}

/// Session, dataset, metric, rows and best validation score.
type SessionRows = Vec<(String, String, String, i64, Option<f64>)>;

/// The names of all runs by id, and the rows of all sessions, as their results count them.
#[pyfunction]
pub fn session_rows(
    py: Python<'_>,
    root: PathBuf,
) -> PyResult<(HashMap<String, String>, SessionRows, Bound<'_, PyAny>)> {
    let (names, rows, errors) = enter(py, 0, None, |progress| core::list_session_rows(&root, progress))?;
    let rows = rows.into_iter().map(|it| (it.id, it.dataset, it.metric, it.rows, it.best)).collect();
    Ok((names.into_iter().collect(), rows, Converter::new(py).object(&errors_value(&errors))?))
}

/// Results, repeated checkpoints and errors, on their way to Python.
struct Said(Vec<u8>, Vec<u8>, Vec<FileError>);

impl Said {
    fn of(found: Results) -> Self {
        Self(written(&found.results), written(&found.repeated), found.errors)
    }

    fn answer<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Self(results, repeated, errors) = self;
        let mut trees = Trees::new(py);
        let answer = PyDict::new(py);
        answer.set_item("results", trees.object(results)?)?;
        answer.set_item("repeated", trees.object(repeated)?)?;
        answer.set_item("errors", Converter::new(py).object(&errors_value(errors))?)?;
        Ok(answer)
    }
}

#[pyfunction]
#[pyo3(signature = (root, *, equal, run, template, dataset, min_score, max_score, sort_by, descending, offset, limit))]
#[allow(clippy::too_many_arguments)]
pub fn page_results<'py>(
    py: Python<'py>,
    root: PathBuf,
    equal: HashMap<String, String>,
    run: Option<String>,
    template: Option<String>,
    dataset: Option<String>,
    min_score: Option<f64>,
    max_score: Option<f64>,
    sort_by: String,
    descending: Option<bool>,
    offset: usize,
    limit: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let equal = equal.into_iter().collect();
    let query = ResultQuery {
        equal,
        run,
        template,
        dataset,
        min_score,
        max_score,
        sort_by,
        descending,
        offset,
        limit,
    };
    let (results, total, errors) = enter(py, 0, None, |progress| {
        let found = result_query::page(&root, &query, progress)?;
        Ok((written(&found.results), found.total, found.errors))
    })?;
    let answer = PyDict::new(py);
    answer.set_item("results", Trees::new(py).object(&results)?)?;
    answer.set_item("total", total)?;
    answer.set_item("errors", Converter::new(py).object(&errors_value(&errors))?)?;
    Ok(answer)
}

/// What a ranking of results is asked for by, as keywords.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct AskedTop {
    per: String,
    k: usize,
    metric: Option<String>,
    by_test: bool,
    direction: Option<String>,
    model: Option<String>,
    bounds: [[Option<f64>; 2]; 2],
    equal: HashMap<String, String>,
    run: Option<String>,
    dataset: Option<String>,
    live: bool,
}

impl AskedTop {
    fn ask(self) -> n4w_core::Result<TopResults> {
        Ok(TopResults {
            per: Per::of(&self.per)?,
            k: self.k,
            metric: self.metric,
            by_test: self.by_test,
            direction: self.direction.as_deref().map(Direction::ranking).transpose()?,
            model: self.model,
            bounds: self.bounds,
            filter: ResultQuery {
                equal: self.equal.into_iter().collect(),
                run: self.run,
                dataset: self.dataset,
                ..ResultQuery::default()
            },
            open: if self.live { Open::Live } else { Open::LeftOut },
        })
    }
}

#[pyfunction]
pub fn top_results(py: Python<'_>, root: PathBuf, asked: AskedTop) -> PyResult<Bound<'_, PyDict>> {
    let (results, found) = enter(py, 0, None, |progress| {
        let found = top(&root, &asked.ask()?, progress)?;
        Ok((written(&found.results), found))
    })?;
    let answer = PyDict::new(py);
    answer.set_item("results", Trees::new(py).object(&results)?)?;
    answer.set_item("metric", found.metric)?;
    answer.set_item("direction", found.direction)?;
    answer.set_item("errors", Converter::new(py).object(&errors_value(&found.errors))?)?;
    Ok(answer)
}

/// Dataset, metric and model, with the best score.
type BestOfModel = ([Option<String>; 3], f64);

#[pyfunction]
pub fn best_by_model(py: Python<'_>, root: PathBuf) -> PyResult<(Vec<BestOfModel>, Bound<'_, PyAny>)> {
    let (best, errors) = enter(py, 0, None, |progress| model_scores::best_by_model(&root, progress))?;
    Ok((best.into_iter().collect(), Converter::new(py).object(&errors_value(&errors))?))
}

/// A run, how many of its results are done and how many failed, and what cannot be read.
type RunCount<'py> = (String, [u64; 2], Bound<'py, PyAny>);

#[pyfunction]
pub fn count_results<'py>(
    py: Python<'py>,
    root: PathBuf,
    run_ids: Vec<String>,
) -> PyResult<Vec<RunCount<'py>>> {
    let counted = enter(py, 0, None, |progress| result_query::count(&root, &run_ids, progress))?;
    let mut converter = Converter::new(py);
    let mut of_run = |it: Counted| Ok((it.run_id, it.counts, converter.object(&errors_value(&it.errors))?));
    counted.into_iter().map(&mut of_run).collect()
}

fn written(trees: &[Tree]) -> Vec<u8> {
    let mut writer = ByteWriter::default();
    Tree::encode_list(trees, &mut writer);
    writer.bytes
}
