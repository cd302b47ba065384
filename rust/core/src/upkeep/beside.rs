//! What a file holds that no other file has: before a journal or a segment is removed, that is written again.
//!
//! Copies of a workspace that went apart and were merged may have the longer journal beside the shorter file of
//! arrays, list of results or rows of unfinished results: merging skips names that are taken.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;

use super::finding::check_whole;
use crate::base::error::{Error, FileError, Result};
use crate::base::file_names::{self, Name, PARTIAL_FOLDER};
use crate::base::progress::Progress;
use crate::decode::batches;
use crate::decode::chunk_sums::CHUNKS_KEY;
use crate::footer::TailReader;
use crate::fs::{atomic, folders, platform};
use crate::segment::checkpoints::{self, Checkpoint};
use crate::segment::hidden_rows::{Hidden, Part, RESULT};
use crate::segment::journal::{Journal, Kind, keep_corrupt};
use crate::segment::merged::{self, Unit};
use crate::segment::segment_file::SegmentFile;
use crate::segment::{ipc, journal_contents};
use crate::types::columns::Texts;
use crate::types::rows;
use crate::write::{arrays, seal};

/// What only one file has.
#[derive(Debug, Default)]
pub struct Only {
    /// Arrays.
    arrays: Vec<RecordBatch>,
    /// Results, as the list has them.
    results: Vec<String>,
    /// Rows with a result.
    rows: Vec<RecordBatch>,
}

impl Only {
    /// What a covered journal holds that is in no file beside it, of which some count in its place.
    pub fn in_journal(
        root: &Path,
        folder: &str,
        name: &Name,
        live: &mut Live,
        progress: &Progress,
    ) -> Result<Self> {
        let place = root.join("predictions").join(folder);
        let path = place.join(name.journal());
        let journal = Journal::open(&path)?;
        let mut only = Self::default();
        let (mut known, mut elsewhere) = (None, Known::new(place, name.journal(), name, live));
        journal.read(journal.begin(), &mut |kind, payload| {
            progress.check()?;
            match kind {
                Kind::Checkpoint => {}
                Kind::Arrays => {
                    let ids = ipc::decode_column(payload, "array_id")?;
                    let known = match &mut known {
                        Some(known) => known,
                        none => none.insert(known_arrays(&arrays_path(root, folder, name))?),
                    };
                    if has_other(&ids, "array_id", known)? {
                        for batch in ipc::decode(payload)? {
                            only.arrays.extend(others(&batch, "array_id", known)?);
                        }
                    }
                }
                Kind::Rows => {
                    let results = ipc::decode_column(payload, RESULT)?;
                    if has_text(&results, RESULT)? {
                        for batch in ipc::decode(payload)? {
                            only.rows.extend(elsewhere.others(&batch)?);
                        }
                    }
                }
            }
            Ok(())
        })?;
        let (texts, _) = journal_contents::results(&path)?;
        if !texts.is_empty() {
            let listed: HashSet<Checkpoint> =
                checkpoints::in_list(&list_path(root, name))?.into_iter().collect();
            let is_lacking =
                |text: &String| Checkpoint::of_result(text).is_some_and(|one| !listed.contains(&one));
            only.results = texts.into_iter().filter(is_lacking).collect();
        }
        Ok(only)
    }

    /// What a replaced segment holds that is in no other file: rows that were those of an unfinished result where
    /// the other one was sealed. Some files count in its place.
    pub fn in_segment(
        root: &Path,
        folder: &str,
        name: &Name,
        left_out: Option<&Hidden>,
        live: &mut Live,
        progress: &Progress,
    ) -> Result<Self> {
        let place = root.join("predictions").join(folder);
        let path = place.join(name.sealed());
        let mut only = Self::default();
        let mut elsewhere = Known::new(place, name.sealed(), name, live);
        let file = platform::open(&path).map_err(|error| Error::io(&path, error))?;
        let kept = |batch: &RecordBatch, first: u64| match left_out {
            Some(left_out) => left_out.filter(batch, first),
            None => Ok(batch.clone()),
        };
        let (mut has_others, mut first) = (false, 0);
        batches::read_batches(&path, file, Some(&["id", RESULT]), &mut |batches| {
            progress.check()?;
            for batch in batches {
                has_others = has_others || elsewhere.others(&kept(batch, first)?)?.is_some();
                first += batch.num_rows() as u64;
            }
            Ok(())
        })?;
        if has_others {
            let file = platform::open(&path).map_err(|error| Error::io(&path, error))?;
            first = 0;
            batches::read_batches(&path, file, None, &mut |batches| {
                progress.check()?;
                for batch in batches {
                    only.rows.extend(elsewhere.others(&kept(batch, first)?)?);
                    first += batch.num_rows() as u64;
                }
                Ok(())
            })?;
        }
        Ok(only)
    }

