//! Folders of prediction files, answered for as a whole.
//!
//! Files are listed, put into groups by name, read in parallel, merged in name order within their
//! group, and the groups in name order: neither threads nor the cache change an answer.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use crate::cache::{self, Entries, Entry, Seen};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, FileError, Listing, Open};
use crate::footer::TailReader;
use crate::live::{Journals, Live};
use crate::metrics;
use crate::platform::{self, Identity};
use crate::progress::Progress;
use crate::scan;
use crate::segments;
use crate::summary::embedded::{self, Embedded, Sketch};
use crate::summary::{Accumulator, Datasets, merge_datasets};

/// One file of so many, on average, ends a group.
const GROUP: u64 = 64;
/// No group is larger than this.
const LARGEST_GROUP: usize = 256;
/// So often a listing is repeated because a listed file vanished.
pub(crate) const RESTARTS: usize = 3;

/// What is remembered between processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caching {
    /// Nothing.
    Off,
    /// The answer for the unchanged folder: reading all footers again costs less than more.
    Whole,
    /// Also the state of each group, for drives where opening a file is slow.
    Groups,
}

impl Caching {
    /// What suits the drive that a folder lies on.
    pub fn of(root: &Path) -> Self {
        if platform::is_network_drive(root) { Self::Groups } else { Self::Whole }
    }
}

/// What the files of a folder say.
#[derive(Default)]
pub struct Collected {
    /// By dataset.
    pub datasets: Datasets,
    /// How many files there are, usable or not.
    pub files: usize,
    /// Files without a trusted summary, which were scanned, with the reason.
    pub scanned: Vec<(String, String)>,
    /// Files that could not be used.
    pub errors: Vec<FileError>,
}

/// What one file says.
pub struct FileSummary {
    /// In the footer or counted from the rows.
    pub content: Content,
    /// Of the open file.
    pub identity: Identity,
}

/// Where a file's summary comes from.
pub enum Content {
    /// From the footer, not yet decoded.
    Sketch(Sketch),
    /// From the rows, and why.
    Scanned(Datasets, String),
    /// From the frames of an open segment.
    Live(Live),
}

impl FileSummary {
    /// By dataset, nearly always one; and why the rows were scanned, if they were.
    pub fn datasets(self) -> Result<(Datasets, Option<String>)> {
        match self.content {
            Content::Sketch(sketch) => Ok((sketch.datasets()?, None)),
            Content::Scanned(datasets, reason) => Ok((datasets, Some(reason))),
            Content::Live(live) => Ok((live.datasets, None)),
        }
    }
}

/// Summarises all prediction files of a workspace within the current thread pool.
///
/// With caching, an unchanged folder is not read again, and files are not scanned twice.
pub fn collect(root: &Path, open: Open, caching: Caching, progress: &Progress) -> Result<Collected> {
    for _ in 0..RESTARTS {
        if let Some(collected) = collect_once(root, open, caching, false, progress)? {
            return Ok(collected);
        }
    }
    Ok(collect_once(root, open, caching, true, progress)?.unwrap_or_default())
}

