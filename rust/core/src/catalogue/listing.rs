//! Lists the runs of a workspace, whatever wrote them.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::entry::Entry;
use super::legacy::logs::{self, Log};
use super::legacy::manifests::{self, Manifest};
use super::legacy::session_rows::{self, SessionRows};
use super::legacy::{orphans, sessions};
use super::unit::{Unit, UnitReader};
use super::{cache, native};
use crate::base::error::{Error, FileError, Result, corrupt};
use crate::base::progress::Progress;
use crate::fs::folders;
use crate::fs::platform::Folder;
use crate::fs::stat::Identity;

/// An entry among others.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The entry.
    pub entry: Arc<Entry>,
    /// Of a run, the stat of its `run.yaml`, as long as that tells it from its later self.
    pub stat: Option<Identity>,
}

/// What a workspace has.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By `created_at`, then id.
    pub entries: Vec<Listed>,
    /// Files that could not be used.
    pub errors: Vec<FileError>,
    /// Folders of runs and configurations whose files were read now.
    pub read: usize,
    /// Those that were known.
    pub unchanged: usize,
}

/// What the folders of `runs` said.
pub(crate) const CACHE: &str = "catalogue.bin";

/// What lies in a folder of `runs`.
#[derive(Default)]
pub(crate) struct Found {
    /// A run.
    pub(crate) run: Option<Arc<Unit>>,
    /// Configurations of nirs4all 0.6.
    pub(crate) manifests: Vec<Arc<Unit>>,
    pub(crate) errors: Vec<FileError>,
    /// Folders that were read now.
    read: usize,
}

/// Lists all runs within the current thread pool; what was read is cached for the next time if it may be.
pub fn list(root: &Path, may_cache: bool, progress: &Progress) -> Result<Catalogue> {
    list_with(root, may_cache, progress, None)
}

/// Lists all runs; the rows of sessions are added to `rows`.
fn list_with(
    root: &Path,
    may_cache: bool,
    progress: &Progress,
    rows: Option<&mut Vec<SessionRows>>,
) -> Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    let names = names_of_runs(root, &mut catalogue.errors);
    progress.expect(names.len());
    let known = cache::load(root, CACHE);
    let is_native = root.join("workspace.yaml").exists();
    let folder = Folder::open(root).map_err(|error| Error::io(root, error))?;
    let reader = UnitReader { folder, known: &known };
    let found: Vec<Result<Found>> = names
        .par_iter()
        .with_min_len(16)
        .map(|name| {
            progress.step()?;
            Ok(look(root, &reader, name, is_native))
        })
        .collect();
    let (mut runs, mut manifests) = (Vec::new(), Vec::new());
    let (logs, logs_read) =
        if is_native { (Vec::new(), 0) } else { logs::list(root, &reader, &mut catalogue.errors) };
    for found in found {
        let found = found?;
        catalogue.read += found.read;
        catalogue.errors.extend(found.errors);
        runs.extend(found.run);
        manifests.extend(found.manifests);
    }
    let units = || runs.iter().chain(&manifests).chain(&logs);
    let count = units().count();
    // What vanished while it was read was read, and is not there.
    catalogue.unchanged = (count - logs.len()).saturating_sub(catalogue.read);
    let is_new = |unit: &&Arc<Unit>| {
        unit.is_settled() && known.get(&unit.path).is_none_or(|known| !Arc::ptr_eq(known, unit))
    };
    let fresh = if catalogue.read + logs_read > 0 { units().filter(is_new).count() } else { 0 };
    let lost = known.len().saturating_sub(count);
    // A few new runs are read again faster than all others are written again.
    if may_cache && (fresh + lost) * 256 > count {
        cache::store(root, CACHE, units());
    }
    for unit in units() {
        catalogue.errors.extend(unit.errors.iter().cloned());
    }
    let ids: HashSet<&str> = runs.iter().filter_map(|unit| unit.path.rsplit('/').next()).collect();
    let native = runs.iter().filter_map(|unit| {
        let stat = unit.stats[0].filter(|stat| stat.settled_at(unit.read_at));
        Some(Listed { entry: unit.entry.clone()?, stat })
    });
    catalogue.entries.extend(native);
    let parts = (&manifests[..], &logs[..]);
    let others =
        old_entries(root, &ids, parts, may_cache, progress, rows, &mut catalogue.errors)?.into_iter();
    catalogue.entries.extend(others.map(|entry| Listed { entry: Arc::new(entry), stat: None }));
    catalogue.entries.sort_by(|Listed { entry: one, .. }, Listed { entry: other, .. }| {
        (&one.created_at, &one.id).cmp(&(&other.created_at, &other.id))
    });
    Ok(catalogue)
}

/// The folder that runs lie in.
const RUNS: &str = "runs";

/// The folders of runs, and of datasets of nirs4all 0.6.
pub(crate) fn names_of_runs(root: &Path, errors: &mut Vec<FileError>) -> Vec<String> {
    let mut names = folders::folders(root, RUNS).into_names(errors);
    // A name that begins with a dot is of a run that is being made, or that was deleted.
    names.retain(|name| !name.starts_with('.'));
    names
}

