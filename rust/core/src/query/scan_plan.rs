//! What a scan of all rows reads: which files another library's Parquet reader may read as they are, and
//! the rows of all others, converted.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::file_snapshot::schemas_of;
use super::handles::open_same;
use super::source::Source;
use crate::base::clock::now_ns;
use crate::base::error::{Error, FileError, Result, guarded};
use crate::base::file_names;
use crate::base::progress::Progress;
use crate::decode::batches;
use crate::decode::chunk_checks::{Readers, check_files};
use crate::decode::known_values::are_known;
use crate::footer::TailReader;
use crate::fs::stat::{self, Identity};
use crate::reading::files::{self, Listing};
use crate::reading::partial;
use crate::segment::hidden_rows::{self, Hidden, RESULT};
use crate::segment::ipc;
use crate::segment::journal::{Journal, Kind, Position};
use crate::segment::live_set::Open;
use crate::types::{self, Lost, conform};

/// Bytes of a journal's frames that are decoded at a time.
const AT_ONCE: usize = 4 << 20;
/// Files whose columns are remembered, by their stat.
const REMEMBERED: usize = 65_536;

/// The columns and rows of one file that can be used.
#[derive(Clone, Debug)]
struct Part {
    /// Relative to the workspace.
    name: String,
    path: PathBuf,
    identity: Identity,
    /// Of a sealed file one; of a journal those of its frames.
    schemas: Vec<SchemaRef>,
    /// Rows that the footer announces; `None` of a journal.
    rows: Option<u64>,
    /// Whether none of its values is null in answers only.
    are_known: bool,
    /// What of it is not live.
    hidden: Option<Arc<Hidden>>,
}

/// The files of a workspace at one moment, as a scan of all rows reads them.
#[derive(Debug)]
pub struct Plan {
    parts: Vec<Part>,
    /// The columns of all files, in the types of the answer.
    pub schema: SchemaRef,
    /// Files that cannot be used, and what is damaged in others.
    pub errors: Vec<FileError>,
    /// Whether files that vanish are errors by now.
    is_last: bool,
}

/// How the files of a plan are read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Files that another reader reads as they are, those of equal columns together.
    pub groups: Vec<Group>,
    /// Files that only [`Plan::stream`] reads, by their place in the plan.
    pub converted: Vec<usize>,
    /// Files that must not be decoded.
    pub errors: Vec<FileError>,
}

/// Files of equal columns that are read together, as they are.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// By their place in the plan.
    pub files: Vec<usize>,
    /// Which columns of the answer they have.
    pub columns: Vec<String>,
    /// Rows of all of them.
    pub rows: u64,
}

impl Plan {
    /// Looks what lies in a workspace, within the current thread pool.
    ///
    /// `partial` adds rows of results that were never finished. Fails with the error of a file that vanished,
    /// unless `is_last`, when it is one of the errors.
    pub fn of(root: &Path, open: Open, partial: bool, is_last: bool, progress: &Progress) -> Result<Self> {
        let Listing { files: mut names, mut hidden, mut errors } = files::list(root, open)?;
        if partial {
            for (name, finished) in partial::list(root, open, &mut errors) {
                let part = hidden_rows::Part { rows: 0..u64::MAX, results: Some(Arc::new(finished)) };
                hidden.extend(Hidden::of(vec![part]).map(|part| (name.clone(), Arc::new(part))));
                names.push(name);
            }
        }
        let parts: Vec<Result<Part>> = names
            .par_iter()
            .map_init(TailReader::default, |tails, name| {
                progress.check()?;
                Part::of(root, name, hidden.get(name).cloned(), tails)
            })
            .collect();
        let mut good = Vec::with_capacity(parts.len());
        for (name, part) in names.iter().zip(parts) {
            match part {
                Ok(part) => good.push(part),
                Err(error) if FileError::is_vanished(&error) && !is_last => return Err(error),
                Err(error) if error.kind == crate::base::error::ErrorKind::Interrupted => return Err(error),
                Err(error) => errors.push(FileError::new(name, &error)),
            }
        }
        let mut schemas: Vec<SchemaRef> = Vec::new();
        for schema in good.iter().flat_map(|part| &part.schemas) {
            if !schemas.iter().any(|known| Arc::ptr_eq(known, schema) || known == schema) {
                schemas.push(Arc::clone(schema));
            }
        }
        let names = types::all_names(&schemas);
        let schema = types::answer_schema(&schemas, &names);
        let schema = schema.unwrap_or_else(|_| Arc::new(Schema::empty()));
        Ok(Self { parts: good, schema, errors, is_last })
    }

