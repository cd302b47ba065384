//! One writer of predictions: rows wait, are flushed into its journal, and are sealed when it closes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use foldhash::fast::FixedState;
use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::arrays::{self, ROLES, Values};
use super::mappings::{Cell, Table};
use super::seal::{self, Outcome};
use crate::base::content::random_hex;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::file_names::Name;
use crate::base::normal::same_name;
use crate::base::progress::Progress;
use crate::decode::value_sizes;
use crate::fs::{atomic, platform};
use crate::segment::journal::{Appender, Cut, Header, Kind, append};
use crate::segment::{checkpoint, ipc};
use crate::summary::tally::Tally;
use crate::summary::{Accumulator, Datasets, add_batches};
use crate::types::{rows, schema};

/// Hashes are their own best hash.
type FastSet<T> = HashSet<T, FixedState>;

/// Rows of one frame: few enough that those of a large flush are encoded in parallel.
const FRAME_ROWS: usize = 4_096;
/// Bytes of mappings or arrays that become a batch, whatever waits longer.
const STAGED_BYTES: usize = 512 << 20;

/// When what waits is flushed without being asked, and how durably.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether a flush waits until the disk has it.
    pub is_durable: bool,
    /// Rows that wait at most.
    pub rows: usize,
    /// Bytes that wait at most, about.
    pub bytes: usize,
    /// How long a row waits at most, looked at whenever another one comes.
    pub age: Duration,
}

/// What the files of a writer are named after, and the id of its first journal.
#[derive(Clone, Debug)]
pub struct Given {
    /// 12 hexadecimal digits.
    pub writer: String,
    /// 32 hexadecimal digits.
    pub journal: String,
}

/// A journal and what was counted into it.
struct Open {
    name: Name,
    appender: Appender,
    summary: Datasets,
    arrays: FastSet<u128>,
    /// Results that were checkpointed here, whose rows may lie in earlier journals of this writer.
    finished: HashSet<String>,
    is_synced: bool,
}

/// Batches of rows and arrays that are not yet in a journal.
#[derive(Default)]
struct Waiting {
    batches: Vec<RecordBatch>,
    arrays: arrays::Waiting,
    array_batches: Vec<RecordBatch>,
    new_arrays: FastSet<u128>,
    summary: Accumulator,
    rows: usize,
    bytes: usize,
    since: Option<Instant>,
}

/// Writes the predictions of one run on one dataset; nobody else writes its files.
pub struct Writer {
    root: PathBuf,
    folder: String,
    dataset: String,
    options: Options,
    /// Of the first journal; later ones are its successors.
    name: Name,
    current: Option<Open>,
    /// Journals that failed, oldest first: still locked, sealed with the rest.
    failed: Vec<Open>,
    /// Mappings that are not yet a batch; it knows the types of extra columns.
    table: Table,
    waiting: Waiting,
    /// Hashes of the ids that the caller gave.
    ids: FastSet<u64>,
    made_ids: u64,
    /// Rows of results that are not yet checkpointed.
    unfinished: HashMap<String, Accumulator>,
    acknowledged: u64,
    is_dead: bool,
}

impl Writer {
    /// Opens a writer with a journal of its own in `predictions/<folder>/`.
    pub fn open(root: &Path, run_id: &str, dataset: &str, folder: &str, options: Options) -> Result<Self> {
        let given = Given { writer: random_hex(12)?, journal: random_hex(32)? };
        Self::open_as(root, run_id, dataset, folder, options, given)
    }