/// Sessions of nirs4all 0.6, by their manifests, and files that no run and no manifest claims.
pub(crate) fn old_entries(
    root: &Path,
    runs: &HashSet<&str>,
    (manifests, logs): (&[Arc<Unit>], &[Arc<Unit>]),
    may_cache: bool,
    progress: &Progress,
    mut said: Option<&mut Vec<SessionRows>>,
    errors: &mut Vec<FileError>,
) -> Result<Vec<Entry>> {
    let manifests: Vec<_> = manifests.iter().filter_map(|unit| Manifest::of(unit.entry.as_ref()?)).collect();
    let datasets: HashSet<&str> = manifests.iter().flat_map(Manifest::claims).collect();
    // What cannot be looked at may be their run: they are no orphans.
    let is_run = |run: &str| {
        runs.contains(run)
            || errors.iter().any(|error| {
                let name = error.path.strip_prefix(RUNS);
                name.is_some_and(|name| name.is_empty() || name.strip_prefix('/') == Some(run))
            })
    };
    let mut found = Vec::new();
    let mut entries = orphans::list(root, &is_run, &datasets, &mut found);
    folders::add_errors(errors, found);
    if !manifests.is_empty() {
        let files: BTreeSet<String> = datasets.into_iter().map(str::to_owned).collect();
        let rows = session_rows::Rows::read(root, &files, may_cache, progress)?;
        folders::add_errors(errors, rows.unread.iter().cloned());
        let logs: Vec<_> = logs.iter().filter_map(|unit| Log::of_entry(unit.entry.as_ref()?)).collect();
        let sessions = sessions::group(manifests, &logs);
        for session in &sessions {
            let entry = session.entry(session.status(&|manifest| rows.has(manifest)));
            if let Some(said) = &mut said {
                said.extend(rows.of_session(&entry.id, session.manifests()));
            }
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Looks at a folder of `runs`: a run, or a dataset of nirs4all 0.6 with a folder for each configuration.
pub(crate) fn look(root: &Path, reader: &UnitReader<'_>, name: &str, is_native: bool) -> Found {
    let path = format!("runs/{name}");
    let mut found = Found::default();
    let folder = root.join(&path);
    let run = reader.unit(&path, native::FILES, |files, unit| native::read(&folder, name, files, unit));
    if let Some((unit, is_read)) = run {
        found.read += usize::from(is_read);
        found.run = Some(unit).filter(|unit| unit.entry.is_some() || !unit.errors.is_empty());
        return found;
    }
    found.look_for_manifests(root, reader, name, 0);
    if is_native && found.manifests.is_empty() && found.errors.is_empty() && folder.is_dir() {
        let path = format!("{path}/{}", native::FILES[0]);
        found.errors.push(FileError::new(&path, &corrupt(native::MISSING)));
    }
    found
}

/// Names of datasets and configurations have no more slashes.
const DEEPEST: usize = 8;

impl Found {
    /// Looks at the configurations in a folder below `runs`; where the name of one, or of its dataset, has a
    /// slash, they lie deeper.
    fn look_for_manifests(&mut self, root: &Path, reader: &UnitReader<'_>, place: &str, depth: usize) {
        let configs = folders::folders(root, &format!("{RUNS}/{place}")).into_names(&mut self.errors);
        let read = |config: String| {
            let path = format!("runs/{place}/{config}");
            let read = reader
                .unit(&path, manifests::FILES, |files, unit| manifests::read(place, &config, files, unit));
            read.ok_or(config)
        };
        let configs = configs.into_par_iter().with_min_len(16).filter(|config| !config.starts_with('.'));
        for found in configs.map(read).collect::<Vec<_>>() {
            match found {
                Ok((unit, is_read)) => {
                    self.read += usize::from(is_read);
                    self.manifests.push(unit);
                }
                Err(inner) if depth < DEEPEST && !inner.contains(".csv") => {
                    let inner = format!("{place}/{inner}");
                    let is_folder =
                        root.join("runs").join(&inner).symlink_metadata().is_ok_and(|stat| stat.is_dir());
                    if is_folder {
                        self.look_for_manifests(root, reader, &inner, depth + 1);
                    }
                }
                Err(_) => {}
            }
        }
    }
}

/// Names by id.
pub type Names = Vec<(String, String)>;

/// The names of all runs, and the rows of all sessions, as their results count them: by session, dataset
/// and metric; and what could not be read.
pub fn list_session_rows(
    root: &Path,
    progress: &Progress,
) -> Result<(Names, Vec<SessionRows>, Vec<FileError>)> {
    let mut rows = Vec::new();
    let listed = list_with(root, true, progress, Some(&mut rows))?;
    let names = listed.entries.iter().map(|listed| (listed.entry.id.clone(), listed.entry.name.clone()));
    Ok((names.collect(), rows, listed.errors))
}
