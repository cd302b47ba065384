//! Sealing: what a journal holds becomes Parquet files and a list of results.
//!
//! Arrays first, then rows of unfinished results, then results, and the segment last: it is what makes
//! readers ignore the journal, so a death in between leaves a journal that is live and is sealed again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use rayon::prelude::*;
use twox_hash::XxHash3_64;

use crate::base::content::blake3_hex;
use crate::base::error::{Error, ErrorKind, FileError, Result, corrupt};
use crate::base::file_names::Name;
use crate::base::progress::Progress;
use crate::footer::keys::JOURNAL_KEY;
use crate::fs::atomic::{self, remove_if_there};
use crate::segment::checkpoints::{self, Checkpoint, Checkpoints};
use crate::segment::journal::{Journal, Kind, Position, Reading, Stretch, fence_path};
use crate::segment::sealed::Sealed;
use crate::segment::segment_file::SegmentFile;
use crate::segment::{ipc, stored_result};
use crate::summary::{Datasets, merge_datasets, split_by_dataset};
use crate::types::rows;

/// Bytes of frames that are decoded and written at a time, as they are stored and once they are decoded.
const AT_ONCE: usize = 16 * 1024 * 1024;
const DECODED_AT_ONCE: usize = 256 * 1024 * 1024;

/// What became of a journal.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What its files are named after.
    pub name: Name,
    /// Committed rows.
    pub rows: u64,
    /// Rows of results that were never checkpointed.
    pub partial_rows: u64,
    /// Results that were checkpointed.
    pub results: u64,
    /// Where its valid content ends, how, and what was given up of it.
    pub reading: Reading,
    /// What else is to be said of it.
    pub notes: Vec<Note>,
}

/// What a user may want to know of a journal: a stable name for its kind, and a message.
pub type Note = (&'static str, String);

/// What a first reading of a journal finds.
pub struct Survey {
    schemas: Vec<SchemaRef>,
    has_arrays: bool,
    /// The finished results, as they were checkpointed, with their ids.
    pub results: Vec<(String, String)>,
    /// Where its valid content ends, how, and what was given up of it.
    pub reading: Reading,
    /// What else is to be said of it.
    pub notes: Vec<Note>,
}

impl Survey {
    /// Reads and checks a whole journal.
    pub fn of(journal: &Journal, progress: &Progress) -> Result<Self> {
        Self::after(journal, journal.begin(), &[], progress)
    }

    /// What a journal holds from a place on, without the frames in some stretches.
    fn after(journal: &Journal, begin: Position, skipped: &[Stretch], progress: &Progress) -> Result<Self> {
        let mut schemas: Vec<SchemaRef> = Vec::new();
        let (mut results, mut notes) = (Vec::new(), Vec::new());
        let mut has_arrays = false;
        let mut frames = journal.frames(begin);
        while let Some((kind, at)) = frames.advance()? {
            progress.check()?;
            if skipped.iter().any(|stretch| stretch.holds(at)) {
                continue;
            }
            let payload = frames.payload();
            match kind {
                Kind::Arrays => has_arrays = true,
                Kind::Rows => {
                    let schema = ipc::schema_of(payload).map_err(|error| error.at(&journal.path))?;
                    if !schemas.contains(&schema) {
                        schemas.push(schema);
                    }
                }
                Kind::Checkpoint => match stored_result::read(payload) {
                    Ok(checkpoint) => results.push((checkpoint, frames.has_lost())),
                    Err(error) => {
                        notes.push(("corrupt", format!("{}, at byte {}", error.message, at.offset)));
                    }
                },
            }
        }
        let (results, incomplete) = stored_result::take_incomplete(journal, results)?;
        notes.extend(results.iter().filter_map(stored_result::note));
        notes.extend(incomplete.iter().map(|id| {
            let message = "rows were lost with a damaged frame: it counts as not checkpointed, and resuming its run \
                           does it again";
            ("incomplete", format!("result {id}: {message}"))
        }));
        let results = results.into_iter().map(|checkpoint| (checkpoint.id, checkpoint.text)).collect();
        Ok(Self { schemas, has_arrays, results, reading: frames.finish(), notes })
    }

    /// Ids of the results that were checkpointed.
    pub fn finished(&self) -> impl Iterator<Item = String> + '_ {
        self.results.iter().map(|(id, _)| id.clone())
    }
}

/// Seals a journal whose writer is this process or dead.
///
/// `finished` are results that were checkpointed elsewhere by the same writer. `summary` is that of all
/// rows, where it is known and none of them is partial. An empty journal is removed.
pub fn seal(
    root: &Path,
    folder: &str,
    path: &Path,
    finished: &BTreeSet<String>,
    summary: Option<&Datasets>,
    progress: &Progress,
) -> Result<Outcome> {
    let name = Name::of_path(path).ok_or_else(|| corrupt("is not named like a journal").at(path))?;
    let journal = Journal::open(path)?;
    let begin = journal.begin();
    seal_from(root, folder, &name, journal, begin, &[], finished, summary, progress)
}

