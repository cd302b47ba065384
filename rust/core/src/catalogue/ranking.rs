//! What all runs say of their results, in bytes that a query looks through, kept between processes.
//!
//! What a run said is kept for as long as its folder, its `run.yaml` and its lists of results have the stat
//! that they had then. Where results are asked for by what records say, the other records are looked at too.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rayon::prelude::*;

use super::packed::pack;
use super::results::{Results, of_entries, of_run};
use super::{Entry, Found, Known, Unit, UnitReader, cache as records, look, native, old_entries};
use crate::base::clock::now_ns;
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Error, ErrorKind, FileError, Result, corrupt};
use crate::base::progress::Progress;
use crate::fs::platform::{self, Folder, Identity};
use crate::fs::{cache_file, folders};
use crate::reading::live;
use crate::yaml::tree::Tree;

/// What is kept.
const CACHE: &str = "run_results.bin";
const MAGIC: &[u8; 4] = b"N4AR";
/// The layout of what is kept; another is ignored.
const LAYOUT: u64 = 1;
/// So many runs are read again before what is kept of their records is looked at.
const FEW: usize = 64;

/// A run, or what old files come to, and its results.
pub struct RunResults {
    /// Its id.
    pub id: String,
    /// Whether it is a run of format 2.
    pub is_run: bool,
    /// Whether it has a record that can be used; else there are only errors.
    pub is_there: bool,
    /// All that is said of it.
    body: Bytes,
    /// Where in it.
    parts: Parts,
    keeping: Keeping,
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
enum Keeping {
    /// It has.
    IsKept,
    /// It should.
    IsNew,
    /// It should not: what was read may have changed without its stat telling, or is not all of it.
    Never,
}

/// All runs.
#[derive(Default)]
pub struct Ranking {
    /// In the order of their ids; then what old files come to.
    pub runs: Vec<RunResults>,
    /// Folders that are no runs.
    pub folder_errors: Vec<FileError>,
    /// What is wrong with manifests and rows of nirs4all 0.6.
    pub old_errors: Vec<FileError>,
}

/// Which results are wanted.
pub struct Wanted<'a> {
    /// Whether they are those of the run of an id and a name.
    pub is_of_run: &'a (dyn Fn(&str, &str) -> bool + Sync),
    /// Whether that, or which of its results, depends on more than `run.yaml`.
    pub by_records: bool,
}

/// Lists runs with their results within the current thread pool.
pub fn list(root: &Path, wanted: &Wanted<'_>, progress: &Progress) -> Result<Ranking> {
    if root.join("workspace.yaml").exists() {
        return list_native(root, wanted, progress);
    }
    // A folder of nirs4all 0.6, whose manifests the catalogue keeps.
    let catalogue = super::list(root, true, progress)?;
    let mut ranking = Ranking { folder_errors: catalogue.errors, ..Ranking::default() };
    ranking.add_old(root, catalogue.entries.into_iter().map(|listed| listed.entry), wanted, progress)?;
    Ok(ranking)
}

