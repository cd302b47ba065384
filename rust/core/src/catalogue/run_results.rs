//! What one run says of its results, in bytes that a query looks through.

use std::path::Path;

use bytes::Bytes;

use super::entry::Entry;
use super::found_results::Results;
use super::packed_results::pack;
use super::results::of_run;
use super::row_scores::RunFiles;
use super::run_stats::RunStats;
use super::unit::{self, Unit};
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{ErrorKind, FileError, Result, corrupt};
use crate::yaml::tree::Tree;

/// A run, or what old files come to, and its results.
pub struct RunResults {
    /// Its id.
    pub id: String,
    /// Whether it is a run of format 2.
    pub is_run: bool,
    /// Whether it has a record that can be used; else there are only errors.
    pub is_there: bool,
    /// All that is said of it.
    pub(super) body: Bytes,
    /// Where in it.
    parts: Parts,
    pub(super) cache_state: CacheState,
}

/// Where the parts of what is said of a run begin, in bytes; each ends where the next begins.
#[derive(Clone, Copy, Debug)]
struct Parts {
    name: usize,
    created_at: usize,
    references: usize,
    record_errors: usize,
    result_errors: usize,
    results: usize,
}

/// Whether the cache has a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CacheState {
    /// It has.
    Cached,
    /// It should.
    New,
    /// It should not: what was read may have changed without its stat telling, or is not all of it.
    Never,
}

impl RunResults {
    pub(crate) fn new(id: String, body: Bytes, cache_state: CacheState) -> Result<Self> {
        let mut reader = ByteReader::new(&body);
        let at = |reader: &ByteReader<'_>| body.len() - reader.left();
        RunStats::pass(&mut reader)?;
        let is_there = reader.byte()? == 1;
        let name = at(&reader);
        reader.text()?;
        let created_at = at(&reader);
        reader.text()?;
        let references = at(&reader);
        let length = reader.count(1)?;
        reader.bytes(length)?;
        let record_errors = at(&reader);
        read_errors(&mut reader)?;
        let result_errors = at(&reader);
        read_errors(&mut reader)?;
        let results = at(&reader);
        let parts = Parts { name, created_at, references, record_errors, result_errors, results };
        Ok(Self { id, is_run: true, is_there, body, parts, cache_state })
    }

    /// Reads a run's lists of results, and says whether it lacks scores, which rows in these files tell.
    pub(crate) fn read(
        root: &Path,
        id: String,
        unit: &Unit,
        stats: &RunStats,
        wanted: &Wanted<'_>,
        files: Option<&RunFiles>,
    ) -> Result<(Self, bool)> {
        let entry = unit.entry.as_deref();
        let mut body = ByteWriter::default();
        let is_settled = stats.write(&unit.stats, &mut body)
            && unit.errors.iter().all(|error| unit::is_cacheable(error.kind));
        write_entry(entry, &unit.errors, &mut body)?;
        let is_wanted = entry.is_none_or(|entry| (wanted.is_of_run)(&entry.id, &entry.name));
        let mut found =
            if entry.is_some() && is_wanted { of_run(root, &id, None) } else { Results::default() };
        if let Some(files) = files.filter(|_| found.lacks_scores) {
            files.add_scores(root, &id, &mut found);
        }
        write_results(&found, &mut body);
        // What cannot be opened may be opened again without any stat telling.
        let is_new = is_settled
            && is_wanted
            && !found.lacks_scores
            && found.errors.iter().all(|error| unit::is_cacheable(error.kind));
        let cache_state = if is_new { CacheState::New } else { CacheState::Never };
        Ok((Self::new(id, body.bytes.into(), cache_state)?, found.lacks_scores))
    }

    fn from(&self, part: usize) -> ByteReader<'_> {
        ByteReader::new(&self.body[part..])
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        self.from(self.parts.name).text().unwrap_or_default()
    }

    /// When it was created.
    pub fn created_at(&self) -> &str {
        self.from(self.parts.created_at).text().unwrap_or_default()
    }

    /// A map of its templates and its datasets: ids and names.
    pub fn references(&self) -> Result<Tree> {
        let mut reader = self.from(self.parts.references);
        reader.int()?;
        Tree::decode(&mut reader)
    }

    /// What is wrong with its records.
    pub fn record_errors(&self) -> Result<Vec<FileError>> {
        read_errors(&mut self.from(self.parts.record_errors))
    }

    /// What is wrong with its results.
    pub fn result_errors(&self) -> Result<Vec<FileError>> {
        read_errors(&mut self.from(self.parts.result_errors))
    }

    /// What is said of its records, as bytes; its results follow.
    pub(super) fn before_results(&self) -> &[u8] {
        &self.body[..self.parts.result_errors]
    }

    /// Its results, as [`pack`] writes them.
    pub fn results(&self) -> ByteReader<'_> {
        self.from(self.parts.results)
    }
}

/// Writes down what a record says that results are asked for by.
pub(super) fn write_entry(entry: Option<&Entry>, errors: &[FileError], out: &mut ByteWriter) -> Result<()> {
    out.bytes.push(u8::from(entry.is_some()));
    out.text(entry.map_or("", |entry| &entry.name));
    out.text(entry.map_or("", |entry| &entry.created_at));
    let mut references = ByteWriter::default();
    if let Some(entry) = entry {
        let tree = entry.tree()?;
        let named = |key: &str| {
            let items = tree.get(key).and_then(Tree::items).unwrap_or_default().iter();
            let text = |item: &Tree, key: &str| item.text(key).into();
            items.map(|item| Tree::map([("id", text(item, "id")), ("name", text(item, "name"))])).collect()
        };
        Tree::map([("templates", named("templates")), ("datasets", named("datasets"))])
            .encode(&mut references);
    }
    out.int(references.bytes.len() as u64);
    out.bytes.extend_from_slice(&references.bytes);
    write_errors(errors, out);
    Ok(())
}

pub(super) fn write_results(found: &Results, out: &mut ByteWriter) {
    write_errors(&found.errors, out);
    pack(&found.results, out);
}

/// By place in this list.
const KINDS: [ErrorKind; 7] = [
    ErrorKind::Corrupt,
    ErrorKind::Schema,
    ErrorKind::Io,
    ErrorKind::NotParquet,
    ErrorKind::Truncated,
    ErrorKind::Encrypted,
    ErrorKind::Version,
];

fn write_errors(errors: &[FileError], out: &mut ByteWriter) {
    out.int(errors.len() as u64);
    for error in errors {
        out.bytes.push(KINDS.iter().position(|kind| *kind == error.kind).unwrap_or(0) as u8);
        out.text(&error.path);
        out.text(&error.message);
    }
}

fn read_errors(reader: &mut ByteReader<'_>) -> Result<Vec<FileError>> {
    let count = reader.count(3)?;
    let errors = (0..count).map(|_| {
        let kind = KINDS.get(usize::from(reader.byte()?)).ok_or_else(|| corrupt("no such kind of error"))?;
        Ok(FileError { kind: *kind, path: reader.text()?.to_owned(), message: reader.text()?.to_owned() })
    });
    errors.collect()
}

/// Which results are wanted.
pub struct Wanted<'a> {
    /// Whether they are those of the run of an id and a name.
    pub is_of_run: &'a (dyn Fn(&str, &str) -> bool + Sync),
    /// Whether that, or which of its results, depends on more than `run.yaml`.
    pub by_records: bool,
}
