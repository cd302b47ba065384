//! Recovery, compaction and what belongs to a run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use n4w_core::base::threads;
use n4w_core::base::value::Value;
use n4w_core::reading::{open_segments, unfinished};
use n4w_core::segment::journal::End;
use n4w_core::upkeep::recover as core;
use n4w_core::upkeep::recover::{Living, Report, Scope};
use n4w_core::write::seal::Outcome;
use pyo3::prelude::*;

use crate::convert::{Converter, errors_value, findings_value};
use crate::gate::{detached, enter};

/// What became of a journal, as answers show it.
pub fn outcome_value(outcome: &Outcome) -> Value {
    let end = match &outcome.reading.end {
        _ if outcome.reading.is_damaged() => "corrupt",
        End::Torn => "torn",
        End::Clean | End::Bad { .. } => "clean",
    };
    Value::map([
        ("run_id", outcome.name.run_id.as_str().into()),
        ("writer", outcome.name.writer.as_str().into()),
        ("rows", outcome.rows.into()),
        ("partial_rows", outcome.partial_rows.into()),
        ("results", outcome.results.into()),
        ("bytes", outcome.reading.reach().offset.into()),
        ("end", end.into()),
    ])
}

fn living_value(living: &Living) -> Value {
    let Value::Map(mut entries) = living.owner.to_value() else { return Value::Null };
    entries.insert(0, ("path".into(), living.path.as_str().into()));
    Value::Map(entries)
}

#[pyfunction]
#[pyo3(signature = (root, run_id=None, dead_hosts=Vec::new()))]
pub fn recover<'py>(
    py: Python<'py>,
    root: PathBuf,
    run_id: Option<String>,
    dead_hosts: Vec<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let scope = Scope { run_id, dead_hosts };
    let report = enter(py, 0, None, |progress| core::recover(&root, &scope, progress))?;
    let Report { sealed, removed, alive, findings } = report;
    let sealed = sealed.iter().map(|(path, outcome)| {
        let Value::Map(mut entries) = outcome_value(outcome) else { return Value::Null };
        entries.insert(0, ("path".into(), path.as_str().into()));
        Value::Map(entries)
    });
    let (problems, notes): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| finding.is_problem);
    let value = Value::map([
        ("sealed", sealed.collect()),
        ("removed", removed.iter().map(String::as_str).collect()),
        ("alive", alive.iter().map(living_value).collect()),
        ("problems", findings_value(&problems)),
        ("notes", findings_value(&notes)),
    ]);
    Converter::new(py).object(&value)
}

#[pyfunction]
pub fn live_journals(py: Python<'_>, root: PathBuf, run_id: String) -> PyResult<Bound<'_, PyAny>> {
    // What cannot be listed is reported by what recovers or removes it.
    let living = detached(py, Some(&root), || core::living(&root, &run_id, &mut Vec::new()))?;
    Converter::new(py).object(&living.iter().map(living_value).collect::<Value>())
}

/// The results of a run as texts, each with its writer, and what cannot be read.
type Finished<'py> = (Vec<(String, String)>, Bound<'py, PyAny>);

#[pyfunction]
pub fn finished_results(py: Python<'_>, root: PathBuf, run_id: String) -> PyResult<Finished<'_>> {
    let found = detached(py, Some(&root), || open_segments::results_of_run(&root, &run_id))?;
    Ok((found.0, Converter::new(py).object(&errors_value(&found.1))?))
}

#[pyfunction]
pub fn run_files(
    py: Python<'_>,
    root: PathBuf,
    run_id: String,
) -> PyResult<(Vec<PathBuf>, Bound<'_, PyAny>)> {
    let mut errors = Vec::new();
    let files = detached(py, Some(&root), || Ok(core::files_of_run(&root, &run_id, &mut errors)))?;
    Ok((files, Converter::new(py).object(&errors_value(&errors))?))
}

/// A writer, a result, what its rows have in common, and their number.
type UnfinishedRows = (String, String, unfinished::Key, u64);

/// Rows of results that their writers need not have finished, and what cannot be read.
#[pyfunction]
pub fn rows_by_result(
    py: Python<'_>,
    root: PathBuf,
    run_id: String,
    finished: BTreeMap<String, String>,
) -> PyResult<(Vec<UnfinishedRows>, Bound<'_, PyAny>)> {
    let mut errors = Vec::new();
    let find = || Ok(unfinished::rows_by_result(&root, &run_id, &finished, &mut errors));
    let found = detached(py, Some(&root), find)?;
    let found = found.into_iter().map(|it| (it.writer, it.result, it.key, it.rows)).collect();
    Ok((found, Converter::new(py).object(&errors_value(&errors))?))
}

#[pyfunction]
pub fn remove_partial(py: Python<'_>, root: PathBuf, run_id: String) -> PyResult<Vec<PathBuf>> {
    detached(py, Some(&root), || core::remove_partial(&root, &run_id))
}

#[pyfunction]
#[pyo3(signature = (root, folder=None))]
pub fn sweep(
    py: Python<'_>,
    root: PathBuf,
    folder: Option<String>,
) -> PyResult<(Vec<String>, Bound<'_, PyAny>)> {
    let mut errors = Vec::new();
    let removed = detached(py, Some(&root), || Ok(core::sweep(&root, folder.as_deref(), &mut errors)))?;
    Ok((removed, Converter::new(py).object(&errors_value(&errors))?))
}

/// The segments that compaction passes over: those of another type, as dicts, and those that are too young.
#[pyfunction]
#[pyo3(signature = (root, run_id, folder=None))]
pub fn passed_over<'py>(
    py: Python<'py>,
    root: PathBuf,
    run_id: String,
    folder: Option<String>,
) -> PyResult<(Bound<'py, PyAny>, Vec<String>)> {
    let found =
        enter(py, 0, None, |_| n4w_core::upkeep::compact::passed_over(&root, &run_id, folder.as_deref()))?;
    let entry = |(path, apart): &(String, n4w_core::upkeep::compaction_groups::Apart)| {
        let (kind, merged) = (&apart.kind, &apart.merged);
        let reason =
            format!("column {:?} has type {kind} there and {merged} in other segments", apart.column);
        Value::map([
            ("run_id", run_id.as_str().into()),
            ("path", path.as_str().into()),
            ("column", apart.column.as_str().into()),
            ("reason", reason.as_str().into()),
        ])
    };
    Ok((Converter::new(py).object(&found.apart.iter().map(entry).collect::<Value>())?, found.young))
}

#[pyfunction]
#[pyo3(signature = (root, run_id, folder=None))]
pub fn compact<'py>(
    py: Python<'py>,
    root: PathBuf,
    run_id: String,
    folder: Option<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let compacted = enter(py, 0, None, |progress| {
        n4w_core::upkeep::compact::compact(&root, &run_id, folder.as_deref(), progress)
    })?;
    let entry = |one: &n4w_core::upkeep::compact::Compacted| {
        Value::map([
            ("output", one.output.as_str().into()),
            ("inputs", one.inputs.iter().map(String::as_str).collect()),
            ("rows", one.rows.into()),
        ])
    };
    Converter::new(py).object(&compacted.iter().map(entry).collect::<Value>())
}

/// Lets a sealed writer take the place of others.
#[pyfunction]
pub fn supersede(
    py: Python<'_>,
    root: PathBuf,
    run_id: &str,
    folder: &str,
    writer: &str,
    replaced: Vec<String>,
) -> PyResult<String> {
    detached(py, Some(&root), || {
        threads::run(0, || n4w_core::upkeep::supersede::supersede(&root, run_id, folder, writer, &replaced))?
    })
}
