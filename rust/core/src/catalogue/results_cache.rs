//! What all runs said of their results, cached between processes.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use super::run_results::{CacheState, RunResults};
use crate::base::codec::ByteWriter;
use crate::base::error::{Error, Result, corrupt};
use crate::fs::cache_file;

/// What is cached.
pub(super) const CACHE: &str = "run_results.bin";
const MAGIC: &[u8; 4] = b"N4AR";
/// The layout of what is cached; another is ignored.
const LAYOUT: u64 = 2;

/// What was cached: the content of its file, and where in it each run stands.
#[derive(Default)]
pub(super) struct CachedResults {
    bytes: Bytes,
    /// In the order of ids: where the id lies, and where what follows it does.
    runs: Vec<[Range<usize>; 2]>,
}

impl CachedResults {
    pub(crate) fn load(root: &Path) -> Self {
        let read = |folder: std::path::PathBuf| {
            Self::decode(cache_file::read_file(&folder.join(CACHE)).ok()?.into()).ok()
        };
        cache_file::places(root).into_iter().find_map(read).unwrap_or_default()
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        let mut reader = cache_file::checked(&bytes)?;
        let end = reader.left();
        if reader.bytes(MAGIC.len())? != MAGIC
            || reader.int()? != LAYOUT
            || reader.text()? != cache_file::VERSION
        {
            return Err(corrupt("another version"));
        }
        let count = reader.count(2)?;
        let mut runs = Vec::with_capacity(count);
        let mut part = || {
            let length = reader.count(1)?;
            let start = end - reader.left();
            reader.bytes(length)?;
            Ok::<_, Error>(start..start + length)
        };
        for _ in 0..count {
            runs.push([part()?, part()?]);
        }
        let is_text = |run: &[Range<usize>; 2]| std::str::from_utf8(&bytes[run[0].clone()]).is_ok();
        let are_sorted = runs.is_sorted_by(|[one, _], [other, _]| bytes[one.clone()] < bytes[other.clone()]);
        if are_sorted && runs.iter().all(is_text) {
            Ok(Self { bytes, runs })
        } else {
            Err(corrupt("no order"))
        }
    }

    /// What was cached of a run, which stands at a place unless others came or went.
    pub(crate) fn get(&self, id: &str, place: usize) -> Option<Bytes> {
        let find = |[own, _]: &[Range<usize>; 2]| self.bytes[own.clone()].cmp(id.as_bytes());
        let is_there = self.runs.get(place).is_some_and(|run| find(run).is_eq());
        let place = if is_there { place } else { self.runs.binary_search_by(find).ok()? };
        Some(self.bytes.slice(self.runs[place][1].clone()))
    }

    /// Writes the runs down, if many are new or gone: a few are read again faster than all are written again.
    pub(crate) fn store(&self, root: &Path, runs: &[RunResults]) {
        let of = |cache_state| runs.iter().filter(move |run| run.cache_state == cache_state).count();
        let (new, old) = (of(CacheState::New), of(CacheState::Cached));
        if (new + self.runs.len() - old) * 256 <= new + old {
            return;
        }
        let cached = || runs.iter().filter(|run| run.cache_state != CacheState::Never);
        let mut out = ByteWriter::default();
        out.bytes.reserve(cached().map(|run| run.id.len() + run.body.len() + 8).sum::<usize>() + 64);
        out.bytes.extend_from_slice(MAGIC);
        out.int(LAYOUT);
        out.text(cache_file::VERSION);
        out.int((new + old) as u64);
        for run in cached() {
            out.text(&run.id);
            out.int(run.body.len() as u64);
            out.bytes.extend_from_slice(&run.body);
        }
        cache_file::write_any(root, CACHE, &cache_file::finish(out));
    }
}
