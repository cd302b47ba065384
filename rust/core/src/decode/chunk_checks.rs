//! Column chunks are checked before they are decoded: their checksums, where the footer has them, and what the
//! headers of their pages announce.
//!
//! What was found is remembered for each state of a file, so that a process checks a chunk once.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::chunk_sums::{Sums, compare};
use super::delta_pages;
use super::page_limits::{self, BYTE_ARRAY, ChunkBytes, LANDED_PAGE_BYTES, PAGE_BYTES, Walked};
use super::pages;
use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, Result};
use crate::footer::keys::{JOURNAL_KEY, REPLACES_KEY};
use crate::footer::layout::{Extent, Group, Layout, Leaf};
use crate::footer::{Footer, TailReader};
use crate::fs::stat::{self, Identity};
use crate::fs::{File, platform};

/// Chunks that lie together are read at once up to this length; a longer one is hashed piece by piece.
const RUN_BYTES: u64 = 2 << 20;
/// What is hashed of a long chunk at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Of a longer chunk without a checksum only the headers of its pages are read.
const WHOLE_BYTES: u64 = 128 << 10;
/// Bytes that the texts of a batch take, about, where they may be longer than they look in the file.
const TEXT_BYTES: u64 = 256 << 20;
/// Texts of a row group up to which a segment of this package is read in batches of any length.
const GROUP_TEXT_BYTES: u64 = 1 << 30;
/// Bytes of what is remembered of files, about.
const REMEMBERED_BYTES: usize = 32 << 20;

/// A column chunk, by the numbers of its row group and its leaf.
pub type Place = (usize, usize);

/// What is known of the column chunks of a file in one state.
pub struct FileChecks {
    leaves: Arc<[Leaf]>,
    groups: Vec<Group>,
    page_index: Extent,
    sums: Option<Sums>,
    page_limit: u64,
    /// What the pages of each chunk that was checked can become, row group by row group.
    checked: Vec<OnceLock<Walked>>,
    checked_filters: Mutex<HashSet<Place>>,
    checked_index: OnceLock<()>,
}

/// Who may read a file that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Anybody.
    All,
    /// Those who decode a bounded number of rows at a time, for this reason.
    InBatches(String),
}

impl FileChecks {
    /// What is known of a file in this state, whose footer this is.
    pub fn of(path: &Path, identity: Identity, footer: &Footer<'_>) -> Result<Arc<Self>> {
        if let Some(known) = remembered(path, identity) {
            return Ok(known);
        }
        let layout = footer.layout()?;
        let sums = Sums::of(footer, &layout)?;
        let page_index = layout.page_index();
        let Layout { leaves, groups, .. } = layout;
        let chunks = groups.len() * leaves.len();
        let checks = Arc::new(Self {
            leaves: leaves.into(),
            groups,
            page_index,
            sums,
            page_limit: if may_hold_any_text(path, footer) { LANDED_PAGE_BYTES } else { PAGE_BYTES },
            checked: std::iter::repeat_with(OnceLock::new).take(chunks).collect(),
            checked_filters: Mutex::default(),
            checked_index: OnceLock::new(),
        });
        remember(path, identity, &checks);
        Ok(checks)
    }

    /// How many row groups there are.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The rows of a row group.
    pub fn rows(&self, group: usize) -> u64 {
        self.groups[group].rows
    }

    /// Where the pages of a chunk lie.
    pub fn pages(&self, (group, leaf): Place) -> &Extent {
        &self.groups[group].chunks[leaf].pages
    }

    /// How many columns hold values.
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// The name of the column that a leaf is part of.
    pub fn column(&self, leaf: usize) -> &str {
        &self.leaves[leaf].column
    }

    /// The leaves of some columns, or of all.
    pub fn leaves_of(&self, wants: impl Fn(&str) -> bool) -> Vec<usize> {
        let leaves = self.leaves.iter().enumerate();
        leaves.filter(|(_, leaf)| wants(&leaf.column)).map(|(place, _)| place).collect()
    }

    /// The chunks of these leaves in all row groups.
    pub fn places(&self, leaves: &[usize]) -> Vec<Place> {
        (0..self.groups.len()).flat_map(|group| leaves.iter().map(move |&leaf| (group, leaf))).collect()
    }