fn list_native(root: &Path, wanted: &Wanted<'_>, progress: &Progress) -> Result<Ranking> {
    let runs = root.join("runs");
    let mut ranking = Ranking::default();
    let (names, kept) =
        rayon::join(|| super::names_of_runs(root, &mut ranking.folder_errors), || Kept::load(root));
    progress.expect(names.len());
    let folder = if names.is_empty() { None } else { Folder::open(&runs).ok() };
    let is_unchanged = |name: &str, body: &Bytes| {
        let folder = folder
            .as_ref()
            .map(|folder| Stamps::are_those_of(&mut ByteReader::new(body), folder, name, wanted.by_records));
        matches!(folder, Some(Ok(true)))
    };
    let known = names.par_iter().enumerate().with_min_len(64).map(|(place, name)| {
        progress.check()?;
        let body = kept.get(name, place).filter(|body| is_unchanged(name, body));
        Ok(body.and_then(|body| RunResults::new(name.clone(), body, Keeping::IsKept).ok()))
    });
    let known: Vec<Option<RunResults>> = known.collect::<Result<_>>()?;
    let unknown = known.iter().filter(|run| run.is_none()).count();
    let mut manifests = Vec::new();
    if unknown == 0 {
        ranking.runs.extend(known.into_iter().flatten());
    } else {
        let records = if unknown > FEW { records::load(root, super::CACHE) } else { Known::new() };
        for found in read_unknown(root, names, known, &records, wanted, progress)? {
            let (run, found) = found?;
            ranking.runs.extend(run);
            manifests.extend(found.manifests);
            ranking.folder_errors.extend(found.errors);
        }
    }
    ranking.old_errors.extend(manifests.iter().flat_map(|unit| unit.errors.iter().cloned()));
    kept.store(root, &ranking.runs);
    let ids: HashSet<&str> = ranking.runs.iter().map(|run| run.id.as_str()).collect();
    let parts = (&manifests[..], &[][..]);
    let old = old_entries(root, &ids, parts, true, progress, None, &mut ranking.folder_errors)?;
    ranking.add_old(root, old.into_iter().map(Arc::new), wanted, progress)?;
    Ok(ranking)
}

/// A run, or what else lies in a folder of `runs`.
type FoundRun = Result<(Option<RunResults>, Found)>;

/// Reads the folders of which nothing is known.
fn read_unknown(
    root: &Path,
    names: Vec<String>,
    known: Vec<Option<RunResults>>,
    records: &Known,
    wanted: &Wanted<'_>,
    progress: &Progress,
) -> Result<Vec<FoundRun>> {
    let folder = Folder::open(root).map_err(|error| Error::io(root, error))?;
    let reader = UnitReader { folder, known: records };
    let read = names.into_par_iter().zip(known).with_min_len(4).map(|(name, known)| {
        progress.step()?;
        if known.is_some() {
            return Ok((known, Found::default()));
        }
        let stamps = Stamps::of(&root.join("runs").join(&name));
        let mut found = look(root, &reader, &name, true);
        let run = found.run.take().map(|unit| RunResults::read(root, name, &unit, &stamps, wanted));
        Ok((run.transpose()?, found))
    });
    Ok(read.collect())
}

impl Ranking {
    /// Adds what is read each time: what old files come to.
    fn add_old(
        &mut self,
        root: &Path,
        entries: impl Iterator<Item = Arc<Entry>>,
        wanted: &Wanted<'_>,
        progress: &Progress,
    ) -> Result<()> {
        let entries: Vec<_> = entries.filter(|entry| (wanted.is_of_run)(&entry.id, &entry.name)).collect();
        let results = of_entries(root, &entries, &mut self.old_errors, progress)?;
        for (entry, found) in entries.iter().zip(results) {
            let mut body = ByteWriter::default();
            Stamps::default().write(&[], &mut body);
            write_entry(Some(entry), &[], &mut body)?;
            write_results(&found, &mut body);
            let run = RunResults::new(entry.id.clone(), body.bytes.into(), Keeping::Never)?;
            self.runs.push(RunResults { is_run: false, ..run });
        }
        Ok(())
    }

    /// Takes what open segments hold in place of what sealing made of them, of some runs by their places.
    pub fn add_open(&mut self, root: &Path, wanted: &[usize]) -> Result<()> {
        // Runs stand before all else, in the order of their ids.
        let native = self.runs.partition_point(|run| run.is_run);
        let place_of = |id: &str| {
            let place = self.runs[..native].binary_search_by(|run| run.id.as_str().cmp(id)).ok()?;
            (self.runs[place].is_there && wanted.binary_search(&place).is_ok()).then_some(place)
        };
        let (open, errors) = live::open_results(root, &|run| place_of(run).is_some())?;
        folders::add_errors(&mut self.folder_errors, errors);
        let open: Vec<_> = open.into_iter().filter_map(|(run, open)| Some((place_of(&run)?, open))).collect();
        for (place, open) in open {
            let run = &mut self.runs[place];
            let mut body = ByteWriter::default();
            body.bytes.extend_from_slice(&run.body[..run.parts.result_errors]);
            write_results(&of_run(root, &run.id, Some(&open)), &mut body);
            *run = RunResults::new(run.id.clone(), body.bytes.into(), Keeping::Never)?;
        }
        Ok(())
    }
}

