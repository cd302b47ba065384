//! The runs of a workspace, whatever wrote them: one discovery, one kind of entry.
//!
//! Records and manifests are read once and kept for as long as the stat of each of their files is
//! unchanged; no file of results or predictions is opened.

mod cache;
pub mod canonical;
mod native;
mod orphans;
pub mod result_query;
pub mod results;
pub mod scalars;
mod sessions;
mod template;
pub mod tree;
pub mod yaml;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;

use self::sessions::Manifest;
use self::tree::Tree;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, FileError};
use crate::platform::{self, Identity};
use crate::progress::Progress;
use crate::summary::{Reader, Writer};

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A run of format 2.
    Run,
    /// What one call of nirs4all 0.6 made.
    Session,
    /// Prediction files that nobody claims.
    Files,
    /// A part of a session.
    Part,
}

impl Kind {
    /// As answers name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Session => "session",
            Self::Files => "files",
            Self::Part => "part",
        }
    }
}

/// One run, session or group of files.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it stands for.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// When it was created, ISO-8601; empty where nobody says.
    pub created_at: String,
    /// All that is known of it, as [`Tree::encode`] writes a map.
    pub content: Vec<u8>,
}

impl Entry {
    fn new(kind: Kind, id: &str, created_at: &str, content: &Tree) -> Self {
        let mut writer = Writer::default();
        content.plain().encode(&mut writer);
        Self { kind, id: id.to_owned(), created_at: created_at.to_owned(), content: writer.bytes }
    }

    /// All that is known of it.
    pub fn tree(&self) -> Result<Tree> {
        Tree::decode(&mut Reader::new(&self.content))
    }
}

/// What a workspace has.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By `created_at`, then id.
    pub entries: Vec<Entry>,
    /// Files that could not be used.
    pub errors: Vec<FileError>,
    /// Folders of runs and configurations whose files were read now.
    pub read: usize,
    /// Those that were known.
    pub unchanged: usize,
}

/// What the folders of `runs` said.
const CACHE: &str = "catalogue.bin";

/// What one folder says: that of a run, or that of a configuration of nirs4all 0.6.
#[derive(Clone, Debug, PartialEq)]
struct Unit {
    /// Relative to the workspace.
    path: String,
    /// Of each file that it is made of, in order.
    stamps: Vec<Option<Identity>>,
    /// When they were read, ns since 1970.
    read_at: i64,
    entry: Option<Entry>,
    errors: Vec<FileError>,
}

impl Unit {
    fn is_unchanged(&self, stamps: &[Option<Identity>]) -> bool {
        self.stamps == stamps && self.is_settled()
    }

    fn is_settled(&self) -> bool {
        self.stamps.iter().flatten().all(|stamp| stamp.settled_at(self.read_at))
            && self.errors.iter().all(|error| cache::keeps(error.kind))
    }
}

/// What lies in a folder of `runs`.
#[derive(Default)]
struct Found {
    /// A run.
    run: Option<Unit>,
    /// Configurations of nirs4all 0.6.
    manifests: Vec<Unit>,
    errors: Vec<FileError>,
    /// Folders that were read now.
    read: usize,
}

/// Lists all runs within the current thread pool.
pub fn list(root: &Path, progress: &Progress) -> Result<Catalogue> {
    survey(root, true, progress)
}