    /// Checks chunks that were not yet checked, in parallel where this is a thread of a pool.
    pub fn check(&self, file: &File, places: &[Place]) -> Result<()> {
        let mut places: Vec<Place> =
            places.iter().copied().filter(|place| self.state(*place).get().is_none()).collect();
        places.sort_unstable_by_key(|(group, leaf)| self.groups[*group].chunks[*leaf].pages.start);
        let mut runs: Vec<(Extent, Vec<Place>)> = Vec::new();
        for place in places {
            let pages = &self.groups[place.0].chunks[place.1].pages;
            match runs.last_mut() {
                Some((extent, run)) if extent.end == pages.start && pages.end - extent.start <= RUN_BYTES => {
                    extent.end = pages.end;
                    run.push(place);
                }
                _ => runs.push((pages.clone(), vec![place])),
            }
        }
        let check = |(extent, run): &(Extent, Vec<Place>)| self.check_run(file, extent, run);
        if runs.len() > 1 && rayon::current_thread_index().is_some() {
            runs.par_iter().try_for_each(check)
        } else {
            runs.iter().try_for_each(check)
        }
    }

    fn check_run(&self, file: &File, extent: &Extent, run: &[Place]) -> Result<()> {
        let length = extent.end - extent.start;
        if let [only] = run
            && (length > RUN_BYTES || self.sums.is_none() && length > WHOLE_BYTES)
        {
            return self.check_long(file, *only);
        }
        with_buffer(file, extent, |bytes| {
            run.iter().try_for_each(|&(group, leaf)| {
                let pages = &self.groups[group].chunks[leaf].pages;
                let within = (pages.start - extent.start) as usize..(pages.end - extent.start) as usize;
                self.check_bytes(group, leaf, &bytes[within])
            })
        })
        .map_err(|error| self.named(error, run[0]))
    }

    /// Checks a chunk whose bytes were read already.
    pub fn check_bytes(&self, group: usize, leaf: usize, bytes: &[u8]) -> Result<()> {
        if self.state((group, leaf)).get().is_some() {
            return Ok(());
        }
        let check = || {
            if let Some(sum) = self.sums.as_ref().and_then(|sums| sums.chunk(group, leaf)) {
                compare(XxHash3_64::oneshot(bytes), sum)?;
            }
            self.walk(group, leaf, &ChunkBytes::Whole(bytes))
        };
        check().map_err(|error| self.named(error, (group, leaf)))
    }

    fn check_long(&self, file: &File, (group, leaf): Place) -> Result<()> {
        let check = || {
            let pages = &self.groups[group].chunks[leaf].pages;
            if let Some(sum) = self.sums.as_ref().and_then(|sums| sums.chunk(group, leaf)) {
                let mut hasher = XxHash3_64::new();
                for start in pages.clone().step_by(PIECE_BYTES) {
                    let piece = start..pages.end.min(start + PIECE_BYTES as u64);
                    with_buffer(file, &piece, |bytes| {
                        std::hash::Hasher::write(&mut hasher, bytes);
                        Ok(())
                    })?;
                }
                compare(std::hash::Hasher::finish(&hasher), sum)?;
            }
            self.walk(group, leaf, &ChunkBytes::InFile(file, pages.start))
        };
        check().map_err(|error| self.named(error, (group, leaf)))
    }

    fn walk(&self, group: usize, leaf: usize, bytes: &ChunkBytes<'_>) -> Result<()> {
        let Group { rows, chunks } = &self.groups[group];
        let walked = page_limits::walk(bytes, &self.leaves[leaf], &chunks[leaf], *rows, self.page_limit)?;
        if walked.counts_itself {
            delta_pages::check(bytes, &self.leaves[leaf], &chunks[leaf])?;
        }
        self.state((group, leaf)).get_or_init(|| walked);
        Ok(())
    }

    fn state(&self, (group, leaf): Place) -> &OnceLock<Walked> {
        &self.checked[group * self.leaves.len() + leaf]
    }

    /// An error that says which chunk it is of.
    fn named(&self, error: Error, (group, leaf): Place) -> Error {
        if error.kind == ErrorKind::Io || error.message.starts_with("column ") {
            return error;
        }
        let message =
            format!("column {:?} in row group {group}: {}", self.leaves[leaf].column, error.message);
        Error { message, ..error }
    }