    /// The path of a file, by its place.
    pub fn path(&self, file: usize) -> Option<&Path> {
        self.parts.get(file).map(|part| part.path.as_path())
    }

    /// The name of a file in the workspace, by its place.
    pub fn name(&self, file: usize) -> Option<&str> {
        self.parts.get(file).map(|part| part.name.as_str())
    }

    /// How files are read for an answer of these columns, whose chunks are checked, within the current thread pool.
    ///
    /// Fails with the error of a file that vanished since it was listed, unless the plan is the last, when it is one
    /// of the errors.
    pub fn reading(&self, answer: &Schema) -> Result<Reading> {
        let mut verdicts: Vec<(SchemaRef, Option<Vec<String>>)> = Vec::new();
        let mut reading = Reading::default();
        let (mut plain, mut paths) = (Vec::new(), Vec::new());
        for (file, part) in self.parts.iter().enumerate() {
            // Whatever columns are asked for, so that a filter finds the same rows.
            let (Some(_), [schema], None, true) =
                (part.rows, &part.schemas[..], &part.hidden, part.are_known)
            else {
                reading.converted.push(file);
                continue;
            };
            let verdict = match verdicts.iter().position(|(known, _)| Arc::ptr_eq(known, schema)) {
                Some(verdict) => verdict,
                None => {
                    verdicts.push((Arc::clone(schema), readable(schema, answer)));
                    verdicts.len() - 1
                }
            };
            // Without any column nothing would say how many rows there are.
            if verdicts[verdict].1.as_ref().is_some_and(|columns| !columns.is_empty()) {
                plain.push((file, verdict));
                paths.push(part.path.clone());
            } else {
                reading.converted.push(file);
            }
        }
        let columns: Vec<String> = answer.fields().iter().map(|field| field.name().clone()).collect();
        let mut groups: Vec<Group> = verdicts.iter().map(|_| Group::default()).collect();
        for ((file, verdict), checked) in plain.into_iter().zip(check_files(&paths, Some(&columns))) {
            match checked {
                Ok(Readers::All) => {
                    groups[verdict].files.push(file);
                    groups[verdict].rows += self.parts[file].rows.unwrap_or_default();
                }
                Ok(Readers::InBatches(_)) => reading.converted.push(file),
                Err(error) if FileError::is_vanished(&error) && !self.is_last => return Err(error),
                Err(error) => reading.errors.push(FileError::new(&self.parts[file].name, &error)),
            }
        }
        for (group, (_, columns)) in groups.iter_mut().zip(verdicts) {
            group.columns = columns.unwrap_or_default();
        }
        groups.retain(|group| !group.files.is_empty());
        reading.groups = groups;
        Ok(reading)
    }

    /// The rows of one file in the columns of an answer, a few at a time.
    pub fn stream(&self, file: usize, answer: SchemaRef) -> Option<Stream> {
        let part = self.parts.get(file)?.clone();
        Some(Stream {
            part,
            answer,
            place: Place::Begin,
            waiting: VecDeque::new(),
            lost: Vec::new(),
            failed: Vec::new(),
        })
    }
}