/// Seals what a journal holds beyond a place up to which a compaction has it, as a segment of its own: of a
/// compaction by an earlier version it cannot be told whose rows are whose.
pub fn seal_rest(
    root: &Path,
    folder: &str,
    path: &Path,
    compacted: &Sealed,
    finished: &BTreeSet<String>,
    progress: &Progress,
) -> Result<Outcome> {
    let name = Name::of_path(path).ok_or_else(|| corrupt("is not named like a journal").at(path))?;
    let journal = Journal::open(path)?;
    let place = format!("{} {}", compacted.journal, compacted.position.frames);
    let name = Name { run_id: name.run_id, writer: blake3_hex(place.as_bytes(), 12) };
    let (begin, skipped) = (compacted.position, &compacted.saved);
    seal_from(root, folder, &name, journal, begin, skipped, finished, None, progress)
}

#[allow(clippy::too_many_arguments, reason = "those of `seal` and where to begin")]
fn seal_from(
    root: &Path,
    folder: &str,
    name: &Name,
    mut journal: Journal,
    begin: Position,
    skipped: &[Stretch],
    finished: &BTreeSet<String>,
    summary: Option<&Datasets>,
    progress: &Progress,
) -> Result<Outcome> {
    let path = &journal.path.clone();
    let survey = Survey::after(&journal, begin, skipped, progress)?;
    // What its writer counted has the rows that were lost.
    let summary = summary.filter(|_| !survey.reading.is_damaged());
    let mut outcome = Outcome {
        name: name.clone(),
        rows: 0,
        partial_rows: 0,
        results: survey.results.len() as u64,
        reading: survey.reading.clone(),
        notes: survey.notes.clone(),
    };
    if survey.reading.is_empty() {
        if !survey.reading.is_damaged() {
            remove_journal(path)?;
        }
        return Ok(outcome);
    }
    journal.end_at(survey.reading.reach());
    let mut finished = finished.clone();
    finished.extend(survey.finished());

    let files = Targets::of(root, folder, name);
    let mut writing = Writing::begin(&files, &survey, finished, summary.is_none())?;
    let mut frames = journal.frames(begin);
    while let Some((kind, at)) = frames.advance()? {
        progress.check()?;
        if !skipped.iter().any(|stretch| stretch.holds(at)) {
            writing.take(kind, frames.payload()).map_err(|error| error.at(path))?;
        }
    }
    let read = frames.finish();
    if (read.position, &read.saved) != (survey.reading.position, &survey.reading.saved) {
        let message = "the journal was changed by somebody else while it was sealed; try again";
        return Err(Error::new(ErrorKind::Conflict, message).at(path));
    }
    writing.write_held()?;
    let Writing { arrays, partial, rows, counted, .. } = writing;
    let summary = summary.or(counted.as_ref());
    (outcome.rows, outcome.partial_rows) = (rows.rows, partial.as_ref().map_or(0, |file| file.rows));
    if let Some(arrays) = arrays {
        arrays.publish(&[], None)?;
    }
    if let Some(partial) = partial {
        partial.publish(&[], None)?;
    }
    let lines: String = survey.results.iter().flat_map(|(_, text)| [text.as_str(), "\n"]).collect();
    if !survey.results.is_empty() {
        if let Some(folder) = files.results.parent() {
            atomic::make_folder(folder)?;
        }
        atomic::replace(&files.results, lines.as_bytes())?;
    }
    let sealed = Sealed {
        journal: journal.header.journal.clone(),
        position: survey.reading.position,
        saved: survey.reading.saved,
        predecessor: journal.header.predecessor.clone(),
        results: XxHash3_64::oneshot(lines.as_bytes()),
    };
    let checkpoints = survey.results.iter().filter_map(|(_, text)| Checkpoint::of_result(text)).collect();
    let checkpoints = Checkpoints::from([(name.writer.clone(), checkpoints)]);
    let mut keys = vec![(JOURNAL_KEY, sealed.to_value().to_json())];
    keys.extend(checkpoints::key(&checkpoints, false));
    rows.publish(&keys, summary)?;
    if outcome.partial_rows == 0 {
        remove_if_there(&files.partial)?;
    }
    Ok(outcome)
}

/// Where what a journal becomes is published.
struct Targets {
    arrays: PathBuf,
    partial: PathBuf,
    results: PathBuf,
    segment: PathBuf,
}

impl Targets {
    fn of(root: &Path, folder: &str, name: &Name) -> Self {
        let predictions = root.join("predictions").join(folder);
        Self {
            arrays: root.join("arrays").join(folder).join(name.arrays()),
            partial: predictions.join(name.partial()),
            results: root.join("runs").join(&name.run_id).join(name.results()),
            segment: predictions.join(name.sealed()),
        }
    }
}

