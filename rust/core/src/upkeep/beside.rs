//! What a file holds that no other file has: before a journal or a segment is removed, that is written again.
//!
//! Copies of a workspace that went apart and were merged may have the longer journal beside the shorter file of
//! arrays, list of results or rows of unfinished results: merging skips names that are taken.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;

use super::finding::check_whole;
use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::base::file_names::{self, Name, PARTIAL_FOLDER};
use crate::base::progress::Progress;
use crate::decode::batches;
use crate::decode::chunk_sums::CHUNKS_KEY;
use crate::footer::TailReader;
use crate::fs::{atomic, folders, platform};
use crate::segment::checkpoints::{self, Checkpoint};
use crate::segment::hidden_rows::RESULT;
use crate::segment::journal::{Journal, Kind, keep_corrupt};
use crate::segment::segment_file::SegmentFile;
use crate::segment::{ipc, journal_contents};
use crate::types::columns::Texts;
use crate::types::rows;
use crate::write::arrays;

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
    /// What a covered journal holds that is in no file beside it.
    pub fn in_journal(root: &Path, folder: &str, name: &Name, progress: &Progress) -> Result<Self> {
        let path = root.join("predictions").join(folder).join(name.journal());
        let journal = Journal::open(&path)?;
        let mut only = Self::default();
        let (mut known, mut elsewhere) = (None, Known::new(root, folder, name));
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
    /// the other one was sealed.
    pub fn in_segment(root: &Path, folder: &str, name: &Name, progress: &Progress) -> Result<Self> {
        let path = root.join("predictions").join(folder).join(name.sealed());
        let mut only = Self::default();
        let mut elsewhere = Known::beside(root, folder, name);
        let file = platform::open(&path).map_err(|error| Error::io(&path, error))?;
        let mut has_results = false;
        batches::read_batches(&path, file, Some(&[RESULT]), &mut |batches| {
            progress.check()?;
            has_results |= has_text(batches, RESULT)?;
            Ok(())
        })?;
        if has_results {
            let file = platform::open(&path).map_err(|error| Error::io(&path, error))?;
            batches::read_batches(&path, file, None, &mut |batches| {
                progress.check()?;
                for batch in batches {
                    only.rows.extend(elsewhere.others(batch)?);
                }
                Ok(())
            })?;
        }
        Ok(only)
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
            if path.exists() && whole(&path).is_err() {
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
        Err(error) if crate::base::error::FileError::is_vanished(&error) => Ok(HashSet::new()),
        Err(error) if matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Truncated) => Ok(HashSet::new()),
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
    filtered(batch, mask)
}

fn filtered(batch: &RecordBatch, mask: Vec<bool>) -> Result<Option<RecordBatch>> {
    if !mask.contains(&true) {
        return Ok(None);
    }
    let rows = filter_record_batch(batch, &BooleanArray::from(mask));
    rows.map(Some).map_err(|error| corrupt(error.to_string()))
}

/// The ids of rows in the files of a run in a folder, read as they are needed.
struct Known {
    ids: HashSet<String>,
    /// Files that were not yet read, the next one last.
    unread: Vec<PathBuf>,
}

impl Known {
    /// Those of all sealed files, those of the writer first.
    fn new(root: &Path, folder: &str, name: &Name) -> Self {
        let mut known = Self::beside(root, folder, name);
        known.unread.push(root.join("predictions").join(folder).join(name.sealed()));
        known
    }

    /// Those of other files.
    fn beside(root: &Path, folder: &str, name: &Name) -> Self {
        let place = root.join("predictions").join(folder);
        let mut unread = Vec::new();
        for below in [place.clone(), place.join(PARTIAL_FOLDER)] {
            let names = folders::names_in(&below).unwrap_or_default().into_iter();
            let names = names.filter(|file| {
                let is_sealed = file.ends_with(file_names::SUFFIX);
                is_sealed
                    && Name::of(file).is_some_and(|it| it.run_id == name.run_id)
                    && *file != name.sealed()
            });
            unread.extend(names.map(|file| below.join(file)));
        }
        unread.sort();
        let own = place.join(name.partial());
        unread.sort_by_key(|path| (*path == own, path.to_string_lossy().contains(".c")));
        Self { ids: HashSet::new(), unread }
    }

    /// The rows of a batch that have a result and are in none of the files.
    fn others(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let (ids, results) = (Texts::of(batch, "id")?, Texts::of(batch, RESULT)?);
        loop {
            let mask: Vec<bool> = (0..batch.num_rows())
                .map(|row| {
                    results.get(row).is_some() && ids.get(row).is_some_and(|id| !self.ids.contains(id))
                })
                .collect();
            if !mask.contains(&true) {
                return Ok(None);
            }
            let Some(path) = self.unread.pop() else { return filtered(batch, mask) };
            match add_texts(&path, "id", &mut self.ids) {
                // What cannot be read has nothing.
                Err(error) if crate::base::error::FileError::is_vanished(&error) => {}
                Err(error) if matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Truncated) => {}
                other => other?,
            }
        }
    }
}
