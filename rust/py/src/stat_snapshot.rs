//! What lies in a workspace, and what each folder of predictions says of models.

use std::path::PathBuf;

use n4w_core::base::value::Value;
use n4w_core::reading::collect::{self, Collected};
use n4w_core::segment::live_set::Open;
use n4w_core::summary::report;
use pyo3::prelude::*;

use crate::convert::{Converter, errors_value};
use crate::gate::enter;

type Item = (String, u64, u64, u64, i64);

#[pyfunction]
pub fn survey(py: Python<'_>, root: PathBuf) -> PyResult<(Vec<Item>, Bound<'_, PyAny>)> {
    let mut errors = Vec::new();
    let items =
        enter(py, 0, None, |progress| n4w_core::reading::stat_snapshot::take(&root, &mut errors, progress))?;
    let items = items.into_iter().map(|it| (it.path, it.fingerprint, it.files, it.bytes, it.changed_at));
    Ok((items.collect(), Converter::new(py).object(&errors_value(&errors))?))
}

#[pyfunction]
#[pyo3(signature = (root, folders, progress=None))]
pub fn performance<'py>(
    py: Python<'py>,
    root: PathBuf,
    folders: Vec<String>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let read = |folder: &String, progress: &_| collect::collect_folder(&root, folder, Open::Live, progress);
    let found: Vec<Collected> = enter(py, 0, progress.as_ref(), |progress| {
        folders.iter().map(|folder| read(folder, progress)).collect()
    })?;
    let value = |collected: &Collected| {
        let rows = collected.datasets.values().map(n4w_core::summary::Accumulator::rows).sum::<u64>();
        Value::map([
            ("rows", rows.into()),
            ("files", (collected.files as u64).into()),
            ("models", report::performance(&collected.datasets)),
            ("is_for_all", collected.is_for_all.into()),
            ("errors", errors_value(&collected.errors)),
        ])
    };
    Converter::new(py).object(&found.iter().map(value).collect::<Value>())
}