/// The columns of an answer that a file has, where another reader reads all of the file as the answer says.
fn readable(schema: &Schema, answer: &Schema) -> Option<Vec<String>> {
    let mut columns = Vec::new();
    for field in schema.fields() {
        let kind = field.data_type();
        let wanted = answer.field_with_name(field.name()).ok();
        // A reader looks at the types of all columns, whether they are asked for or not.
        let shown = types::shown(kind);
        if !types::reads_as(kind, wanted.map_or(&shown, |wanted| wanted.data_type())) {
            return None;
        }
        columns.extend(wanted.map(|wanted| wanted.name().clone()));
    }
    Some(columns)
}

/// What was read of a footer, for as long as the file's stat is unchanged.
type Remembered = HashMap<PathBuf, (Identity, Read)>;

/// The columns of a file, its rows, and whether all readers know its values.
type Read = (SchemaRef, u64, bool);

static PARTS: Mutex<Option<Remembered>> = Mutex::new(None);
/// Schemas by the hash of what the footer says of them: files of one writer share theirs.
static SCHEMAS: Mutex<Option<HashMap<(u64, u64), SchemaRef>>> = Mutex::new(None);

impl Part {
    fn of(root: &Path, name: &str, hidden: Option<Arc<Hidden>>, tails: &mut TailReader) -> Result<Self> {
        let path = files::path_of(root, name);
        if file_names::is_journal(name) {
            let journal = Journal::open(&path)?;
            let metadata = journal.file.metadata().map_err(|error| Error::io(&path, error))?;
            let identity = stat::identity(&metadata);
            let listed = super::file_snapshot::FileSnapshot {
                name: name.to_owned(),
                path,
                identity,
                seen_at: 0,
                hidden: None,
            };
            let schemas = schemas_of(&listed)?;
            schemas
                .iter()
                .try_for_each(|schema| types::check(schema))
                .map_err(|error| error.at(&listed.path))?;
            let (name, path) = (listed.name, listed.path);
            return Ok(Self { name, path, identity, schemas, rows: None, are_known: false, hidden });
        }
        let metadata = stat::metadata(&path).map_err(|error| Error::io(&path, error))?;
        let identity = stat::identity(&metadata);
        let of = |(schema, rows, are_known): Read, path: PathBuf| Self {
            name: name.to_owned(),
            path,
            identity,
            schemas: vec![schema],
            rows: Some(rows),
            are_known,
            hidden,
        };
        if let Some(read) = remembered(&path, identity) {
            return Ok(of(read, path));
        }
        let file = open_same(&path, identity)?;
        let tail = tails.read_file(&file).map_err(|error| error.at(&path))?;
        let read = || {
            let footer = tail.footer()?;
            // A decoder believes a footer that contradicts itself and reads other numbers than were written.
            let layout = footer.layout()?;
            let written = footer.get("ARROW:schema").unwrap_or_default();
            let key = (footer.schema_fingerprint(), XxHash3_64::oneshot(written.as_bytes()));
            let known = shared(|schemas| schemas.get(&key).cloned()).flatten();
            let schema = match known {
                Some(schema) => schema,
                None => {
                    let schema = guarded("the schema", || batches::schema_of_open(&file))?;
                    shared(|schemas| {
                        if schemas.len() > REMEMBERED {
                            schemas.clear();
                        }
                        Arc::clone(schemas.entry(key).or_insert_with(|| Arc::clone(&schema)))
                    })
                    .unwrap_or(schema)
                }
            };
            types::check(&schema)?;
            let are_known = are_known(&schema, &layout);
            Ok((schema, footer.num_rows, are_known))
        };
        let read = read().map_err(|error: Error| error.at(&path))?;
        remember(&path, identity, &read);
        Ok(of(read, path))
    }
}

fn shared<T>(work: impl FnOnce(&mut HashMap<(u64, u64), SchemaRef>) -> T) -> Option<T> {
    // A fork may have left the lock taken for good: then nothing is kept.
    let mut schemas = SCHEMAS.try_lock().ok()?;
    Some(work(schemas.get_or_insert_default()))
}

fn remembered(path: &Path, identity: Identity) -> Option<Read> {
    let parts = PARTS.try_lock().ok()?;
    let (of, read) = parts.as_ref()?.get(path)?;
    (*of == identity).then(|| read.clone())
}

