//! What open segments hold.

use std::path::PathBuf;

use n4w_core::segment::ipc;
use n4w_core::segment::journal::{Journal, Kind, Position};
use n4w_core::types::schema::COLUMNS;
use pyo3::prelude::*;

use crate::gate::detached;
use crate::scan::Rows;

/// Bytes of frames that are handed out at a time.
const AT_ONCE: usize = 64 * 1024 * 1024;

/// Offset, frames and checksum of a place between two frames.
type Place = (u64, u64, u64);

#[pyfunction]
#[pyo3(signature = (path, place=None))]
pub fn journal_arrays(
    py: Python<'_>,
    path: PathBuf,
    place: Option<Place>,
) -> PyResult<(Vec<Rows>, Option<Place>, Option<String>)> {
    let (batches, next, damage) = detached(py, Some(&path), || {
        let journal = Journal::open(&path)?;
        let from =
            place.map_or(journal.begin(), |(offset, frames, checksum)| Position { offset, frames, checksum });
        let (mut batches, mut bytes) = (Vec::new(), 0);
        let mut frames = journal.frames(from);
        while bytes < AT_ONCE
            && let Some((kind, _)) = frames.advance()?
        {
            if kind == Kind::Arrays {
                bytes += frames.payload().len();
                batches.extend(ipc::decode(frames.payload())?);
            }
        }
        let next = (bytes >= AT_ONCE).then(|| frames.at());
        let damage = journal.damage(&frames.finish());
        Ok((batches, next.map(|at| (at.offset, at.frames, at.checksum)), damage))
    })?;
    let arrays = batches.into_iter().map(|batch| Rows { batch }).collect();
    Ok((arrays, next, damage.map(|error| error.message)))
}

#[pyfunction]
pub fn row_schema() -> Vec<(&'static str, &'static str)> {
    COLUMNS.iter().map(|(name, kind)| (*name, kind.label())).collect()
}
