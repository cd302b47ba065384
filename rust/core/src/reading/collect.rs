//! Folders of prediction files, answered for as a whole.
//!
//! Files are listed and read in parallel, some hundred at a time; what they say of a dataset is merged in
//! name order, datasets in parallel, while the next are read: neither threads nor the cache change an answer.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::cache::{self, Entries, Entry, Seen};
use super::files::{self, Listing};
use super::open_segments::{Journals, OpenSummary};
use super::scan;
use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::names::nfc;
use crate::base::progress::Progress;
use crate::base::{file_names, metrics};
use crate::footer::TailReader;
use crate::fs::platform::{self, Folder};
use crate::fs::stat::{self, Identity};
use crate::fs::{File, cache_file};
use crate::segment::hidden_rows::Hidden;
use crate::segment::live_set::Open;
use crate::summary::embedded::{self, Embedded, Sketch};
use crate::summary::{Accumulator, Datasets, SketchReader, merged};

/// So many files are read while what was read before is merged.
const BATCH: usize = 128;
/// So many of them a thread reads before another may take over.
const SHARE: usize = 8;
/// So many files of one dataset are merged at a time; more are merged in parallel.
const PIECE: usize = 64;
/// So often a listing is repeated because a listed file vanished.
pub const RESTARTS: usize = 20;

/// What is remembered between processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caching {
    /// Nothing.
    Off,
    /// The answer for the unchanged folder: reading all footers again costs less than more.
    Whole,
    /// Also what each file says, for drives where opening a file is slow.
    Files,
}

impl Caching {
    /// What suits the drive that a folder lies on.
    pub fn of(root: &Path) -> Self {
        if platform::is_network_drive(root) { Self::Files } else { Self::Whole }
    }
}

/// How much of what files say is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// All but quartiles, which cost more than all else.
    Rankings,
    /// All.
    Whole,
}

impl Depth {
    /// Where answers are cached: where they are written, and where else they may be found.
    fn caches(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Rankings => (cache::RANKINGS, Some(cache::WHOLE)),
            Self::Whole => (cache::WHOLE, None),
        }
    }
}

