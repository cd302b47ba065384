//! The prediction files of a workspace at one moment, and what is read of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use rayon::prelude::*;

use super::damage_mark;
use super::handles::{MOST_HELD, hold};
use super::source::Source;
use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::file_names;
use crate::fs::stat::{self, Identity};
use crate::fs::{File, platform};
use crate::reading::files;
use crate::segment::hidden_rows::{Hidden, RESULT};
use crate::segment::journal::{Journal, Kind};
use crate::segment::live_set::Open;
use crate::segment::{ipc, journal_contents};

/// What failed, and of which file of those listed, if of one.
#[derive(Debug)]
pub struct FileFailure {
    /// The file, by its place.
    pub file: Option<usize>,
    /// Why.
    pub error: Error,
}

impl FileFailure {
    /// The name of the file among these, and why.
    pub fn named(self, files: &[FileSnapshot]) -> (Option<String>, Error) {
        (self.file.map(|file| files[file].name.clone()), self.error)
    }
}

impl From<Error> for FileFailure {
    fn from(error: Error) -> Self {
        Self { file: None, error }
    }
}

/// One listed file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSnapshot {
    /// Relative to the workspace.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// When it was listed; the size of a journal is that of what is live in it.
    pub identity: Identity,
    /// Before it was listed, ns since 1970.
    pub seen_at: i64,
    /// Its rows that are not live.
    pub hidden: Option<Arc<Hidden>>,
}

impl FileSnapshot {
    /// Its name without what tells an open segment from a sealed one.
    pub fn stem(&self) -> &str {
        let name = self.name.strip_suffix(crate::base::file_names::JOURNAL_SUFFIX).unwrap_or(&self.name);
        name.strip_suffix(file_names::SUFFIX).unwrap_or(name)
    }

    /// The run of all its rows, as the name of a segment says; `None` of other files.
    pub fn run_id(&self) -> Option<String> {
        let file = self.name.strip_prefix("predictions/")?;
        Some(file_names::Name::of_path(Path::new(file))?.run_id)
    }

    /// Whether it is an open segment.
    pub fn is_journal(&self) -> bool {
        file_names::is_journal(&self.name)
    }

    /// The live ones among some rows of a batch, or among all of them; `None` where that is all of them.
    pub fn live(&self, batch: &RecordBatch, first: u32, rows: Option<Vec<u32>>) -> Result<Option<Vec<u32>>> {
        match &self.hidden {
            None => Ok(rows),
            Some(hidden) => hidden.narrow(batch, u64::from(first), rows),
        }
    }

    /// The column that tells which rows are live, where not all are.
    pub fn tells_live(&self) -> Option<&'static str> {
        self.hidden.as_ref().map(|_| RESULT)
    }

    /// Whether what was read of `other` is what this file holds.
    pub fn is_unchanged(&self, other: &Self) -> bool {
        // The last frame of a journal ends it: what was appended since shows in its size.
        self.identity == other.identity
            && self.hidden == other.hidden
            && (self.is_journal() || self.identity.settled_at(other.seen_at))
    }
}

/// The prediction files of a workspace at one moment.
pub struct Files {
    /// In the order of their stems.
    pub files: Vec<FileSnapshot>,
    /// Those that cannot be used.
    pub errors: Vec<FileError>,
    /// Open for as long as this lives, where they are few: a file that is replaced stays readable.
    _held: Vec<Arc<File>>,
}

impl Files {
    /// Lists them; those in `bad` are left out. One that vanishes meanwhile is an error, or one of the errors.
    pub fn list(
        root: &Path,
        open: Open,
        bad: &BTreeMap<String, FileError>,
        report_vanished: bool,
    ) -> Result<Self> {
        let seen_at = now_ns();
        let mut listing = files::list(root, open)?;
        let mut errors = listing.errors;
        errors.extend(bad.values().cloned());
        let holds = listing.files.len() <= MOST_HELD;
        let identities: Vec<_> =
            listing.files.par_iter().with_min_len(64).map(|name| identity(root, name, holds)).collect();
        let mut files = Vec::with_capacity(listing.files.len());
        let mut held = Vec::new();
        for (name, identity) in listing.files.into_iter().zip(identities) {
            match identity {
                _ if bad.contains_key(&name) => {}
                Ok((identity, file)) => {
                    let path = files::path_of(root, &name);
                    held.extend(file.map(|file| hold(&path, identity, file)));
                    let hidden = listing.hidden.remove(&name);
                    files.push(FileSnapshot { name, path, identity, seen_at, hidden });
                }
                Err(error) if FileError::is_vanished(&error) && !report_vanished => return Err(error),
                Err(error) => errors.push(FileError::new(&name, &error)),
            }
        }
        files.sort_unstable_by(|one, two| one.stem().cmp(two.stem()));
        Ok(Self { files, errors, _held: held })
    }
}

