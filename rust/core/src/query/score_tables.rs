//! What the rows of sealed files have in `scores`: a number each, read once for each metric of a partition and cached.
//!
//! Texts are most of the bytes of a row; of each a number remains. It is cached by the file's stat, in memory and
//! beside what else is cached of the workspace.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_buffer::ScalarBuffer;
use rayon::prelude::*;

use super::file_snapshot::{FileFailure, FileSnapshot, collect_results_of};
use super::filter::ColumnBounds;
use super::source::Source;
use crate::base::clock::now_ns;
use crate::base::codec::ByteWriter;
use crate::base::content::blake3_hex;
use crate::base::error::{Result, corrupt};
use crate::base::progress::Progress;
use crate::fs::cache_file;
use crate::fs::stat::Identity;
use crate::summary::json_scores::{NONE, PARTS, READ, ScorePath, is_missing, values_of};

const MAGIC: &[u8; 4] = b"N4AQ";
/// The layout of what is cached; another is ignored.
const LAYOUT: u64 = 1;
/// More rows are not cached: 256 MiB.
const MOST_ROWS: usize = 1 << 25;
/// Where more rows than these are cached, a sixteenth of them must be new for all to be written again.
const FEW_ROWS: usize = 1 << 20;
/// Rows that are cached in memory, of all metrics together: 128 MiB. The last metric is, however many it has.
const ROWS_IN_MEMORY: usize = 1 << 24;

/// What one file has: a value for each row, by place.
#[derive(Clone, Debug)]
struct FileScores {
    identity: Identity,
    /// When it was read, ns since 1970.
    read_at: i64,
    values: ScalarBuffer<f64>,
}

/// What files have, by name.
#[derive(Clone, Debug, Default)]
pub struct ScoreTable {
    files: HashMap<String, FileScores>,
}

type Tables = HashMap<(PathBuf, ScorePath), (Arc<ScoreTable>, u64)>;

static TABLES: Mutex<Option<Tables>> = Mutex::new(None);

impl ScoreTable {
    /// That of some of the files that were listed; what is not cached is read, in parallel.
    pub fn of(
        root: &Path,
        path: &ScorePath,
        listed: &[FileSnapshot],
        wanted: &[usize],
        progress: &Progress,
    ) -> Result<Arc<Self>, FileFailure> {
        let wanted: Vec<usize> = wanted.iter().copied().filter(|&file| !listed[file].is_journal()).collect();
        if wanted.is_empty() {
            return Ok(Arc::default());
        }
        let key = (root.to_path_buf(), path.clone());
        let known = in_memory(&key).unwrap_or_else(|| Arc::new(Self::load(root, path)));
        let unknown: Vec<usize> =
            wanted.iter().copied().filter(|&file| known.of_file(&listed[file]).is_none()).collect();
        if unknown.is_empty() {
            cache(key, &known);
            return Ok(known);
        }
        let paths = paths_with(path, listed, &unknown)?;
        let read_at = now_ns();
        let read: Vec<Result<Vec<Vec<f64>>>> = unknown
            .par_iter()
            .with_max_len(1)
            .map(|&file| read(&listed[file], &paths, progress).map_err(|error| error.at(&listed[file].path)))
            .collect();
        let mut read = collect_results_of(&unknown, read)?;
        let mut wanted = known;
        for path_of in paths.iter().rev() {
            let key = (root.to_path_buf(), path_of.clone());
            let known = if path_of == path {
                Arc::clone(&wanted)
            } else {
                in_memory(&key).unwrap_or_else(|| Arc::new(Self::load(root, path_of)))
            };
            let scores = unknown.iter().zip(&mut read).map(|(&file, values)| {
                let (identity, values) = (listed[file].identity, values.pop().unwrap_or_default().into());
                (listed[file].name.clone(), FileScores { identity, read_at, values })
            });
            let mut table = Self { files: known.files.clone() };
            table.files.extend(scores);
            let table = Arc::new(table);
            table.cache_settled(key, listed, &unknown);
            if path_of == path {
                wanted = table;
            }
        }
        Ok(wanted)
    }

    /// Whether all partitions of the metric were read together.
    pub fn is_of_few(&self) -> bool {
        self.rows() <= FEW_ROWS
    }

    fn rows(&self) -> usize {
        self.files.values().map(|scores| scores.values.len()).sum()
    }

    /// The values of a file, as it is.
    pub fn of_file(&self, file: &FileSnapshot) -> Option<&ScalarBuffer<f64>> {
        let scores = self.files.get(&file.name)?;
        let is_same = scores.identity == file.identity
            && (scores.identity.settled_at(scores.read_at) || scores.read_at >= file.seen_at);
        is_same.then_some(&scores.values)
    }

    /// Caches what is known of files that their stat tells from their later selves.
    fn cache_settled(&self, key: (PathBuf, ScorePath), listed: &[FileSnapshot], new: &[usize]) {
        let mut cached = Self::default();
        for file in listed {
            let scores = self.files.get(&file.name).filter(|scores| scores.identity == file.identity);
            if let Some(scores) = scores.filter(|scores| scores.identity.settled_at(scores.read_at)) {
                cached.files.insert(file.name.clone(), scores.clone());
            }
        }
        let new = new.iter().filter_map(|&file| self.files.get(&listed[file].name));
        let (rows, new) = (cached.rows(), new.map(|scores| scores.values.len()).sum::<usize>());
        if rows <= MOST_ROWS && (rows <= FEW_ROWS || new >= rows / 16) {
            cached.store(&key.0, &key.1);
        }
        cache(key, &Arc::new(cached));
    }