/// The same; what was read is kept for the next time only if it may be.
pub fn survey(root: &Path, may_keep: bool, progress: &Progress) -> Result<Catalogue> {
    let mut names = files::names_in(&root.join("runs"))?;
    // A name that begins with a dot is of a run that is being made.
    names.retain(|name| !name.starts_with('.'));
    progress.expect(names.len());
    let known = cache::load(root, CACHE);
    let is_native = root.join("workspace.yaml").exists();
    let found: Vec<Result<Found>> = names
        .par_iter()
        .with_min_len(16)
        .map(|name| {
            progress.step()?;
            look(root, name, is_native, &known)
        })
        .collect();
    let (mut units, mut manifests, mut catalogue) = (Vec::new(), Vec::new(), Catalogue::default());
    for found in found {
        let found = found?;
        catalogue.read += found.read;
        catalogue.errors.extend(found.errors);
        units.extend(found.run);
        manifests.extend(found.manifests);
    }
    let runs = units.len();
    units.append(&mut manifests);
    catalogue.unchanged = units.len().saturating_sub(catalogue.read);
    let keeps = |unit: &&Unit| unit.is_settled() && known.get(&unit.path).is_none_or(|known| known != *unit);
    let fresh = units.iter().filter(keeps).count() + known.len().saturating_sub(units.len());
    // A few new runs are read again faster than all others are written again.
    if may_keep && fresh * 256 > units.len() {
        cache::store(root, CACHE, &units);
    }
    let claimed = |unit: &Unit| unit.path.rsplit('/').next().map(str::to_owned);
    let ids: BTreeSet<String> = units[..runs].iter().filter_map(claimed).collect();
    for unit in &units {
        catalogue.errors.extend(unit.errors.iter().cloned());
    }
    let (native, old) = units.split_at_mut(runs);
    catalogue.entries.extend(native.iter_mut().filter_map(|unit| unit.entry.take()));
    let manifests = old.iter().filter_map(|unit| Manifest::of(unit.entry.as_ref()?)).collect::<Vec<_>>();
    let datasets: BTreeSet<&str> = manifests.iter().flat_map(Manifest::claims).collect();
    catalogue.entries.extend(orphans::list(root, &ids, &datasets)?);
    catalogue.entries.extend(sessions::group(manifests));
    catalogue.entries.sort_by(|one, other| (&one.created_at, &one.id).cmp(&(&other.created_at, &other.id)));
    Ok(catalogue)
}

/// Looks at a folder of `runs`: a run, or a dataset of nirs4all 0.6 with a folder for each configuration.
fn look(root: &Path, name: &str, is_native: bool, known: &HashMap<String, Unit>) -> Result<Found> {
    let path = format!("runs/{name}");
    let mut found = Found::default();
    let unit = unit(root, path.clone(), &native::FILES, known, &mut found.read, |folder, unit| {
        native::read(folder, name, unit)
    });
    if unit.stamps[0].is_some() {
        found.run = Some(unit).filter(|unit| unit.entry.is_some() || !unit.errors.is_empty());
        return Ok(found);
    }
    let folder = root.join(&path);
    let mut configs = files::names_in(&folder)?;
    configs.retain(|config| !config.starts_with('.'));
    let read = |config: &String| {
        let mut read = 0;
        let path = format!("{path}/{config}");
        let unit = self::unit(root, path, &sessions::FILES, known, &mut read, |folder, unit| {
            sessions::read(folder, name, config, unit)
        });
        (unit, read)
    };
    let read: Vec<_> = configs.par_iter().with_min_len(16).map(read).collect();
    for (unit, now) in read {
        if unit.stamps[0].is_some() {
            found.manifests.push(unit);
            found.read += now;
        }
    }
    if is_native && found.manifests.is_empty() && folder.is_dir() {
        let path = format!("{path}/{}", native::FILES[0]);
        let error = Error::new(ErrorKind::Corrupt, native::MISSING);
        found.errors.push(FileError::new(&path, &error));
    }
    Ok(found)
}

/// What a folder said before, where its files are unchanged; else what they say now.
fn unit(
    root: &Path,
    path: String,
    files: &[&str],
    known: &HashMap<String, Unit>,
    now: &mut usize,
    read: impl FnOnce(&Path, &mut Unit),
) -> Unit {
    let folder = root.join(&path);
    let read_at = now_ns();
    let stamp = |file: &&str| {
        let metadata = std::fs::metadata(folder.join(file)).ok().filter(std::fs::Metadata::is_file);
        metadata.as_ref().map(platform::identity)
    };
    let stamps: Vec<_> = match files.split_first() {
        Some((first, rest)) => match stamp(first) {
            None => vec![None],
            first => std::iter::once(first).chain(rest.iter().map(stamp)).collect(),
        },
        None => Vec::new(),
    };
    if let Some(unit) = known.get(&path).filter(|unit| unit.is_unchanged(&stamps)) {
        return unit.clone();
    }
    let mut unit = Unit { path, stamps, read_at, entry: None, errors: Vec::new() };
    if unit.stamps[0].is_some() {
        read(&folder, &mut unit);
        *now += 1;
    }
    unit
}

fn now_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as i64)
}