    /// The same with names that the caller made of what will be written.
    pub fn open_as(
        root: &Path,
        run_id: &str,
        dataset: &str,
        folder: &str,
        options: Options,
        given: Given,
    ) -> Result<Self> {
        let name = Name { run_id: run_id.to_owned(), writer: given.writer };
        if Name::of(&name.journal()).is_none_or(|other| other != name || name.is_compaction()) {
            let message = format!("a writer has 12 hexadecimal digits, unlike {:?}", name.writer);
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let mut writer = Self {
            root: root.to_path_buf(),
            folder: folder.to_owned(),
            dataset: dataset.to_owned(),
            options,
            name: name.clone(),
            current: None,
            failed: Vec::new(),
            table: Table::default(),
            waiting: Waiting::default(),
            ids: FastSet::default(),
            made_ids: 0,
            unfinished: HashMap::new(),
            acknowledged: 0,
            is_dead: false,
        };
        atomic::make_folder(&writer.predictions())?;
        let header = Header::with_id(given.journal, dataset, None)?;
        writer.current = Some(writer.begin(name, header)?);
        Ok(writer)
    }

    fn predictions(&self) -> PathBuf {
        self.root.join("predictions").join(&self.folder)
    }

    fn begin(&self, name: Name, header: Header) -> Result<Open> {
        let path = self.predictions().join(name.journal());
        let appender = Appender::create(&path, header)?;
        Ok(Open {
            name,
            appender,
            summary: Datasets::new(),
            arrays: FastSet::default(),
            finished: HashSet::new(),
            is_synced: false,
        })
    }

    /// What its files are named after.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The journal that is written now, or was last.
    pub fn path(&self) -> Option<&Path> {
        self.current.as_ref().or(self.failed.last()).map(|open| open.appender.path.as_path())
    }

    /// Rows that are in the journal, and rows that wait.
    pub fn progress(&self) -> (u64, u64) {
        (self.acknowledged, (self.waiting.rows + self.table.rows()) as u64)
    }

    fn check(&self) -> Result<()> {
        if self.is_dead {
            let message =
                "this writer was closed or declared dead; what was acknowledged is kept, start a new writer";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        Ok(())
    }

    /// Adds one row, with arrays by their place in [`ROLES`], and says whether it is time to flush; a row
    /// that does not fit changes nothing.
    pub fn write(&mut self, row: Vec<(Cow<'_, str>, Cell<'_>)>, found: Vec<(usize, Values)>) -> Result<bool> {
        self.check()?;
        for (name, cell) in &row {
            if let Cell::Text(text) = cell {
                value_sizes::check_value(name, text.len())?;
            }
        }
        for (role, values) in &found {
            value_sizes::check_value(ROLES[*role].0, values.bytes())?;
        }
        if self.table.bytes().max(self.waiting.arrays.bytes()) >= STAGED_BYTES {
            self.stage()?;
        }
        let mut cells = row;
        for (name, cell) in &mut cells {
            if ["id", "run_id", "dataset_name", "result_id"].contains(&&**name) {
                *cell = std::mem::replace(cell, Cell::Null).as_text(name)?;
            }
        }
        let text = |cells: &[(Cow<'_, str>, Cell<'_>)], column: &str| {
            cells.iter().find_map(|(name, cell)| match cell {
                Cell::Text(text) if name == column => Some(text.clone().into_owned()),
                _ => None,
            })
        };
        if let Some((_, Cell::Text(name))) = cells.iter_mut().find(|(column, _)| column == "dataset_name")
            && same_name(name, &self.dataset)
        {
            *name = Cow::Owned(self.dataset.clone());
        }
        for (column, expected) in [("run_id", self.name.run_id.as_str()), ("dataset_name", &self.dataset)] {
            match text(&cells, column) {
                Some(given) if given != expected => return Err(of_another(column, &given, expected)),
                Some(_) => {}
                None => cells.push((Cow::Borrowed(column), Cell::Text(Cow::Owned(expected.to_owned())))),
            }
        }
        if let Some(result) = text(&cells, "result_id") {
            self.check_unfinished(&result)?;
        }
        let given = text(&cells, "id");
        let id = given.clone().unwrap_or_else(|| self.next_id());
        if given.is_some() && !self.ids.insert(hash(&id)) {
            return Err(repeated(&id));
        }
        cells.retain(|(name, cell)| !(name == "id" || name == "created_at" && matches!(cell, Cell::Null)));
        cells.push((Cow::Borrowed("id"), Cell::Text(Cow::Borrowed(&id))));
        if !cells.iter().any(|(name, _)| name == "created_at") {
            cells.push((Cow::Borrowed("created_at"), Cell::Time(now())));
        }
        let found: Vec<_> = found.into_iter().map(|(role, values)| (role, values.hash(), values)).collect();
        for (role, hash, _) in &found {
            // An array says more than an id that a row of elsewhere carries beside it.
            cells.retain(|(name, _)| *name != ROLES[*role].1);
            cells.push((Cow::Borrowed(ROLES[*role].1), Cell::Text(Cow::Owned(arrays::id_of(hash)))));
        }
        if let Err(error) = self.table.push(cells.into_iter()) {
            if given.is_some() {
                self.ids.remove(&hash(&id));
            }
            return Err(error);
        }
        for (role, hash, values) in &found {
            self.add_array(hash, values, ROLES[*role].2);
        }
        Ok(self.is_due())
    }

    fn next_id(&mut self) -> String {
        self.made_ids += 1;
        format!("{}{:08x}", self.name.writer, self.made_ids - 1)
    }

    fn add_array(&mut self, hash: &blake3::Hash, values: &Values, array_type: &str) {
        let key = key_of(hash);
        let is_stored = self.current.as_ref().is_some_and(|open| open.arrays.contains(&key));
        if !is_stored && self.waiting.new_arrays.insert(key) {
            self.waiting.arrays.push(hash, values, array_type);
        }
    }

    /// Stores arrays, each once per content, and returns their ids.
    pub fn write_arrays(&mut self, batches: &[RecordBatch]) -> Result<Vec<String>> {
        self.check()?;
        let mut ids = Vec::new();
        let found = arrays::of_batches(batches)?;
        found.iter().try_for_each(|(values, _)| value_sizes::check_value("array_data", values.bytes()))?;
        for (values, array_type) in found {
            let hash = values.hash();
            self.add_array(&hash, &values, &array_type);
            ids.push(arrays::id_of(&hash));
            if self.waiting.arrays.bytes() >= self.options.bytes.min(STAGED_BYTES) {
                self.commit(None)?;
            }
        }
        Ok(ids)
    }

    /// Rows of a result come before its checkpoint.
    fn check_unfinished(&self, result: &str) -> Result<()> {
        let all = self.failed.iter().chain(&self.current);
        if all.into_iter().any(|open| open.finished.contains(result)) {
            let message =
                format!("result {result:?} was checkpointed already; its rows come before its checkpoint");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        Ok(())
    }

    /// Adds the rows of batches with one schema, all or none, and says whether it is time to flush.
    pub fn write_batches(&mut self, batches: &[RecordBatch]) -> Result<bool> {
        self.check()?;
        batches.iter().try_for_each(value_sizes::check_batch)?;
        let pieces =
            batches.iter().filter(|batch| batch.num_rows() > 0).flat_map(value_sizes::pieces_to_convert);
        let batches = pieces.map(|batch| rows::complete(&batch));
        let batches = batches.collect::<Result<Vec<_>>>()?;
        batches.iter().try_for_each(|batch| self.check_batch(batch))?;
        if batches.is_empty() {
            return Ok(false);
        }
        batches.iter().try_for_each(|batch| self.table.check(batch))?;
        self.take_ids(&batches)?;
        batches.iter().for_each(|batch| self.table.admit(batch));
        self.stage()?;
        for batch in batches {
            let batch = self.filled(&batch)?;
            self.count(&batch)?;
            self.waiting.bytes += batch.get_array_memory_size();
            self.waiting.rows += batch.num_rows();
            self.waiting.batches.push(batch);
        }
        Ok(self.is_due())
    }

    fn check_batch(&self, batch: &RecordBatch) -> Result<()> {
        for (column, expected) in [("run_id", self.name.run_id.as_str()), ("dataset_name", &self.dataset)] {
            let values = texts(batch, column);
            let is_other =
                |value: &&str| *value != expected && (column == "run_id" || !same_name(value, expected));
            if let Some(other) = values.iter().flatten().find(is_other) {
                return Err(of_another(column, other, expected));
            }
        }
        for result in runs_of(texts(batch, "result_id")).filter_map(|(result, _, _)| result) {
            self.check_unfinished(result)?;
        }
        Ok(())
    }

    /// Takes note of the ids of batches, or of none where one is repeated.
    fn take_ids(&mut self, batches: &[RecordBatch]) -> Result<()> {
        let ids = || batches.iter().flat_map(|batch| texts(batch, "id").iter().flatten());
        for (place, id) in ids().enumerate() {
            if !self.ids.insert(hash(id)) {
                for id in ids().take(place) {
                    self.ids.remove(&hash(id));
                }
                return Err(repeated(id));
            }
        }
        Ok(())
    }

    /// The batch with ids, times, run and dataset where they are missing.
    fn filled(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        let now = now();
        for (place, (column, _)) in schema::COLUMNS.iter().enumerate() {
            if *column == "dataset_name" && !self.dataset.is_ascii() {
                // Also where it is there, but in another normal form.
                columns[place] = Arc::new(StringArray::from(vec![self.dataset.as_str(); batch.num_rows()]));
            }
            if columns[place].null_count() == 0 {
                continue;
            }
            let fill = |value: &str| -> ArrayRef {
                Arc::new(
                    texts(batch, column)
                        .iter()
                        .map(|text| Some(text.unwrap_or(value)))
                        .collect::<StringArray>(),
                )
            };
            match *column {
                "run_id" => columns[place] = fill(&self.name.run_id),
                "dataset_name" => columns[place] = fill(&self.dataset),
                "id" => {
                    let ids = texts(batch, column).iter();
                    let ids: Vec<String> =
                        ids.map(|id| id.map_or_else(|| self.next_id(), str::to_owned)).collect();
                    columns[place] = Arc::new(StringArray::from(ids));
                }
                "created_at" => {
                    let times = columns[place].as_primitive::<TimestampMicrosecondType>();
                    let filled: TimestampMicrosecondArray =
                        times.iter().map(|time| time.or(Some(now))).collect();
                    columns[place] = Arc::new(filled.with_timezone("UTC"));
                }
                _ => {}
            }
        }
        RecordBatch::try_new(batch.schema(), columns)
            .map_err(|error| Error::new(ErrorKind::Argument, error.to_string()))
    }

    /// Makes a batch of the mappings that wait.
    fn stage(&mut self) -> Result<()> {
        if let Some(batch) = self.table.take()? {
            self.count(&batch)?;
            self.waiting.bytes += batch.get_array_memory_size();
            self.waiting.rows += batch.num_rows();
            self.waiting.batches.push(batch);
        }
        self.waiting.bytes += self.waiting.arrays.bytes();
        self.waiting.array_batches.extend(self.waiting.arrays.take()?);
        Ok(())
    }

    fn count(&mut self, batch: &RecordBatch) -> Result<()> {
        add_batches(&mut self.waiting.summary, std::slice::from_ref(batch))?;
        for (result, start, length) in runs_of(texts(batch, "result_id")) {
            if let Some(result) = result {
                let tally = self.unfinished.entry(result.to_owned()).or_insert_with(|| Accumulator::new(1));
                add_batches(tally, &[batch.slice(start, length)])?;
            }
        }
        Ok(())
    }

    fn is_due(&mut self) -> bool {
        let since = *self.waiting.since.get_or_insert_with(Instant::now);
        let Waiting { rows, bytes, arrays, .. } = &self.waiting;
        rows + self.table.rows() >= self.options.rows
            || bytes + self.table.bytes() + arrays.bytes() >= self.options.bytes
            || since.elapsed() >= self.options.age
    }

    /// Appends what waits to the journal and makes it durable: when this returns, it survives.
    ///
    /// After an error nothing that waits is lost: the next flush writes it to a fresh journal.
    pub fn flush(&mut self) -> Result<()> {
        self.commit(None)
    }

    /// Appends what waits and a finished result, as one piece: the commit point of that result.
    ///
    /// What no reader could read of it is refused before anything is appended: rows wait, and the result can be
    /// checkpointed again.
    pub fn checkpoint(&mut self, result_id: &str, result: &str) -> Result<()> {
        self.check_unfinished(result_id)?;
        checkpoint::check(result)?;
        self.commit(Some((result_id, result)))
    }

    /// What the rows of a result say, those that wait among them.
    pub fn tally(&mut self, result_id: &str) -> Result<Tally> {
        self.stage()?;
        Ok(self.unfinished.get(result_id).map(Tally::of).unwrap_or_default())
    }

    fn commit(&mut self, result: Option<(&str, &str)>) -> Result<()> {
        self.check()?;
        self.stage()?;
        let mut frames = Vec::new();
        for batch in &self.waiting.array_batches {
            frames.push((Kind::Arrays, ipc::encode(batch)?));
        }
        let pieces: Vec<RecordBatch> = self.waiting.batches.iter().flat_map(pieces).collect();
        let encoded: Vec<Result<Vec<u8>>> = match &pieces[..] {
            [only] => vec![ipc::encode(only)],
            several => several.par_iter().map(ipc::encode).collect(),
        };
        for payload in encoded {
            frames.push((Kind::Rows, payload?));
        }
        frames.extend(result.map(|(_, text)| (Kind::Checkpoint, text.as_bytes().to_vec())));
        let mut open = match self.current.take() {
            Some(open) => open,
            None => self.go_on()?,
        };
        let is_durable = self.options.is_durable;
        match append(&mut open, &frames, is_durable, &self.predictions()) {
            Ok(()) => {}
            Err(error) => {
                open.appender.cut_back();
                self.is_dead = error.kind == ErrorKind::Conflict;
                self.failed.push(open);
                return Err(error);
            }
        }
        let Waiting { summary, rows, new_arrays, .. } = std::mem::take(&mut self.waiting);
        open.summary.entry(self.dataset.clone()).or_default().merge(&summary);
        open.arrays.extend(new_arrays);
        self.acknowledged += rows as u64;
        if let Some((id, _)) = result {
            open.finished.insert(id.to_owned());
            self.unfinished.remove(id);
        }
        self.current = Some(open);
        Ok(())
    }

    /// A fresh journal after one that failed.
    fn go_on(&self) -> Result<Open> {
        let Some(last) = self.failed.last() else {
            return self.begin(self.name.clone(), Header::new(&self.dataset, None)?);
        };
        let cut =
            Cut { journal: last.appender.header.journal.clone(), length: last.appender.position.offset };
        self.begin(last.name.successor(), Header::new(&self.dataset, Some(cut))?)
    }

    /// Flushes what waits and seals what was flushed; the writer is of no use afterwards.
    ///
    /// Rows of results that were never checkpointed are sealed apart, as a partial segment. After an
    /// error the journal is as it was, and closing can be tried again.
    pub fn close(&mut self, progress: &Progress) -> Result<Vec<Outcome>> {
        self.check()?;
        self.stage()?;
        if self.waiting.rows > 0 || !self.waiting.array_batches.is_empty() {
            self.flush()?;
        }
        let mut outcomes = Vec::new();
        for open in self.failed.iter().chain(&self.current) {
            if open.appender.position.frames == 0 && !open.appender.path.exists() {
                // It was empty, and went when closing was tried before.
                continue;
            }
            open.appender.check_alive()?;
            // What was counted stands for the rows that count only where all of them do.
            let summary = self.unfinished.is_empty().then_some(&open.summary);
            let journal = &open.appender.path;
            // What the disk still has of them: a result that was lost there is done again.
            let others = self.failed.iter().chain(&self.current).map(|open| &open.appender.path);
            let others = others.filter(|path| *path != journal).map(|path| seal::finished_in(path, progress));
            let finished = others.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
            let outcome = seal::seal(&self.root, &self.folder, journal, &finished, summary, progress)?;
            outcomes.push((journal.clone(), outcome));
        }
        for (journal, _) in outcomes.iter().filter(|(_, outcome)| outcome.reading.is_damaged()) {
            append::keep_corrupt(journal)?;
        }
        let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        self.failed.clear();
        self.current = None;
        self.is_dead = true;
        Ok(outcomes)
    }
}

/// Appends frames and makes them durable, by a writer that nobody declared dead, before and after.
fn append(open: &mut Open, frames: &[(Kind, Vec<u8>)], is_durable: bool, folder: &Path) -> Result<()> {
    open.appender.check_alive()?;
    if frames.is_empty() {
        return Ok(());
    }
    let position = open.appender.append(frames)?;
    if is_durable {
        let path = &open.appender.path;
        open.appender.file.sync_data().map_err(|error| Error::io(path, error))?;
        if !open.is_synced {
            // The journal's name, and the folder's: whoever made it may not have come so far.
            for folder in [folder, folder.parent().unwrap_or(folder)] {
                platform::sync_folder(folder).map_err(|error| Error::io(folder, error))?;
            }
            open.is_synced = true;
        }
    }
    open.appender.check_alive()?;
    open.appender.position = position;
    Ok(())
}

fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    let starts = (0..batch.num_rows()).step_by(FRAME_ROWS);
    let frames = starts.map(|start| batch.slice(start, FRAME_ROWS.min(batch.num_rows() - start)));
    frames.flat_map(value_sizes::pieces_to_store)
}

fn key_of(hash: &blake3::Hash) -> u128 {
    let bytes = hash.as_bytes();
    bytes[..12].iter().fold(0, |key, &byte| key << 8 | u128::from(byte))
}

fn hash(id: &str) -> u64 {
    XxHash3_64::oneshot(id.as_bytes())
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

fn texts<'a>(batch: &'a RecordBatch, column: &str) -> &'a StringArray {
    let place = schema::COLUMNS.iter().position(|(name, _)| *name == column).unwrap_or_default();
    batch.column(place).as_string()
}

/// Equal neighbours of a column, each with its first row and their number.
fn runs_of(values: &StringArray) -> impl Iterator<Item = (Option<&str>, usize, usize)> {
    let value = |row: usize| values.is_valid(row).then(|| values.value(row));
    let mut start = 0;
    std::iter::from_fn(move || {
        if start == values.len() {
            return None;
        }
        if values.null_count() == values.len() {
            start = values.len();
            return Some((None, 0, start));
        }
        let first = value(start);
        let length = (start..values.len()).take_while(|&row| value(row) == first).count();
        start += length;
        Some((first, start - length, length))
    })
}

fn of_another(column: &str, given: &str, expected: &str) -> Error {
    let message = format!("{column} is {given:?}, and this writer writes {expected:?}; open a writer for it");
    Error::new(ErrorKind::Argument, message)
}

fn repeated(id: &str) -> Error {
    let message =
        format!("id {id:?} was written already; ids are unique within a run, leave it out to have one made");
    Error::new(ErrorKind::Argument, message)
}