/// The files that are being written.
struct Writing<'a> {
    files: &'a Targets,
    schema: SchemaRef,
    finished: BTreeSet<String>,
    arrays: Option<SegmentFile>,
    partial: Option<SegmentFile>,
    rows: SegmentFile,
    /// The summary of the committed rows, where it is not known.
    counted: Option<Datasets>,
    /// Frames of rows that are not yet written.
    held: Vec<Vec<u8>>,
    held_bytes: usize,
    held_decoded: usize,
}

impl<'a> Writing<'a> {
    fn begin(files: &'a Targets, survey: &Survey, finished: BTreeSet<String>, count: bool) -> Result<Self> {
        let mut schemas = vec![rows::schema()?];
        schemas.extend(survey.schemas.iter().cloned());
        let schema = rows::unify(&schemas)?;
        let arrays =
            survey.has_arrays.then(|| SegmentFile::of_arrays(&files.arrays, super::arrays::schema()));
        Ok(Self {
            files,
            finished,
            arrays: arrays.transpose()?,
            partial: None,
            rows: SegmentFile::of_rows(&files.segment, schema.clone())?,
            schema,
            counted: count.then(Datasets::new),
            held: Vec::new(),
            held_bytes: 0,
            held_decoded: 0,
        })
    }

    fn take(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        match (kind, &mut self.arrays) {
            (Kind::Arrays, Some(arrays)) => arrays.write(&ipc::decode(payload)?),
            (Kind::Rows, _) => {
                self.held.push(payload.to_vec());
                self.held_bytes += payload.len();
                self.held_decoded += ipc::decoded_bytes(payload);
                let is_due = self.held_bytes >= AT_ONCE || self.held_decoded >= DECODED_AT_ONCE;
                if is_due { self.write_held() } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// Writes the rows of the frames that are held, decoded in parallel within the current thread pool.
    fn write_held(&mut self) -> Result<()> {
        (self.held_bytes, self.held_decoded) = (0, 0);
        let held = std::mem::take(&mut self.held);
        let (schema, finished) = (&self.schema, &self.finished);
        let parts: Vec<Result<Vec<_>>> = held
            .par_iter()
            .map(|payload| ipc::decode(payload)?.iter().map(|batch| part(batch, schema, finished)).collect())
            .collect();
        let (mut counting, mut partial) = (Vec::new(), Vec::new());
        for part in parts {
            for (rows, rest) in part? {
                counting.push(rows);
                partial.extend(rest);
            }
        }
        self.rows.write(&counting)?;
        if let Some(counted) = &mut self.counted {
            merge_datasets(counted, split_by_dataset(&counting, "")?);
        }
        if !partial.is_empty() {
            let file = match &mut self.partial {
                Some(file) => file,
                none => none.insert(SegmentFile::of_rows(&self.files.partial, self.schema.clone())?),
            };
            file.write(&partial)?;
        }
        Ok(())
    }
}

/// The committed rows, and the others where there are any.
fn part(
    batch: &RecordBatch,
    schema: &SchemaRef,
    finished: &BTreeSet<String>,
) -> Result<(RecordBatch, Option<RecordBatch>)> {
    let batch = rows::conform(batch, schema)?;
    let counts = counts(&batch, finished);
    if counts.true_count() == batch.num_rows() {
        return Ok((batch, None));
    }
    let rest: BooleanArray = counts.values().iter().map(|counts| Some(!counts)).collect();
    Ok((filtered(&batch, &counts)?, Some(filtered(&batch, &rest)?)))
}

/// Which rows are committed: those of finished results, and those of none.
fn counts(batch: &RecordBatch, finished: &BTreeSet<String>) -> BooleanArray {
    let results = batch.column_by_name("result_id").and_then(|column| column.as_string_opt::<i32>());
    match results {
        Some(results) if results.null_count() < results.len() => {
            results.iter().map(|result| Some(result.is_none_or(|id| finished.contains(id)))).collect()
        }
        _ => BooleanArray::from(vec![true; batch.num_rows()]),
    }
}

/// The rows of a batch that a mask has.
pub(crate) fn filtered(batch: &RecordBatch, mask: &BooleanArray) -> Result<RecordBatch> {
    filter_record_batch(batch, mask).map_err(|error| corrupt(error.to_string()))
}

/// Removes a journal and then its fence, in this order: a writer that was declared dead finds one or
/// the other.
pub fn remove_journal(path: &Path) -> Result<()> {
    remove_if_there(path)?;
    remove_if_there(&fence_path(path))
}

/// The results that were checkpointed in a journal; none where it cannot be read, which is reported as
/// its own fault, or is gone.
pub(crate) fn finished_in(path: &Path, progress: &Progress) -> Result<Vec<String>> {
    match Journal::open(path).and_then(|journal| Survey::of(&journal, progress)) {
        Ok(survey) => Ok(survey.finished().collect()),
        Err(error) if error.is_damage() => Ok(Vec::new()),
        Err(error) if FileError::is_vanished(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
