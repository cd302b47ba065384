//! Whole folders: summary, rebuilding and checking.

use n4w_core::base::clock;
use std::path::{Path, PathBuf};

use n4w_core::base::progress::Progress;
use n4w_core::base::value::Value;
use n4w_core::reading::collect::{Caching, Collected};
use n4w_core::reading::{collect, files};
use n4w_core::segment::live_set::Open;
use n4w_core::summary::report;
use n4w_core::upkeep::rebuild::{self, Outcome};
use n4w_core::upkeep::verify;
use pyo3::prelude::*;

use crate::convert::{Converter, errors_value, findings_value};
use crate::gate::{enter, enter_early};

#[pyfunction]
#[pyo3(signature = (root, *, live=true))]
pub fn list_files(py: Python<'_>, root: PathBuf, live: bool) -> PyResult<Vec<String>> {
    enter(py, 0, None, |_| files::list(&root, open(live))).map(|listing| listing.files)
}

/// The files of nirs4all 0.6 with this suffix, relative to the workspace, in name order.
#[pyfunction]
pub fn old_files<'py>(
    py: Python<'py>,
    root: PathBuf,
    suffix: &str,
) -> PyResult<(Vec<String>, Bound<'py, PyAny>)> {
    let mut errors = Vec::new();
    let found = enter(py, 0, None, |_| Ok(n4w_core::reading::old_files::list(&root, suffix, &mut errors)))?;
    Ok((found, Converter::new(py).object(&errors_value(&errors))?))
}

#[pyfunction]
#[pyo3(signature = (root, dataset=None, *, live=true, use_cache=true, threads=0))]
pub fn summarise<'py>(
    py: Python<'py>,
    root: PathBuf,
    dataset: Option<&str>,
    live: bool,
    use_cache: bool,
    threads: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let work = |progress: &Progress, deliver: &(dyn Fn(Option<Value>) + Sync)| {
        let collected = collect::collect(&root, open(live), caching(&root, use_cache), progress)?;
        let describe = || deliver(summary_value(&collected, dataset));
        rayon::join(describe, || collected.cache(&root));
        Ok(())
    };
    let convert = |py: Python<'_>, summary: Option<Value>| {
        summary.map(|summary| Converter::new(py).object(&summary).map(Bound::unbind)).transpose()
    };
    Ok(enter_early(py, threads, None, work, convert)?.map(|summary| summary.into_bound(py)))
}

fn summary_value(collected: &Collected, dataset: Option<&str>) -> Option<Value> {
    let now = clock::now();
    let summary = match dataset {
        None => report::workspace_summary(&collected.datasets, &collected.whole, &now),
        Some(name) => report::summary(collected.datasets.get(name)?, Some(name), &now),
    };
    let Value::Map(mut entries) = summary else { return None };
    let scanned = collected.scanned.iter().map(|(path, reason)| {
        Value::map([("path", path.as_str().into()), ("reason", reason.as_str().into())])
    });
    entries.push(("files".into(), (collected.files as u64).into()));
    entries.push(("scanned".into(), scanned.collect()));
    entries.push(("errors".into(), errors_value(&collected.errors)));
    Some(Value::Map(entries))
}

pub(crate) fn open(live: bool) -> Open {
    if live { Open::Live } else { Open::LeftOut }
}

pub(crate) fn caching(root: &Path, use_cache: bool) -> Caching {
    if use_cache { Caching::of(root) } else { Caching::Off }
}

#[pyfunction]
#[pyo3(signature = (root, progress=None, *, threads=0))]
pub fn rebuild_summaries<'py>(
    py: Python<'py>,
    root: PathBuf,
    progress: Option<Py<PyAny>>,
    threads: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let outcomes = enter(py, threads, progress.as_ref(), |progress| rebuild::rebuild(&root, progress))?;
    let (mut kept, mut written, mut errors) = (0u64, Vec::new(), Vec::new());
    for (path, outcome) in outcomes {
        match outcome {
            Outcome::Kept => kept += 1,
            Outcome::Written(reason) => {
                written
                    .push(Value::map([("path", path.as_str().into()), ("reason", reason.as_str().into())]));
            }
            Outcome::Failed(error) => errors.push(error),
        }
    }
    let value = Value::map([
        ("kept", kept.into()),
        ("written", Value::List(written)),
        ("errors", errors_value(&errors)),
    ]);
    Converter::new(py).object(&value)
}

#[pyfunction]
#[pyo3(signature = (root, full=false, progress=None, *, threads=0))]
pub fn verify_files<'py>(
    py: Python<'py>,
    root: PathBuf,
    full: bool,
    progress: Option<Py<PyAny>>,
    threads: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let findings = enter(py, threads, progress.as_ref(), |progress| verify::verify(&root, full, progress))?;
    let (problems, notes): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| finding.is_problem);
    Converter::new(py)
        .object(&Value::map([("problems", findings_value(&problems)), ("notes", findings_value(&notes))]))
}