/// `None` where a listed file vanished, unless that is to be reported.
fn collect_once(
    root: &Path,
    open: Open,
    caching: Caching,
    report_vanished: bool,
    progress: &Progress,
) -> Result<Option<Collected>> {
    let Listing { files: names, errors: unlisted } = files::list(root, open)?;
    progress.expect(names.len());
    let known = |file, least| if caching >= least { cache::load(root, file) } else { Entries::new() };
    if let Some(collected) = unchanged(root, &names, &known(cache::WHOLE, Caching::Whole)) {
        return Ok(Some(Collected { errors: unlisted, ..collected }));
    }
    let has_journals = names.iter().any(|name| segments::is_journal(name));
    let known = Known {
        groups: known(cache::GROUPS, Caching::Groups),
        scans: known(cache::SCANS, Caching::Whole),
        journals: if has_journals && caching >= Caching::Whole {
            Journals::load(root)
        } else {
            Journals::default()
        },
    };
    let read: Vec<Result<GroupSummary>> = grouped(&names)
        .par_iter()
        .map(|group| summarise_group(root, group, &known, caching, progress))
        .collect();

    let mut collected = Collected { files: names.len(), ..Collected::default() };
    let (mut new_groups, mut new_scans, mut seen) = (Entries::new(), Entries::new(), Vec::new());
    let mut lives = Vec::new();
    let mut parts = BTreeMap::<String, Vec<Accumulator>>::new();
    for group in read {
        let group = group?;
        if group.has_vanished && !report_vanished {
            return Ok(None);
        }
        for (name, part) in group.datasets {
            parts.entry(name).or_default().push(part);
        }
        collected.scanned.extend(group.scanned);
        collected.errors.extend(group.errors);
        seen.extend(group.seen);
        new_groups.extend(group.entry.into_iter().flat_map(Entry::by_name));
        new_scans.extend(group.scans.into_iter().flat_map(Entry::by_name));
        lives.extend(group.lives);
    }
    collected.datasets = parts.into_par_iter().map(|(name, parts)| (name, merge_parts(parts))).collect();
    if caching >= Caching::Groups && new_groups != known.groups {
        cache::store(root, cache::GROUPS, &new_groups);
    }
    if caching >= Caching::Whole && new_scans != known.scans {
        cache::store(root, cache::SCANS, &new_scans);
    }
    // What was scanned with a metric that only this process knows is no answer for another one.
    let is_for_all = collected.scanned.is_empty() && !has_journals || !knows_more(&collected.datasets);
    if caching >= Caching::Whole && has_journals && is_for_all {
        Journals::store(root, lives, &known.journals);
    }
    if caching >= Caching::Whole && collected.errors.is_empty() && is_for_all {
        let whole = Entry::new(seen, collected.scanned.clone(), &collected.datasets);
        cache::store(root, cache::WHOLE, &whole.by_name());
    }
    collected.errors.extend(unlisted);
    Ok(Some(collected))
}

/// Merges what the groups say of one dataset, in their order.
fn merge_parts(parts: Vec<Accumulator>) -> Accumulator {
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_default();
    parts.for_each(|part| whole.merge(&part));
    whole
}

/// The answer of the last time, where no file was added, removed or changed.
fn unchanged(root: &Path, names: &[String], known: &Entries) -> Option<Collected> {
    let whole = known.get(names.first()?)?;
    let identities: Vec<_> = names.par_iter().with_min_len(256).map(|name| identity_of(root, name)).collect();
    let datasets = whole.is_of(names, identities.into_iter()).then(|| whole.datasets())??;
    Some(Collected { datasets, files: names.len(), scanned: whole.scanned.clone(), errors: Vec::new() })
}

/// Groups that depend on names alone, so that a new file changes one group and no other.
fn grouped(names: &[String]) -> Vec<&[String]> {
    let mut groups = Vec::new();
    let mut start = 0;
    for (index, name) in names.iter().enumerate() {
        let ends = XxHash3_64::oneshot(name.as_bytes()).is_multiple_of(GROUP);
        if ends || index + 1 - start == LARGEST_GROUP || index + 1 == names.len() {
            groups.push(&names[start..=index]);
            start = index + 1;
        }
    }
    groups
}

/// What the cache has.
struct Known {
    groups: Entries,
    scans: Entries,
    journals: Journals,
}

#[derive(Default)]
struct GroupSummary {
    datasets: Datasets,
    scanned: Vec<(String, String)>,
    errors: Vec<FileError>,
    has_vanished: bool,
    /// The files that could be used, for the cache, as are the entries below.
    seen: Vec<Seen>,
    /// Where groups are cached; one with an error is read again.
    entry: Option<Entry>,
    scans: Vec<Entry>,
    lives: Vec<(String, Live)>,
}

fn summarise_group(
    root: &Path,
    group: &[String],
    known: &Known,
    caching: Caching,
    progress: &Progress,
) -> Result<GroupSummary> {
    progress.check()?;
    let entry = known.groups.get(&group[0]);
    let entry = entry.filter(|known| known.is_of(group, group.iter().map(|file| identity_of(root, file))));
    let Some((entry, datasets)) = entry.and_then(|entry| Some((entry, entry.datasets()?))) else {
        return read_group(root, group, known, caching, progress);
    };
    group.iter().try_for_each(|_| progress.step())?;
    Ok(GroupSummary {
        datasets,
        scanned: entry.scanned.clone(),
        seen: entry.files.clone(),
        entry: Some(entry.clone()),
        scans: group.iter().filter_map(|file| known.scans.get(file).cloned()).collect(),
        ..GroupSummary::default()
    })
}

fn identity_of(root: &Path, file: &str) -> Option<Identity> {
    std::fs::metadata(files::path_of(root, file)).ok().map(|metadata| platform::identity(&metadata))
}