    /// The same of a compaction, but for the rows of writers in whose place others came.
    pub fn in_segment_without(
        root: &Path,
        folder: &str,
        name: &Name,
        live: &mut Live,
        writers: &BTreeSet<String>,
        progress: &Progress,
    ) -> Result<Self> {
        let place = root.join("predictions").join(folder);
        let replaced = merged::replaces(&place.join(name.sealed()))?;
        let units = merged::units(name, None, &replaced).into_iter();
        let units = units.filter(|unit| unit.writers.iter().all(|(writer, _)| writers.contains(writer)));
        let left_out = Hidden::of(units.map(|Unit { rows, .. }| Part { rows, results: None }).collect());
        Self::in_segment(root, folder, name, left_out.as_ref(), live, progress)
    }

    /// Whether there is nothing of that kind.
    pub fn is_empty(&self) -> bool {
        self.arrays.is_empty() && self.results.is_empty() && self.rows.is_empty()
    }

    /// What it is, for a message.
    pub fn describe(&self) -> String {
        let count = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        let parts = [
            (count(&self.arrays), "arrays"),
            (self.results.len(), "results"),
            (count(&self.rows), "rows of unfinished results"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        parts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    }

    /// Whether it has rows.
    pub fn has_rows(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Writes it into the files of its writer, each replaced whole by more.
    pub fn write(self, root: &Path, folder: &str, name: &Name) -> Result<()> {
        if !self.arrays.is_empty() {
            let path = arrays_path(root, folder, name);
            if path.exists() && whole(&path).is_err_and(|error| error.is_damage()) {
                keep_corrupt(&path)?;
            }
            let target = SegmentFile::of_arrays(&path, arrays::schema())?;
            add(target, &path, &arrays::schema(), &self.arrays)?;
        }
        if !self.rows.is_empty() {
            let path = root.join("predictions").join(folder).join(name.partial());
            let mut schemas = vec![rows::schema()?];
            if path.exists() {
                schemas.push(batches::schema_of(&path)?);
            }
            schemas.extend(self.rows.iter().map(RecordBatch::schema));
            let schema = rows::unify(&schemas)?;
            add(SegmentFile::of_rows(&path, schema.clone())?, &path, &schema, &self.rows)?;
        }
        if !self.results.is_empty() {
            add_lines(&list_path(root, name), self.results.iter().map(String::as_str))?;
        }
        Ok(())
    }
}

/// Adds lines to a list of results, which is replaced whole.
pub fn add_lines<'a>(path: &Path, lines: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut text = match platform::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::io(path, error)),
    };
    if text.last().is_some_and(|&last| last != b'\n') {
        text.push(b'\n');
    }
    for line in lines {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    if let Some(folder) = path.parent() {
        atomic::make_folder(folder)?;
    }
    atomic::replace(path, &text)
}

/// The rows of a file, where there is one, and more after them, in its place.
fn add(mut target: SegmentFile, path: &Path, schema: &SchemaRef, more: &[RecordBatch]) -> Result<()> {
    match platform::open(path) {
        Ok(file) => batches::read_batches(path, file, None, &mut |batches| {
            let batches = batches.iter().map(|batch| rows::conform(batch, schema));
            target.write(&batches.collect::<Result<Vec<_>>>()?)
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io(path, error)),
    }
    let more = more.iter().map(|batch| rows::conform(batch, schema));
    target.write(&more.collect::<Result<Vec<_>>>()?)?;
    target.publish(&[], None)
}

/// That all of a file can be read: by its checksums, or, where it has none, by decoding it.
pub fn whole(path: &Path) -> Result<()> {
    check_whole(path)?;
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let tail = TailReader::default()
        .read_file(&file)
        .map(|tail| tail.footer().is_ok_and(|footer| footer.get(CHUNKS_KEY).is_some()));
    if tail.map_err(|error| error.at(path))? {
        return Ok(());
    }
    batches::read_batches(path, file, None, &mut |_| Ok(()))
}

fn arrays_path(root: &Path, folder: &str, name: &Name) -> PathBuf {
    root.join("arrays").join(folder).join(name.arrays())
}

fn list_path(root: &Path, name: &Name) -> PathBuf {
    root.join("runs").join(&name.run_id).join(name.results())
}

/// Ids of the arrays in a file; none where it is missing or damaged.
fn known_arrays(path: &Path) -> Result<HashSet<String>> {
    let mut known = HashSet::new();
    let read = whole(path).and_then(|()| add_texts(path, "array_id", &mut known));
    match read {
        Err(error) if FileError::is_vanished(&error) || error.is_damage() => Ok(HashSet::new()),
        Err(error) => Err(error),
        Ok(()) => Ok(known),
    }
}

fn add_texts(path: &Path, column: &str, known: &mut HashSet<String>) -> Result<()> {
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    batches::read_batches(path, file, Some(&[column]), &mut |batches| {
        for batch in batches {
            let texts = Texts::of(batch, column)?;
            known.extend((0..batch.num_rows()).filter_map(|row| texts.get(row)).map(str::to_owned));
        }
        Ok(())
    })
}

fn has_text(batches: &[RecordBatch], column: &str) -> Result<bool> {
    for batch in batches {
        let texts = Texts::of(batch, column)?;
        if (0..batch.num_rows()).any(|row| texts.get(row).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_other(batches: &[RecordBatch], column: &str, known: &HashSet<String>) -> Result<bool> {
    for batch in batches {
        let texts = Texts::of(batch, column)?;
        if (0..batch.num_rows()).any(|row| texts.get(row).is_some_and(|text| !known.contains(text))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rows of a batch whose text in a column is not known; it is from then on.
fn others(batch: &RecordBatch, column: &str, known: &mut HashSet<String>) -> Result<Option<RecordBatch>> {
    let texts = Texts::of(batch, column)?;
    let mask: Vec<bool> = (0..batch.num_rows())
        .map(|row| texts.get(row).is_some_and(|text| known.insert(text.to_owned())))
        .collect();
    masked(batch, mask)
}

fn masked(batch: &RecordBatch, mask: Vec<bool>) -> Result<Option<RecordBatch>> {
    if !mask.contains(&true) {
        return Ok(None);
    }
    seal::filtered(batch, &BooleanArray::from(mask)).map(Some)
}

/// The ids of rows in files of one run, each of which is read once; one that cannot be read has none.
#[derive(Debug, Default)]
struct Ids {
    ids: HashSet<String>,
    files: HashSet<PathBuf>,
}

/// The files that count in the place of others, and what was read of them.
#[derive(Debug, Default)]
pub struct Live {
    /// Their names.
    pub carriers: BTreeSet<String>,
    whole: HashSet<String>,
    ids: Ids,
}

impl Live {
    /// The first of them that is not whole, and why.
    pub fn damaged(&mut self, folder: &Path) -> Option<(&String, Error)> {
        for file in &self.carriers {
            if !self.whole.contains(file) {
                if let Err(error) = whole(&folder.join(file)) {
                    return Some((file, error));
                }
                self.whole.insert(file.clone());
            }
        }
        None
    }
}

impl Ids {
    /// Adds those of a file.
    fn add(&mut self, path: PathBuf) -> Result<()> {
        if self.files.contains(&path) {
            return Ok(());
        }
        match add_texts(&path, "id", &mut self.ids) {
            Err(error) if !FileError::is_vanished(&error) && !error.is_damage() => return Err(error),
            _ => {}
        }
        self.files.insert(path);
        Ok(())
    }
}

/// The ids of rows in the files of a run in a folder but one, read as they are needed.
struct Known<'a> {
    folder: PathBuf,
    /// The one that is not read.
    file: String,
    name: &'a Name,
    /// Of files that count in its place: they are read once for all that they replace.
    live: &'a mut Ids,
    carriers: Vec<PathBuf>,
    /// Of all others, which may be removed next.
    others: Ids,
    /// Those that were not yet read, the next one last; `None` while they are not needed.
    unread: Option<Vec<PathBuf>>,
}

impl<'a> Known<'a> {
    fn new(folder: PathBuf, file: String, name: &'a Name, live: &'a mut Live) -> Self {
        let carriers = live.carriers.iter().map(|file| folder.join(file)).collect();
        Self { folder, file, name, live: &mut live.ids, carriers, others: Ids::default(), unread: None }
    }

    /// The rows of a batch that have a result and are in none of the files.
    fn others(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let (ids, results) = (Texts::of(batch, "id")?, Texts::of(batch, RESULT)?);
        loop {
            let is_known = |id| self.live.ids.contains(id) || self.others.ids.contains(id);
            let mask: Vec<bool> = (0..batch.num_rows())
                .map(|row| results.get(row).is_some() && ids.get(row).is_some_and(|id| !is_known(id)))
                .collect();
            if !mask.contains(&true) {
                return Ok(None);
            }
            if !self.read_next()? {
                return masked(batch, mask);
            }
        }
    }

    fn read_next(&mut self) -> Result<bool> {
        if let Some(path) = self.carriers.pop() {
            self.live.add(path)?;
            return Ok(true);
        }
        let unread = match &mut self.unread {
            Some(unread) => unread,
            none => none.insert(unread_files(&self.folder, &self.file, self.name)?),
        };
        let Some(path) = unread.pop() else { return Ok(false) };
        if !self.live.files.contains(&path) {
            self.others.add(path)?;
        }
        Ok(true)
    }
}

/// The files of a run in a folder but one; those of its writer last.
fn unread_files(folder: &Path, but: &str, name: &Name) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for below in [folder.to_owned(), folder.join(PARTIAL_FOLDER)] {
        let names = folders::names_in(&below)?.into_iter().filter(|file| {
            let is_of_run = Name::of(file).is_some_and(|it| it.run_id == name.run_id);
            file.ends_with(file_names::SUFFIX) && is_of_run && file != but
        });
        found.extend(names.map(|file| below.join(file)));
    }
    let (sealed, partial) = (folder.join(name.sealed()), folder.join(name.partial()));
    found.sort_by_cached_key(|path| {
        (*path == sealed, *path == partial, path.to_string_lossy().contains(".c"), path.clone())
    });
    Ok(found)
}
