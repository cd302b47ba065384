//! Frames of open segments.

use std::path::PathBuf;

use n4w_core::journal::{Journal, Kind, Position};
use n4w_core::live;
use n4w_core::rows::COLUMNS;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::gate::detached;

/// Bytes of frames that are handed out at a time.
const AT_ONCE: usize = 64 * 1024 * 1024;

/// Offset, frames and checksum of a place between two frames.
type Place = (u64, u64, u64);

#[pyfunction]
#[pyo3(signature = (path, kind, place=None))]
pub fn read_frames<'py>(
    py: Python<'py>,
    path: PathBuf,
    kind: &str,
    place: Option<Place>,
) -> PyResult<(Bound<'py, PyList>, Option<Place>, Option<String>)> {
    let kind = match kind {
        "arrays" => Kind::Arrays,
        "rows" => Kind::Rows,
        other => return Err(PyValueError::new_err(format!("kind is '{other}', not 'arrays' or 'rows'"))),
    };
    let (payloads, next, damage) = detached(py, Some(&path), || {
        let journal = Journal::open(&path)?;
        let from =
            place.map_or(journal.begin(), |(offset, frames, checksum)| Position { offset, frames, checksum });
        let (payloads, at, end) = journal.some(kind, from, AT_ONCE)?;
        let damage = end.as_ref().and_then(|end| live::damage(&journal, at, end));
        Ok((payloads, end.is_none().then_some((at.offset, at.frames, at.checksum)), damage))
    })?;
    let payloads = PyList::new(py, payloads.iter().map(|payload| PyBytes::new(py, payload)))?;
    Ok((payloads, next, damage.map(|error| error.message)))
}

#[pyfunction]
pub fn row_schema() -> Vec<(&'static str, &'static str)> {
    COLUMNS.iter().map(|(name, kind)| (*name, kind.label())).collect()
}