fn remember(path: &Path, identity: Identity, read: &Read) {
    // A younger file may be edited again without its stat telling.
    if identity.settled_at(now_ns())
        && let Ok(mut parts) = PARTS.try_lock()
    {
        let parts = parts.get_or_insert_default();
        if parts.len() >= REMEMBERED {
            parts.clear();
        }
        parts.insert(path.to_path_buf(), (identity, read.clone()));
    }
}

/// Where a stream goes on.
enum Place {
    Begin,
    /// At a row group.
    Group(Arc<Source>, usize),
    /// At a frame.
    Frame(Box<Journal>, Position),
    End,
}

/// The rows of one file in the columns of an answer.
pub struct Stream {
    part: Part,
    answer: SchemaRef,
    place: Place,
    waiting: VecDeque<RecordBatch>,
    lost: Vec<Lost>,
    /// What cannot be read of it.
    failed: Vec<FileError>,
}

impl Stream {
    /// What is wrong with the file, and which values did not convert, so far.
    pub fn errors(&self) -> Vec<FileError> {
        let lost = self.lost.iter().map(|lost| FileError::new(&self.part.name, &lost.error()));
        self.failed.iter().cloned().chain(lost).collect()
    }

    /// The next rows; `None` after the last ones.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let next = self.read_on().map_err(|error| error.at(&self.part.path));
        next.inspect_err(|error| self.failed.insert(0, FileError::new(&self.part.name, error)))
    }

    /// Takes rows of the file, of which the first has this place, as the answer has them.
    fn add(&mut self, batch: &RecordBatch, first: u64) -> Result<()> {
        let (batch, more) = match &self.part.hidden {
            None => conform(batch, &self.answer)?,
            Some(hidden) => conform(&hidden.filter(batch, first)?, &self.answer)?,
        };
        self.waiting.push_back(batch);
        Lost::add(&mut self.lost, more);
        Ok(())
    }

    fn read_on(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.waiting.pop_front() {
                return Ok(Some(batch));
            }
            match std::mem::replace(&mut self.place, Place::End) {
                Place::End => return Ok(None),
                Place::Begin if self.part.rows.is_none() => {
                    let journal = Box::new(Journal::open(&self.part.path)?);
                    let begin = journal.begin();
                    self.place = Place::Frame(journal, begin);
                }
                Place::Begin => {
                    let source = Source::open(&self.part.path, self.part.identity)?;
                    self.place = Place::Group(source, 0);
                }
                Place::Group(source, group) if group < source.groups() => {
                    let answer = Arc::clone(&self.answer);
                    let mut columns: Vec<&str> =
                        answer.fields().iter().map(|field| field.name().as_str()).collect();
                    if self.part.hidden.is_some() && !columns.contains(&RESULT) {
                        columns.push(RESULT);
                    }
                    let mut first = source.starts[group];
                    source.read_group(group, &columns, &mut |batch| {
                        self.add(batch, first)?;
                        first += batch.num_rows() as u64;
                        Ok(())
                    })?;
                    self.place = Place::Group(source, group + 1);
                }
                Place::Group(..) => {}
                Place::Frame(journal, place) => {
                    let mut frames = journal.frames(place);
                    let mut bytes = 0;
                    while bytes < AT_ONCE
                        && let Some((kind, _)) = frames.advance()?
                    {
                        if kind != Kind::Rows {
                            continue;
                        }
                        bytes += frames.payload().len();
                        // All of a journal is one part.
                        for batch in ipc::decode(frames.payload())? {
                            self.add(&batch, 0)?;
                        }
                    }
                    let next = (bytes >= AT_ONCE).then(|| frames.at());
                    if let Some(damage) = journal.damage(&frames.finish()) {
                        self.failed.push(FileError::new(&self.part.name, &damage));
                    }
                    if let Some(next) = next {
                        self.place = Place::Frame(journal, next);
                    }
                }
            }
        }
    }
}