/// What the files of a folder say. Its summaries are finalized: nothing can be added to them.
#[derive(Default)]
pub struct Collected {
    /// By dataset.
    pub datasets: Datasets,
    /// All datasets together.
    pub whole: Accumulator,
    /// How many files there are, usable or not.
    pub files: usize,
    /// Files without a trusted summary, which were scanned, with the reason.
    pub scanned: Vec<(String, String)>,
    /// Files that could not be used.
    pub errors: Vec<FileError>,
    /// Whether another process would count the same: no metric is ranked that only this one knows.
    pub is_for_all: bool,
    /// The file of the cache that this is to be cached in, and the stat of all files; `None` where it may not be cached
    /// or is.
    uncached: Option<(&'static str, Vec<Seen>)>,
}

impl Collected {
    /// Keeps the answer for as long as no file changes, where that is allowed; an answer need not wait for that.
    pub fn cache(&self, root: &Path) {
        if let Some((file, seen)) = &self.uncached {
            let bytes = cache::encode_whole(seen, &self.scanned, &self.datasets, &self.whole);
            cache_file::write_any(root, file, &bytes);
        }
    }
}

/// What one file says.
pub struct FileSummary {
    /// In the footer or counted from the rows.
    pub content: Content,
    /// Why the rows were scanned, if they were.
    pub scanned: Option<String>,
    /// Of the open file.
    pub identity: Identity,
}

/// What a file says, by dataset.
pub enum Content {
    /// Of its only dataset, as nearly all files have; not yet decoded.
    Sketch(Sketch),
    /// Of any number of datasets.
    Datasets(Datasets),
    /// Of the dataset of an open segment, from its frames.
    Live(OpenSummary),
}

impl FileSummary {
    /// By dataset, nearly always one; and why the rows were scanned, if they were.
    pub fn datasets(self) -> Result<(Datasets, Option<String>)> {
        match self.content {
            Content::Sketch(sketch) => Ok((sketch.datasets()?, self.scanned)),
            Content::Datasets(datasets) => Ok((datasets, self.scanned)),
            Content::Live(live) => Ok((live.datasets, self.scanned)),
        }
    }
}

/// Summarises all prediction files of a workspace within the current thread pool.
///
/// With caching, a folder is not read again where its answer was cached ([`Collected::cache`]) and no file changed, and
/// files are not scanned twice.
pub fn collect(root: &Path, open: Open, caching: Caching, progress: &Progress) -> Result<Collected> {
    collect_to(Depth::Whole, root, None, open, caching, progress)
}

/// What the files of a folder say, without quartiles: enough for what is best and which files can matter.
pub fn collect_rankings(root: &Path, open: Open, caching: Caching, progress: &Progress) -> Result<Collected> {
    collect_to(Depth::Rankings, root, None, open, caching, progress)
}

/// What the files in one folder say: `predictions/<dataset>`, or the workspace itself (`""`). What is
/// cached helps; nothing of it is.
pub fn collect_folder(root: &Path, folder: &str, open: Open, progress: &Progress) -> Result<Collected> {
    collect_to(Depth::Rankings, root, Some(folder), open, Caching::of(root), progress)
}

fn collect_to(
    depth: Depth,
    root: &Path,
    folder: Option<&str>,
    open: Open,
    caching: Caching,
    progress: &Progress,
) -> Result<Collected> {
    let mut undecodable = Undecodable::new();
    let mut restarts = 0;
    loop {
        let is_last = restarts == RESTARTS;
        match collect_once(depth, root, folder, open, caching, is_last, &undecodable, progress)? {
            Attempt::Done(collected) => return Ok(*collected),
            Attempt::Vanished => restarts += 1,
            Attempt::Undecodable(found) => undecodable.extend(found),
        }
    }
}

/// Files whose sketch, though sealed, cannot be decoded. No writer makes such; they must leave no part behind.
type Undecodable = BTreeMap<String, FileError>;

enum Attempt {
    Done(Box<Collected>),
    /// A listed file is no longer there.
    Vanished,
    /// More files than were known.
    Undecodable(Undecodable),
}

#[allow(clippy::too_many_arguments)]
fn collect_once(
    depth: Depth,
    root: &Path,
    folder: Option<&str>,
    open: Open,
    caching: Caching,
    report_vanished: bool,
    undecodable: &Undecodable,
    progress: &Progress,
) -> Result<Attempt> {
    let list = || match folder {
        None => files::list(root, open),
        Some(folder) => files::list_folder(root, folder, open),
    };
    let load = |file| if caching >= Caching::Whole { cache::load(root, file) } else { Entries::new() };
    let caches = folder.is_none() && caching >= Caching::Whole;
    let (first, others) = depth.caches();
    let (listing, known) = rayon::join(list, || caches.then(|| load(first)));
    let Listing { files: names, hidden, errors: unlisted } = listing?;
    progress.expect(names.len());
    let known_whole = |known| {
        let others = others.iter().map(|file| load(file));
        std::iter::once(known).chain(others).find_map(|known| unchanged(root, &names, &hidden, &known))
    };
    if let Some(collected) = known.and_then(known_whole) {
        return Ok(Attempt::Done(Box::new(Collected { errors: unlisted, ..collected })));
    }
    let file_cache = if caching >= Caching::Files { cache::FILES } else { cache::SCANS };
    let has_journals = caching >= Caching::Whole && names.iter().any(|name| file_names::is_journal(name));
    let journals = if has_journals { Journals::load(root) } else { Journals::default() };
    let known = Known { files: load(file_cache), journals, hidden };
    let folder = Folder::open(root).map_err(|error| Error::io(root, error))?;
    let read_batch = |batch: &[String]| -> Vec<Result<FileSummary>> {
        let one = |tails: &mut TailReader, file| {
            let summary = summarise(root, &folder, file, &known, tails);
            progress.step()?;
            summary
        };
        batch.par_iter().with_max_len(SHARE).map_init(TailReader::default, one).collect()
    };
    let mut lives = Vec::new();
    let mut collected = Collected { files: names.len(), ..Collected::default() };
    let (mut cached, mut seen) = (Entries::new(), Vec::with_capacity(names.len()));
    let mut batches = names.chunks(BATCH);
    let mut next = batches.next().map(|batch| (batch, now_ns(), read_batch(batch)));
    while let Some((batch, read_at, read)) = next.take() {
        let mut good = Vec::with_capacity(batch.len());
        for (file, summary) in batch.iter().zip(read) {
            match summary {
                _ if undecodable.contains_key(file) => {
                    collected.errors.extend(undecodable.get(file).cloned());
                }
                Ok(summary) => good.push((file, summary)),
                Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                Err(error) if FileError::is_vanished(&error) && !report_vanished => {
                    return Ok(Attempt::Vanished);
                }
                Err(error) => collected.errors.push(FileError::new(file, &error)),
            }
        }
        let (found, following) = rayon::join(
            || merge_files(&good, depth, &mut collected.datasets),
            || batches.next().map(|batch| (batch, now_ns(), read_batch(batch))),
        );
        next = following;
        if !found.is_empty() {
            return Ok(Attempt::Undecodable(found));
        }
        for (file, FileSummary { content, scanned, identity }) in good {
            let this = Seen { file: file.clone(), identity, read_at };
            if let Content::Live(live) = content {
                // What is before the damage counts, and is flagged.
                collected.errors.extend(live.damage.as_ref().map(|error| FileError::new(file, error)));
                lives.push((file.clone(), live));
                seen.push(this);
                continue;
            }
            let scanned: Vec<_> = scanned.map(|reason| (file.clone(), reason)).into_iter().collect();
            let is_counted = !scanned.is_empty() || known.hidden.contains_key(file);
            if caching >= Caching::Files || is_counted {
                let (datasets, _) = FileSummary { content, scanned: None, identity }.datasets()?;
                if !is_counted || !knows_more(&datasets) {
                    cached.extend(Entry::new(vec![this.clone()], scanned.clone(), &datasets).by_name());
                }
            }
            collected.scanned.extend(scanned);
            seen.push(this);
        }
    }
    if caches && cached != known.files {
        cache::store(root, file_cache, &cached);
    }
    // What was counted with a metric that only this process knows is no answer for another one.
    if caches && has_journals && lives.iter().all(|(_, live)| !knows_more(&live.datasets)) {
        Journals::store(root, lives, &known.journals);
    }
    let finalize =
        |datasets: &mut Datasets| datasets.par_iter_mut().for_each(|(_, dataset)| dataset.finalize());
    if collected.datasets.len() == 1 {
        finalize(&mut collected.datasets); // It says what the whole says, which need not be found again.
    }
    collected.whole = merged(collected.datasets.values());
    finalize(&mut collected.datasets);
    let has_footers_alone = collected.scanned.is_empty() && known.hidden.is_empty() && !has_journals;
    let is_for_all = has_footers_alone || !knows_more(&collected.datasets);
    collected.is_for_all = is_for_all;
    if caches && collected.errors.is_empty() && is_for_all {
        collected.uncached = Some((depth.caches().0, seen));
    }
    collected.errors.extend(unlisted);
    Ok(Attempt::Done(Box::new(collected)))
}

/// What one file says of one dataset.
enum Part<'a> {
    Encoded(&'a String, SketchReader<'a>),
    Counted(&'a Accumulator),
}

/// Merges what files say, of each dataset, by its name in NFC, in their order; the files that cannot be decoded, if any, and then
/// `into` holds a part.
fn merge_files(files: &[(&String, FileSummary)], depth: Depth, into: &mut Datasets) -> Undecodable {
    let mut parts = BTreeMap::<Cow<'_, str>, Vec<Part<'_>>>::new();
    for (file, summary) in files {
        match &summary.content {
            Content::Sketch(sketch) => {
                if let Some((name, state)) = sketch.only_dataset() {
                    let state = if depth == Depth::Whole { state } else { state.without_quartiles() };
                    parts.entry(nfc(name)).or_default().push(Part::Encoded(file, state));
                }
            }
            Content::Datasets(datasets) | Content::Live(OpenSummary { datasets, .. }) => {
                datasets.iter().for_each(|(name, counted)| {
                    parts.entry(nfc(name)).or_default().push(Part::Counted(counted));
                });
            }
        }
    }
    let jobs: Vec<_> = parts
        .into_iter()
        .map(|(name, parts)| {
            let known = into.remove_entry(&*name);
            let (name, known) = known.unwrap_or_else(|| (name.into_owned(), Accumulator::default()));
            (name, known, parts)
        })
        .collect();
    let merged: Vec<_> = jobs
        .into_par_iter()
        .with_max_len(1)
        .map(|(name, mut known, parts)| {
            let bad = merge_parts(&mut known, &parts).err().map(|_| undecodable(&parts)).unwrap_or_default();
            (name, known, bad)
        })
        .collect();
    let mut found = Undecodable::new();
    for (name, known, bad) in merged {
        into.insert(name, known);
        found.extend(bad);
    }
    found
}

fn merge_parts(known: &mut Accumulator, parts: &[Part<'_>]) -> Result<()> {
    if parts.len() <= PIECE {
        return parts.iter().try_for_each(|part| match part {
            Part::Encoded(_, state) => state.clone().merge_accumulator(known),
            Part::Counted(counted) => {
                known.merge(counted);
                Ok(())
            }
        });
    }
    let pieces: Vec<Result<Accumulator>> = parts
        .par_chunks(PIECE)
        .map(|parts| {
            let mut piece = Accumulator::default();
            merge_parts(&mut piece, parts).map(|()| piece)
        })
        .collect();
    pieces.into_iter().try_for_each(|piece| piece.map(|piece| known.merge(&piece)))
}

fn undecodable(parts: &[Part<'_>]) -> Undecodable {
    let errors = parts.iter().filter_map(|part| match part {
        Part::Encoded(file, state) => {
            let error = state.clone().merge_accumulator(&mut Accumulator::default()).err()?;
            Some(((*file).clone(), FileError::new(file, &error)))
        }
        Part::Counted(_) => None,
    });
    errors.collect()
}

/// The answer of the last time, where no file was added, removed or changed.
fn unchanged(root: &Path, names: &[String], hidden: &HiddenRows, known: &Entries) -> Option<Collected> {
    let known = known.get(names.first()?)?;
    let folder = Folder::open(root).ok()?;
    let identity = |name: &String| folder.identity(name).map(|identity| known_by(hidden, name, identity));
    let identities: Vec<_> = names.par_iter().with_min_len(256).map(identity).collect();
    let (datasets, whole) = known.is_of(names, identities.into_iter()).then(|| known.all())??;
    Some(Collected {
        datasets,
        whole,
        files: names.len(),
        scanned: known.scanned.clone(),
        errors: Vec::new(),
        is_for_all: true,
        uncached: None,
    })
}

/// Whether some metric is ranked in a direction that only this process was told.
fn knows_more(datasets: &Datasets) -> bool {
    datasets.values().flat_map(Accumulator::groups).any(|(metric, _)| metrics::is_registered(metric))
}

/// The rows of files that are not live.
type HiddenRows = HashMap<String, Arc<Hidden>>;

/// What a cache knows a file by.
fn known_by(hidden: &HiddenRows, file: &str, identity: Identity) -> Identity {
    hidden.get(file).map_or(identity, |hidden| hidden.identity(identity))
}

/// What is known of the listed files: what the cache has, and what is hidden of them.
struct Known {
    files: Entries,
    journals: Journals,
    hidden: HiddenRows,
}

fn summarise(
    root: &Path,
    folder: &Folder,
    file: &String,
    known: &Known,
    tails: &mut TailReader,
) -> Result<FileSummary> {
    let hidden = known.hidden.get(file).map(Arc::as_ref);
    if file_names::is_journal(file) {
        let path = files::path_of(root, file);
        let identity = stat::identity_of(&path).map_err(|error| Error::io(&path, error))?;
        let content = Content::Live(known.journals.summarise(root, file, hidden)?);
        let identity = known_by(&known.hidden, file, identity);
        return Ok(FileSummary { content, scanned: None, identity });
    }
    if let Some(entry) = known.files.get(file)
        && let Some(identity) = folder.identity(file).map(|it| known_by(&known.hidden, file, it))
        && entry.is_of(std::slice::from_ref(file), std::iter::once(Some(identity)))
        && let Some(datasets) = entry.datasets()
    {
        let scanned = entry.scanned.first().map(|(_, reason)| reason.clone());
        return Ok(FileSummary { content: Content::Datasets(datasets), scanned, identity });
    }
    let path = files::path_of(root, file);
    match hidden {
        None => summarise_opened(&path, folder.open_file(file), tails),
        Some(hidden) => count_live(&path, folder.open_file(file), hidden),
    }
}

/// What the live rows of a file say: its footer counts the others too.
fn count_live(path: &Path, opened: io::Result<File>, hidden: &Hidden) -> Result<FileSummary> {
    let file = opened.map_err(|error| Error::io(path, error))?;
    let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
    let identity = hidden.identity(stat::identity(&metadata));
    let datasets = scan::scan_live(path, file, &scan::dataset_of(path), hidden)?;
    Ok(FileSummary { content: Content::Datasets(datasets), scanned: None, identity })
}

/// What one file says: from its footer where that can be trusted, else from its rows.
pub fn summarise_file(path: &Path, tails: &mut TailReader) -> Result<FileSummary> {
    summarise_opened(path, platform::open(path), tails)
}

fn summarise_opened(path: &Path, opened: io::Result<File>, tails: &mut TailReader) -> Result<FileSummary> {
    let file = opened.map_err(|error| Error::io(path, error))?;
    let tail = tails.read_file(&file).map_err(|error| error.at(path))?;
    let identity = tail.identity;
    let (content, scanned) = match embedded::read_bytes(tail.bytes()).map_err(|error| error.at(path))? {
        Embedded::Trusted(sketch) if sketch.only_dataset().is_some() => (Content::Sketch(sketch), None),
        Embedded::Trusted(sketch) => {
            (Content::Datasets(sketch.datasets().map_err(|error| error.at(path))?), None)
        }
        Embedded::Untrusted(reason) | Embedded::Newer(reason) => {
            (Content::Datasets(scan::scan(path, file, &scan::dataset_of(path))?), Some(reason))
        }
    };
    Ok(FileSummary { content, scanned, identity })
}