    /// Checks the bloom filter of a chunk.
    pub fn check_filter(&self, file: &File, place: Place) -> Result<()> {
        let (group, leaf) = place;
        let Some(sum) = self.sums.as_ref().and_then(|sums| sums.bloom_filter(group, leaf)) else {
            return Ok(());
        };
        let Some(extent) = &self.groups[group].chunks[leaf].bloom_filter else { return Ok(()) };
        let known = || self.checked_filters.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&place) {
            return Ok(());
        }
        let check = |bytes: &[u8]| compare(XxHash3_64::oneshot(bytes), sum);
        with_buffer(file, extent, check).map_err(|error| match error.kind {
            ErrorKind::Io => error,
            _ => {
                self.named(Error { message: format!("the bloom filter: {}", error.message), ..error }, place)
            }
        })?;
        known().insert(place);
        Ok(())
    }

    /// Checks the places of pages.
    pub fn check_index(&self, file: &File) -> Result<()> {
        let Some(sums) = self.sums.as_ref().filter(|_| self.checked_index.get().is_none()) else {
            return Ok(());
        };
        let check = |bytes: &[u8]| compare(XxHash3_64::oneshot(bytes), sums.page_index);
        with_buffer(file, &self.page_index, check).map_err(|error| match error.kind {
            ErrorKind::Io => error,
            _ => Error { message: format!("the page index: {}", error.message), ..error },
        })?;
        self.checked_index.get_or_init(|| ());
        Ok(())
    }

    /// Checks all of a file that can be checked.
    pub fn check_all(&self, file: &File) -> Result<()> {
        let places = self.places(&self.leaves_of(|_| true));
        self.check(file, &places)?;
        places.into_iter().try_for_each(|place| self.check_filter(file, place))?;
        self.check_index(file)
    }

    /// Rows of a batch of these leaves of a row group, which were checked: `most`, or fewer where texts may be
    /// so long that no batch could hold those of so many rows. `coded` are leaves that are read as dictionaries,
    /// in which no text is repeated.
    pub fn batch_rows(
        &self,
        file: &File,
        group: usize,
        leaves: &[usize],
        most: usize,
        coded: &dyn Fn(usize) -> bool,
    ) -> Result<usize> {
        let Group { rows, chunks } = &self.groups[group];
        let mut least = most as u64;
        let by_length = |longest: u64| TEXT_BYTES.checked_div(longest).unwrap_or(u64::MAX);
        for &leaf in leaves.iter().filter(|leaf| self.leaves[**leaf].physical == BYTE_ARRAY) {
            let chunk = &chunks[leaf];
            let walked = self.state((group, leaf)).get().copied().unwrap_or_default();
            let (longest, size) = match chunk.text_bytes {
                // What was counted is right, and one batch can hold it.
                Some(bytes) if self.sums.is_some() && bytes <= GROUP_TEXT_BYTES => (0, bytes),
                _ if coded(leaf) => (walked.shared, chunk.uncompressed),
                _ => {
                    let mut listed = walked.dictionary;
                    if by_length(listed) < least {
                        let bytes = ChunkBytes::InFile(file, chunk.pages.start);
                        listed = pages::longest_in_dictionary(&bytes, &self.leaves[leaf], chunk)
                            .map_err(|error| self.named(error, (group, leaf)))?;
                    }
                    (walked.shared.max(listed), chunk.uncompressed)
                }
            };
            let by_size = (u128::from(TEXT_BYTES) * u128::from(*rows)).checked_div(u128::from(size));
            let by_size = by_size.map_or(u64::MAX, |rows| u64::try_from(rows).unwrap_or(u64::MAX));
            least = least.min(by_length(longest).min(by_size).max(1));
        }
        Ok(usize::try_from(least).unwrap_or(most))
    }

    /// Who may read these leaves, which were checked.
    fn readers(&self, leaves: &[usize]) -> Readers {
        let expanding = self
            .places(leaves)
            .into_iter()
            .find(|place| self.state(*place).get().is_some_and(|walked| walked.is_expanding));
        expanding.map_or(Readers::All, |(group, leaf)| {
            let (column, rows) = (&self.leaves[leaf].column, self.groups[group].rows);
            let bytes = self.groups[group].chunks[leaf].pages.clone();
            Readers::InBatches(format!(
                "column {column:?} in row group {group} has {rows} rows in {} bytes, too many to decode at once",
                bytes.end - bytes.start
            ))
        })
    }

    fn memory(&self) -> usize {
        let chunks = self.groups.len() * self.leaves.len();
        256 + self.leaves.len() * 2 * size_of::<Leaf>()
            + chunks * (size_of::<crate::footer::layout::Chunk>() + size_of::<OnceLock<Walked>>() + 8)
    }
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Hands out some bytes of a file, in memory that is used again.
fn with_buffer<T>(file: &File, extent: &Extent, work: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let missing = || Error::new(ErrorKind::Truncated, "the file ends before what its footer announces");
    let size = file.metadata().map_err(Error::pathless)?.len();
    if extent.end > size {
        return Err(missing());
    }
    let length = usize::try_from(extent.end - extent.start).map_err(|_| missing())?;
    let read = |buffer: &mut Vec<u8>| {
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let count = platform::read_at(file, &mut buffer[..length], extent.start).map_err(Error::pathless)?;
        if count < length { Err(missing()) } else { Ok(()) }
    };
    BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) if length as u64 <= RUN_BYTES => {
            read(&mut buffer)?;
            work(&buffer[..length])
        }
        _ => {
            let mut buffer = Vec::new();
            read(&mut buffer)?;
            work(&buffer)
        }
    })
}