    /// Whether a row of some files has a number, held out or not.
    pub fn has_values(&self, files: &[FileSnapshot]) -> bool {
        let has_value = |values: &ScalarBuffer<f64>| values.iter().any(|value| !is_missing(*value));
        files.iter().filter_map(|file| self.of_file(file)).any(has_value)
    }

    fn load(root: &Path, path: &ScorePath) -> Self {
        let read = |bytes: Vec<u8>| Self::decode(&bytes, path).ok();
        cache_file::read_any(root, &cache_name(path)).and_then(read).unwrap_or_default()
    }

    fn decode(bytes: &[u8], path: &ScorePath) -> Result<Self> {
        let mut reader = cache_file::checked(bytes)?;
        if reader.bytes(MAGIC.len())? != MAGIC
            || reader.int()? != LAYOUT
            || reader.text()? != cache_file::VERSION
            || reader.text()? != path.column()
        {
            return Err(corrupt("another version"));
        }
        let count = reader.count(40)?;
        let mut files = HashMap::with_capacity(count);
        for _ in 0..count {
            let name = reader.text()?.to_owned();
            let identity = Identity::decode(&mut reader)?;
            let read_at = reader.u64()? as i64;
            let rows = reader.count(size_of::<f64>())?;
            let bytes = reader.bytes(rows * size_of::<f64>())?;
            let values: Vec<f64> =
                bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            files.insert(name, FileScores { identity, read_at, values: values.into() });
        }
        Ok(Self { files })
    }

    fn store(&self, root: &Path, path: &ScorePath) {
        let mut out = ByteWriter::default();
        out.bytes.extend_from_slice(MAGIC);
        out.int(LAYOUT);
        out.text(cache_file::VERSION);
        out.text(&path.column());
        out.int(self.files.len() as u64);
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_unstable_by_key(|(name, _)| *name);
        for (name, scores) in files {
            out.text(name);
            scores.identity.encode(&mut out);
            out.u64(scores.read_at as u64);
            out.int(scores.values.len() as u64);
            out.bytes.extend(scores.values.iter().flat_map(|value| value.to_le_bytes()));
        }
        cache_file::write_any(root, &cache_name(path), &cache_file::finish(out));
    }
}

/// The file of the cache that a metric of a partition lies in.
fn cache_name(path: &ScorePath) -> String {
    format!("scores-{}.bin", blake3_hex(path.column().as_bytes(), 16))
}

fn in_memory(key: &(PathBuf, ScorePath)) -> Option<Arc<ScoreTable>> {
    // A fork may have left the lock taken for good: then nothing is cached.
    let guard = TABLES.try_lock().ok()?;
    guard.as_ref()?.get(key).map(|(table, _)| Arc::clone(table))
}

fn cache(key: (PathBuf, ScorePath), table: &Arc<ScoreTable>) {
    let Ok(mut guard) = TABLES.try_lock() else { return };
    let tables = guard.get_or_insert_default();
    let now = tables.values().map(|(_, used)| *used).max().unwrap_or(0) + 1;
    tables.insert(key, (Arc::clone(table), now));
    while tables.len() > 1 && tables.values().map(|(table, _)| table.rows()).sum::<usize>() > ROWS_IN_MEMORY {
        let oldest = tables.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
        oldest.and_then(|oldest| tables.remove(&oldest));
    }
}

/// The paths that are read together: all partitions of the metric, unless there are so many rows that memory tells.
fn paths_with(
    path: &ScorePath,
    listed: &[FileSnapshot],
    files: &[usize],
) -> Result<Vec<ScorePath>, FileFailure> {
    let mut rows = 0;
    for &file in files {
        let source = Source::open(&listed[file].path, listed[file].identity)
            .map_err(|error| FileFailure { file: Some(file), error })?;
        rows += source.starts.last().copied().unwrap_or(0);
    }
    let of_part = |part| ScorePath { part, metric: path.metric.clone() };
    Ok(if rows <= FEW_ROWS as u64 { (0..PARTS.len()).map(of_part).collect() } else { vec![path.clone()] })
}

/// The values of all rows of a sealed file, for each path.
fn read(listed: &FileSnapshot, paths: &[ScorePath], progress: &Progress) -> Result<Vec<Vec<f64>>> {
    let source = Source::open(&listed.path, listed.identity)?;
    let groups: Vec<Result<Vec<Vec<f64>>>> = (0..source.groups())
        .into_par_iter()
        .with_max_len(1)
        .map(|group| {
            let rows = usize::try_from(source.starts[group + 1] - source.starts[group]).unwrap_or(usize::MAX);
            if source.known(group, READ[0]) == ColumnBounds::Always(None) {
                return Ok(vec![vec![NONE; rows]; paths.len()]);
            }
            let mut values = vec![Vec::new(); paths.len()];
            source.read_group(group, &READ, &mut |batch| {
                progress.check()?;
                values
                    .iter_mut()
                    .zip(values_of(paths, batch)?)
                    .for_each(|(all, mut more)| all.append(&mut more));
                Ok(())
            })?;
            Ok(values)
        })
        .collect();
    let mut values = vec![Vec::new(); paths.len()];
    for group in groups {
        values.iter_mut().zip(group?).for_each(|(all, mut more)| all.append(&mut more));
    }
    Ok(values)
}