impl RunResults {
    fn new(id: String, body: Bytes, keeping: Keeping) -> Result<Self> {
        let mut reader = ByteReader::new(&body);
        let at = |reader: &ByteReader<'_>| body.len() - reader.left();
        Stamps::pass(&mut reader)?;
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
        Ok(Self { id, is_run: true, is_there, body, parts, keeping })
    }

    /// Reads a run's lists of results.
    fn read(root: &Path, id: String, unit: &Unit, stamps: &Stamps, wanted: &Wanted<'_>) -> Result<Self> {
        let entry = unit.entry.as_deref();
        let mut body = ByteWriter::default();
        let is_settled = stamps.write(&unit.stamps, &mut body)
            && unit.errors.iter().all(|error| records::keeps(error.kind));
        write_entry(entry, &unit.errors, &mut body)?;
        let is_wanted = entry.is_none_or(|entry| (wanted.is_of_run)(&entry.id, &entry.name));
        let found = if entry.is_some() && is_wanted { of_run(root, &id, None) } else { Results::default() };
        write_results(&found, &mut body);
        // What cannot be opened may be opened again without any stat telling.
        let is_new = is_settled && is_wanted && found.errors.iter().all(|error| records::keeps(error.kind));
        let keeping = if is_new { Keeping::IsNew } else { Keeping::Never };
        Self::new(id, body.bytes.into(), keeping)
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

    /// Its results, as [`pack`] writes them.
    pub fn results(&self) -> ByteReader<'_> {
        self.from(self.parts.results)
    }
}

/// The stat of a run's folder and of its lists of results; that of its records comes with these.
#[derive(Debug, Default)]
struct Stamps {
    /// Its folder.
    folder: Option<Identity>,
    /// Its lists of results, by name.
    lists: Vec<(String, Option<Identity>)>,
    /// Before they were looked at, ns since 1970.
    read_at: i64,
}

impl Stamps {
    /// Those of a folder and its lists. What is read later is not older.
    fn of(path: &Path) -> Self {
        let read_at = now_ns();
        let identity =
            |path: &Path| std::fs::metadata(path).ok().map(|metadata| platform::identity(&metadata));
        let folder = identity(path);
        let names = folders::names_in(path).unwrap_or_default().into_iter();
        let lists = names.filter(|name| live::is_list(name)).map(|name| {
            let stamp = identity(&path.join(&name));
            (name, stamp)
        });
        Self { folder, lists: lists.collect(), read_at }
    }

    /// Writes them down, with those of records; gives whether they tell what was read from what may come.
    fn write(&self, records: &[Option<Identity>], out: &mut ByteWriter) -> bool {
        out.u64(self.read_at as u64);
        write_stamp(self.folder, out);
        out.int(records.len() as u64);
        records.iter().for_each(|stamp| write_stamp(*stamp, out));
        out.int(self.lists.len() as u64);
        for (name, stamp) in &self.lists {
            out.text(name);
            write_stamp(*stamp, out);
        }
        let all = || self.lists.iter().map(|(_, stamp)| *stamp).chain([self.folder]);
        all().all(|stamp| stamp.is_some())
            && all().chain(records.iter().copied()).flatten().all(|stamp| stamp.settled_at(self.read_at))
    }

    /// Passes over what was written.
    fn pass(reader: &mut ByteReader<'_>) -> Result<()> {
        reader.u64()?;
        read_stamp(reader)?;
        for _ in 0..reader.count(1)? {
            read_stamp(reader)?;
        }
        for _ in 0..reader.count(2)? {
            reader.text()?;
            read_stamp(reader)?;
        }
        Ok(())
    }

