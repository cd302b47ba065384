//! One writer of predictions: rows wait, are flushed into its journal, and are sealed when it closes.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use foldhash::fast::FixedState;
use rayon::prelude::*;

use super::arrays;
use super::first_seen::FirstSeen;
use super::mappings::Table;
use super::planned::Planned;
use super::seal::{self, Outcome};
use crate::base::content::random_hex;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::file_names::Name;
use crate::base::progress::Progress;
use crate::decode::value_sizes;
use crate::fs::{atomic, platform};
use crate::segment::journal::{self, Appender, Cut, Header, Kind};
use crate::segment::{ipc, stored_result};
use crate::summary::result_stats::{ResultRows, ResultStats};
use crate::summary::{Accumulator, Datasets};

/// Hashes are their own best hash.
type FastSet<T> = HashSet<T, FixedState>;

/// Rows of one frame: few enough that those of a large flush are encoded in parallel.
const FRAME_ROWS: usize = 4_096;

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
pub(super) struct Open {
    pub(super) name: Name,
    appender: Appender,
    pub(super) summary: Datasets,
    pub(super) arrays: FastSet<u128>,
    /// Results that were checkpointed here, whose rows may lie in earlier journals of this writer.
    pub(super) finished: HashSet<String>,
    is_synced: bool,
}

/// Batches of rows and arrays that are not yet in a journal.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) arrays: arrays::Waiting,
    pub(super) array_batches: Vec<RecordBatch>,
    pub(super) new_arrays: FastSet<u128>,
    pub(super) summary: Accumulator,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) since: Option<Instant>,
}

/// Writes the predictions of one run on one dataset; no other writer touches its files.
pub struct Writer {
    pub(super) root: PathBuf,
    pub(super) folder: String,
    pub(super) dataset: String,
    pub(super) options: Options,
    /// Of the first journal; later ones are its successors.
    pub(super) name: Name,
    pub(super) current: Option<Open>,
    /// Journals that failed, oldest first: still locked, sealed with the rest.
    pub(super) failed: Vec<Open>,
    /// Mappings that are not yet a batch; it knows the types of extra columns.
    pub(super) table: Table,
    pub(super) waiting: Waiting,
    /// Hashes of the ids that the caller gave.
    pub(super) ids: FastSet<u64>,
    pub(super) made_ids: u64,
    /// Rows of results that are not yet checkpointed.
    pub(super) unfinished: HashMap<String, ResultRows>,
    /// What rows take from their results.
    pub planned: Planned,
    pub(super) acknowledged: u64,
    is_dead: bool,
}

impl Writer {
    /// Opens a writer with a journal of its own in `predictions/<folder>/`.
    pub fn open(root: &Path, run_id: &str, dataset: &str, folder: &str, options: Options) -> Result<Self> {
        let given = Given { writer: random_hex(12)?, journal: random_hex(32)? };
        Self::open_as(root, run_id, dataset, folder, options, given)
    }

    /// Opens a writer whose names the caller made of what will be written.
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
            planned: Planned::default(),
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

    /// What the rows had for the first time.
    pub fn seen(&mut self) -> &mut FirstSeen {
        &mut self.table.seen
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.is_dead {
            let message =
                "this writer was closed or declared dead; what was acknowledged is kept, start a new writer";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        Ok(())
    }

    /// Appends what waits to the journal and makes it durable: when this returns, it survives.
    ///
    /// After an error nothing that waits is lost: the next flush writes it to a fresh journal.
    pub fn flush(&mut self) -> Result<()> {
        self.commit(&[])
    }

    /// Appends what waits and finished results, each with its id, as one piece: their commit point.
    ///
    /// What no reader could read of one is refused before anything is appended: rows wait, and the results can
    /// be checkpointed again.
    pub fn checkpoint(&mut self, results: &[(&str, &str)]) -> Result<()> {
        for (place, (id, result)) in results.iter().enumerate() {
            self.check_unfinished(id)?;
            if results[..place].iter().any(|(other, _)| other == id) {
                return Err(Error::new(ErrorKind::Argument, format!("result {id:?} is given twice")));
            }
            stored_result::check(result)?;
        }
        self.commit(results)
    }

    /// What the rows of a result say, those that wait among them, by a metric; without one by that of most.
    pub fn result_stats(&mut self, result_id: &str, metric: Option<&str>) -> Result<ResultStats> {
        self.stage()?;
        let stats = |rows: &ResultRows| match metric {
            Some(metric) => rows.stats_by(Some(metric)),
            None => rows.stats(),
        };
        Ok(self.unfinished.get(result_id).map(stats).unwrap_or_default())
    }

    pub(crate) fn commit(&mut self, results: &[(&str, &str)]) -> Result<()> {
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
        frames.extend(results.iter().map(|(_, text)| (Kind::Checkpoint, text.as_bytes().to_vec())));
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
        for &(id, _) in results {
            open.finished.insert(id.to_owned());
            self.unfinished.remove(id);
            self.planned.forget(id);
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
            journal::keep_corrupt(journal)?;
        }
        let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        self.failed.clear();
        self.current = None;
        self.is_dead = true;
        Ok(outcomes)
    }
}

/// Appends frames and makes them durable, by a writer that was not declared dead, before and after.
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
            // The journal's name, and the folder's: its maker may not have come so far.
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