fn read_group(
    root: &Path,
    group: &[String],
    known: &Known,
    caching: Caching,
    progress: &Progress,
) -> Result<GroupSummary> {
    let read_at = now_ns();
    let read: Vec<Result<FileSummary>> = group
        .par_iter()
        .map_init(TailReader::default, |tails, file| {
            let summary = summarise(root, file, known, tails);
            progress.step()?;
            summary
        })
        .collect();
    let mut answer = GroupSummary::default();
    let mut good = Vec::with_capacity(group.len());
    for (file, summary) in group.iter().zip(read) {
        match summary {
            Ok(summary) => good.push((file, summary)),
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                answer.has_vanished |= FileError::is_vanished(&error);
                answer.errors.push(FileError::new(file, &error));
            }
        }
    }
    // A sketch that cannot be decoded, though its checksum is right, must leave no part behind.
    while let Err((bad, error)) = merge_all(&good, &mut answer.datasets) {
        answer.errors.push(FileError::new(good.remove(bad).0, &error));
        answer.datasets.clear();
    }
    let mut is_for_all = true;
    for (file, FileSummary { content, identity }) in good {
        let this = Seen { file: file.clone(), identity, read_at };
        if let Content::Live(live) = content {
            // What is before the damage counts, and is flagged.
            answer.errors.extend(live.damage.as_ref().map(|error| FileError::new(file, error)));
            is_for_all &= !knows_more(&live.datasets);
            answer.lives.push((file.clone(), live));
        } else if let Content::Scanned(datasets, reason) = content {
            let scanned = (file.clone(), reason);
            if knows_more(&datasets) {
                is_for_all = false;
            } else {
                answer.scans.push(Entry::new(vec![this.clone()], vec![scanned.clone()], &datasets));
            }
            answer.scanned.push(scanned);
        }
        answer.seen.push(this);
    }
    if caching >= Caching::Groups && answer.errors.is_empty() && is_for_all {
        answer.entry = Some(Entry::new(answer.seen.clone(), answer.scanned.clone(), &answer.datasets));
    }
    Ok(answer)
}

/// Whether some metric is ranked in a direction that only this process was told.
fn knows_more(datasets: &Datasets) -> bool {
    datasets.values().flat_map(Accumulator::groups).any(|(metric, _)| metrics::is_registered(metric))
}

/// Merges files in order; an error says which of them cannot be decoded.
fn merge_all(files: &[(&String, FileSummary)], into: &mut Datasets) -> Result<(), (usize, Error)> {
    for (index, (_, summary)) in files.iter().enumerate() {
        match &summary.content {
            Content::Sketch(sketch) => sketch.merge_into(into).map_err(|error| (index, error))?,
            Content::Scanned(datasets, _) => merge_datasets(into, datasets.clone()),
            Content::Live(live) => merge_datasets(into, live.datasets.clone()),
        }
    }
    Ok(())
}

fn summarise(root: &Path, file: &String, known: &Known, tails: &mut TailReader) -> Result<FileSummary> {
    if segments::is_journal(file) {
        let path = files::path_of(root, file);
        let metadata = std::fs::metadata(&path).map_err(|error| Error::io(&path, error))?;
        let live = known.journals.summarise(root, file)?;
        return Ok(FileSummary { content: Content::Live(live), identity: platform::identity(&metadata) });
    }
    if let Some(known) = known.scans.get(file)
        && let Some(identity) = identity_of(root, file)
        && known.is_of(std::slice::from_ref(file), std::iter::once(Some(identity)))
        && let Some(datasets) = known.datasets()
        && let Some((_, reason)) = known.scanned.first()
    {
        return Ok(FileSummary { content: Content::Scanned(datasets, reason.clone()), identity });
    }
    summarise_file(&files::path_of(root, file), tails)
}

/// What one file says: from its footer where that can be trusted, else from its rows.
pub fn summarise_file(path: &Path, tails: &mut TailReader) -> Result<FileSummary> {
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let tail = tails.read_file(&file).map_err(|error| error.at(path))?;
    let identity = tail.identity;
    let embedded =
        tail.footer().and_then(|footer| embedded::read(&footer)).map_err(|error| error.at(path))?;
    let content = match embedded {
        Embedded::Trusted(sketch) => Content::Sketch(sketch),
        Embedded::Untrusted(reason) | Embedded::Newer(reason) => {
            Content::Scanned(scan::scan(path, file, &scan::dataset_of(path))?, reason)
        }
    };
    Ok(FileSummary { content, identity })
}

fn now_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as i64)
}
