//! Frames of open segments.

use std::path::PathBuf;

use n4w_core::journal::{Journal, Kind, Position};
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
        let (mut payloads, mut bytes) = (Vec::new(), 0);
        let mut frames = journal.frames(from);
        while bytes < AT_ONCE
            && let Some((found, _)) = frames.advance()?
        {
            if found == kind {
                bytes += frames.payload().len();
                payloads.push(frames.payload().to_vec());
            }
        }
        let next = (bytes >= AT_ONCE).then(|| frames.at());
        let damage = journal.damage(&frames.finish());
        Ok((payloads, next.map(|at| (at.offset, at.frames, at.checksum)), damage))
    })?;
    let payloads = PyList::new(py, payloads.iter().map(|payload| PyBytes::new(py, payload)))?;
    Ok((payloads, next, damage.map(|error| error.message)))
}

#[pyfunction]
pub fn row_schema() -> Vec<(&'static str, &'static str)> {
    COLUMNS.iter().map(|(name, kind)| (*name, kind.label())).collect()
}