/// The identity of a file, and the file where that is to be held and can be.
fn identity(root: &Path, name: &str, holds: bool) -> Result<(Identity, Option<File>)> {
    let path = files::path_of(root, name);
    if file_names::is_journal(name) {
        let journal = Journal::open(&path)?;
        let metadata = journal.file.metadata().map_err(|error| Error::io(&path, error))?;
        // Its last frame ends it, and what was given up before that moves the places of rows.
        let (size, mark) = (journal.limit(), damage_mark::of(&path));
        let identity = Identity { size, mtime_ns: 0, ctime_ns: mark, ..stat::identity(&metadata) };
        return Ok((identity, None));
    }
    let file = if holds { platform::open(&path).ok() } else { None };
    let metadata = file.as_ref().map_or_else(|| stat::metadata(&path), File::metadata);
    let identity = stat::identity(&metadata.map_err(|error| Error::io(&path, error))?);
    Ok((identity, file))
}

/// Hands out the batches of a journal, each with the place of its first row; gives what is damaged.
///
/// Where other frames are damaged than when it was listed, rows have other places: it fails as if the file were
/// gone, for who lists again.
pub fn read_journal(
    listed: &FileSnapshot,
    take: &mut dyn FnMut(u32, &RecordBatch) -> Result<()>,
) -> Result<Option<Error>> {
    let journal = Journal::open(&listed.path)?;
    let mut first = 0;
    let (reading, damage) = journal_contents::rows(&journal, journal.begin(), &mut |batches| {
        for batch in batches {
            take(first, batch)?;
            first += batch.num_rows() as u32;
        }
        Ok(())
    })?;
    if damage_mark::set(&listed.path, &reading) == listed.identity.ctime_ns {
        return Ok(damage);
    }
    let error = std::io::Error::new(std::io::ErrorKind::NotFound, "the file changed while it was read");
    Err(Error::io(&listed.path, error))
}

/// The columns of a listed file.
pub fn schemas_of(listed: &FileSnapshot) -> Result<Vec<SchemaRef>> {
    if !listed.is_journal() {
        return Ok(vec![Source::open(&listed.path, listed.identity)?.schema().clone()]);
    }
    let journal = Journal::open(&listed.path)?;
    let mut schemas: Vec<SchemaRef> = Vec::new();
    journal.read(journal.begin(), &mut |kind, payload| {
        if kind == Kind::Rows {
            let schema = ipc::schema_of(payload)?;
            if !schemas.contains(&schema) {
                schemas.push(schema);
            }
        }
        Ok(())
    })?;
    Ok(schemas)
}

/// All results of all files in their order, or the first that failed; interruption before all else.
pub fn collect_results<T>(results: Vec<Result<T>>) -> Result<Vec<T>, FileFailure> {
    let files: Vec<usize> = (0..results.len()).collect();
    collect_results_of(&files, results)
}

/// All results, each of the file beside it, or the first that failed; interruption before all else.
pub fn collect_results_of<T>(files: &[usize], results: Vec<Result<T>>) -> Result<Vec<T>, FileFailure> {
    let ends_all = |error: &Error| error.kind == ErrorKind::Interrupted || FileError::is_vanished(error);
    let mut good = Vec::with_capacity(results.len());
    let mut first = None;
    for (&file, result) in files.iter().zip(results) {
        match result {
            Ok(result) => good.push(result),
            Err(error) if ends_all(&error) => return Err(FileFailure { file: Some(file), error }),
            Err(error) => {
                first.get_or_insert(FileFailure { file: Some(file), error });
            }
        }
    }
    first.map_or(Ok(good), Err)
}