/// Whether this package wrote a file: what earlier versions acknowledged may be of any length.
fn may_hold_any_text(path: &Path, footer: &Footer<'_>) -> bool {
    if !footer.created_by.is_some_and(|name| name.starts_with("parquet-rs ")) {
        return false;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lies_in = |folder: &str, levels: usize| {
        path.ancestors().nth(levels).and_then(Path::file_name).is_some_and(|name| name == folder)
    };
    let is_sealed = footer.get(JOURNAL_KEY).or(footer.get(REPLACES_KEY)).is_some();
    is_sealed && lies_in("predictions", 2)
        || lies_in("arrays", 2) && name.ends_with(".arrays.parquet")
        || lies_in("predictions", 3) && lies_in("partial", 1)
}

/// Checks some columns of files, or all, in parallel within the current thread pool; an error for each file that
/// must not be decoded.
pub fn check_files(files: &[PathBuf], columns: Option<&[String]>) -> Vec<Result<Readers>> {
    let check = |tails: &mut TailReader, path: &PathBuf| {
        check_file(path, columns, tails).map_err(|error| error.at(path))
    };
    files.par_iter().map_init(TailReader::default, check).collect()
}

fn check_file(path: &Path, columns: Option<&[String]>, tails: &mut TailReader) -> Result<Readers> {
    let wants = |column: &str| columns.is_none_or(|columns| columns.iter().any(|one| one == column));
    let identity = stat::identity_of(path).map_err(|error| Error::io(path, error))?;
    if let Some(known) = remembered(path, identity) {
        let leaves = known.leaves_of(wants);
        if known.places(&leaves).into_iter().all(|place| known.state(place).get().is_some()) {
            return Ok(known.readers(&leaves));
        }
    }
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let tail = tails.read_file(&file)?;
    let checks = FileChecks::of(path, tail.identity, &tail.footer()?)?;
    let leaves = checks.leaves_of(wants);
    checks.check(&file, &checks.places(&leaves))?;
    Ok(checks.readers(&leaves))
}

/// What is known of files, by path and state, each with the time of its last use, in uses.
#[derive(Default)]
struct Remembered {
    files: HashMap<PathBuf, (Identity, Arc<FileChecks>, u64)>,
    bytes: usize,
    uses: u64,
}

static REMEMBERED: Mutex<Option<Remembered>> = Mutex::new(None);

fn remembered(path: &Path, identity: Identity) -> Option<Arc<FileChecks>> {
    // A fork may have left the lock taken for good: then nothing is remembered.
    let mut remembered = lock()?;
    let remembered = remembered.get_or_insert_default();
    remembered.uses += 1;
    let uses = remembered.uses;
    let (of, checks, used) = remembered.files.get_mut(path)?;
    if *of != identity {
        return None;
    }
    *used = uses;
    Some(Arc::clone(checks))
}

fn lock() -> Option<std::sync::MutexGuard<'static, Option<Remembered>>> {
    for _ in 0..1_000 {
        if let Ok(guard) = REMEMBERED.try_lock() {
            return Some(guard);
        }
        std::thread::yield_now();
    }
    None
}

fn remember(path: &Path, identity: Identity, checks: &Arc<FileChecks>) {
    // A younger file may be edited again without its stat telling.
    let now = now_ns();
    if !identity.settled_at(now) {
        return;
    }
    let Some(mut remembered) = lock() else { return };
    let remembered = remembered.get_or_insert_default();
    let size = |path: &Path, checks: &FileChecks| 2 * path.as_os_str().len() + checks.memory();
    let uses = remembered.uses;
    let old = remembered.files.insert(path.to_path_buf(), (identity, Arc::clone(checks), uses));
    remembered.bytes += size(path, checks);
    remembered.bytes -= old.map_or(0, |(_, old, _)| size(path, &old));
    if remembered.bytes <= REMEMBERED_BYTES {
        return;
    }
    let mut uses: Vec<u64> = remembered.files.values().map(|(_, _, used)| *used).collect();
    uses.sort_unstable();
    let middle = uses.get(uses.len() / 2).copied().unwrap_or(0);
    remembered.files.retain(|_, (_, _, used)| *used > middle);
    remembered.bytes = remembered.files.iter().map(|(path, (_, checks, _))| size(path, checks)).sum();
}