    /// Whether all that was written is as it was. Without `by_records` of the records only `run.yaml` is looked
    /// at: one that is replaced changes the folder, and what it says matters to no one.
    fn are_those_of(
        reader: &mut ByteReader<'_>,
        runs: &Folder,
        name: &str,
        by_records: bool,
    ) -> Result<bool> {
        reader.u64()?;
        let folder = read_stamp(reader)?;
        if folder.is_none() || folder != runs.identity_of_folder(name) {
            return Ok(false);
        }
        let mut path = format!("{name}/");
        let mut is_same = |file: &str, stamp: Option<Identity>| {
            path.truncate(name.len() + 1);
            path.push_str(file);
            stamp == runs.identity(&path)
        };
        for (number, file) in native::FILES.iter().take(reader.count(1)?).enumerate() {
            let stamp = read_stamp(reader)?;
            if (number == 0 || by_records) && !is_same(file, stamp) {
                return Ok(false);
            }
        }
        for _ in 0..reader.count(2)? {
            let file = reader.text()?;
            if !is_same(file, read_stamp(reader)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn write_stamp(stamp: Option<Identity>, out: &mut ByteWriter) {
    out.bytes.push(u8::from(stamp.is_some()));
    if let Some(Identity { size, mtime_ns, ctime_ns, inode }) = stamp {
        [size, mtime_ns as u64, ctime_ns as u64, inode].into_iter().for_each(|number| out.u64(number));
    }
}

fn read_stamp(reader: &mut ByteReader<'_>) -> Result<Option<Identity>> {
    if reader.byte()? == 0 {
        return Ok(None);
    }
    let (size, mtime_ns) = (reader.u64()?, reader.u64()? as i64);
    let (ctime_ns, inode) = (reader.u64()? as i64, reader.u64()?);
    Ok(Some(Identity { size, mtime_ns, ctime_ns, inode }))
}

/// Writes down what a record says that results are asked for by.
fn write_entry(entry: Option<&Entry>, errors: &[FileError], out: &mut ByteWriter) -> Result<()> {
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

fn write_results(found: &Results, out: &mut ByteWriter) {
    write_errors(&found.errors, out);
    pack(&found.results, out);
}

/// By place in this list.
const KINDS: [ErrorKind; 6] = [
    ErrorKind::Corrupt,
    ErrorKind::Schema,
    ErrorKind::Io,
    ErrorKind::NotParquet,
    ErrorKind::Truncated,
    ErrorKind::Encrypted,
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

/// What was kept: the content of its file, and where in it each run stands.
#[derive(Default)]
struct Kept {
    bytes: Bytes,
    /// In the order of ids: where the id lies, and where what follows it does.
    runs: Vec<[Range<usize>; 2]>,
}

impl Kept {
    fn load(root: &Path) -> Self {
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

    /// What was kept of a run, which stands at a place unless others came or went.
    fn get(&self, id: &str, place: usize) -> Option<Bytes> {
        let find = |[own, _]: &[Range<usize>; 2]| self.bytes[own.clone()].cmp(id.as_bytes());
        let is_there = self.runs.get(place).is_some_and(|run| find(run).is_eq());
        let place = if is_there { place } else { self.runs.binary_search_by(find).ok()? };
        Some(self.bytes.slice(self.runs[place][1].clone()))
    }

    /// Writes the runs down, if many are new or gone: a few are read again faster than all are written again.
    fn store(&self, root: &Path, runs: &[RunResults]) {
        let of = |keeping| runs.iter().filter(move |run| run.keeping == keeping).count();
        let (new, old) = (of(Keeping::IsNew), of(Keeping::IsKept));
        if (new + self.runs.len() - old) * 256 <= new + old {
            return;
        }
        let kept = || runs.iter().filter(|run| run.keeping != Keeping::Never);
        let mut out = ByteWriter::default();
        out.bytes.reserve(kept().map(|run| run.id.len() + run.body.len() + 8).sum::<usize>() + 64);
        out.bytes.extend_from_slice(MAGIC);
        out.int(LAYOUT);
        out.text(cache_file::VERSION);
        out.int((new + old) as u64);
        for run in kept() {
            out.text(&run.id);
            out.int(run.body.len() as u64);
            out.bytes.extend_from_slice(&run.body);
        }
        cache_file::write_any(root, CACHE, &cache_file::finish(out));
    }
}
