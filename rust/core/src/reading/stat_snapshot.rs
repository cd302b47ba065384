//! What lies in a workspace, by stat alone: how much, and whether it changed since another look.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::{files, old_files};
use crate::base::error::{FileError, Result};
use crate::base::file_names;
use crate::base::progress::Progress;
use crate::fs::{FileType, folders, stat};
use crate::segment::live_set::Open;
use crate::segment::resolve;

/// One file, or a folder whose files belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Relative to the workspace, with slashes.
    pub path: String,
    /// Another one where a file in it came, went or changed, as far as stats tell.
    pub fingerprint: u64,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When one of them changed last, ns since 1970.
    pub changed_at: i64,
}

/// How files of one top-level folder are put together.
#[derive(Clone, Copy, PartialEq)]
enum Granularity {
    /// Each file is an item, at any depth.
    File,
    /// Each entry of the top-level folder is one.
    Folder,
    /// As `Folder`; but a manifest of nirs4all 0.6 makes the folder that it lies in one of its own.
    Manifest,
}

const PARTS: [(&str, Granularity); 7] = [
    ("predictions", Granularity::File),
    ("arrays", Granularity::Folder),
    ("runs", Granularity::Manifest),
    ("datasets", Granularity::File),
    ("templates", Granularity::File),
    ("artifacts", Granularity::Folder),
    ("binaries", Granularity::Folder),
];

/// Looks at all that is data, hidden names left out. What vanishes meanwhile is left out too; folders that cannot be
/// listed are added to the errors. Items are in path order.
pub fn take(root: &Path, errors: &mut Vec<FileError>, progress: &Progress) -> Result<Vec<Item>> {
    let names = folders::names_in(root)?;
    let mut jobs: Vec<(String, Granularity)> = Vec::new();
    for suffix in [".meta.parquet", ".arrays.parquet"] {
        let deeper = old_files::deeper(root, &names, suffix, errors);
        jobs.extend(deeper.into_iter().map(|path| (path, Granularity::File)));
    }
    for name in names {
        let is_of_old = name.ends_with(".meta.parquet") || name.ends_with(".arrays.parquet");
        if is_of_old && !name.starts_with('.') {
            jobs.push((name, Granularity::File));
        } else if let Some((_, granularity)) = PARTS.iter().find(|part| part.0 == name) {
            let inner = folders::list(root, &name, is_record).into_names(errors);
            let inner = inner.into_iter().filter(|entry| !entry.starts_with('.'));
            jobs.extend(inner.map(|entry| (format!("{name}/{entry}"), *granularity)));
        }
    }
    let found: Vec<Result<(Vec<Item>, Vec<FileError>)>> = jobs
        .par_iter()
        .map(|(path, granularity)| {
            progress.check()?;
            let mut seen = Seen::default();
            walk(root, path, None, &mut seen);
            Ok((items(path, *granularity, &mut seen.stats), seen.errors))
        })
        .collect();
    let mut all = Vec::new();
    for found in found {
        let (items, unlisted) = found?;
        all.extend(items);
        folders::add_errors(errors, unlisted);
    }
    all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    mark_hidden(root, &mut all)?;
    Ok(all)
}

fn is_record(name: &str) -> bool {
    name.strip_suffix(".yaml").is_some()
}

/// Of files with other hidden rows makes other ones: what hides them may lie elsewhere.
fn mark_hidden(root: &Path, items: &mut [Item]) -> Result<()> {
    let folder_of = |item: &Item| item.path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    for of_folder in items.chunk_by_mut(|one, other| folder_of(one) == folder_of(other)) {
        let folder = of_folder.first().and_then(folder_of).unwrap_or_default();
        let names = of_folder.iter().filter_map(|item| item.path.rsplit('/').next());
        if !folder.starts_with("predictions/") || !resolve::may_hide(names) {
            continue;
        }
        let hidden = files::list_folder(root, &folder, Open::Live)?.hidden;
        for item in of_folder {
            item.fingerprint ^= hidden.get(&item.path).map_or(0, |hidden| hidden.fingerprint());
        }
    }
    Ok(())
}

/// A file and what its stat says.
struct Stat {
    path: String,
    fingerprint: u64,
    bytes: u64,
    changed_at: i64,
}

/// The files below a path.
#[derive(Default)]
struct Seen {
    stats: Vec<Stat>,
    /// Folders that cannot be listed.
    errors: Vec<FileError>,
}

/// Adds the files below a path. Links are followed at its top, below only to files.
fn walk(root: &Path, path: &str, kind: Option<FileType>, seen: &mut Seen) {
    let full = root.join(path);
    // What stands in the place of a file of predictions is looked at as one: reading it tells what it is.
    let is_segment = path.starts_with("predictions/")
        && path.rsplit('/').next().is_some_and(|name| kind.is_some() && file_names::is_of_predictions(name));
    if !is_segment && kind.is_some_and(|kind| kind.is_dir()) {
        return walk_folder(root, path, seen);
    }
    let metadata =
        full.metadata().or_else(|error| if is_segment { full.symlink_metadata() } else { Err(error) });
    let Ok(metadata) = metadata else { return };
    if metadata.is_dir() && !is_segment {
        if kind.is_none() {
            walk_folder(root, path, seen);
        }
        return;
    }
    let identity = stat::identity(&metadata);
    let mut bytes = path.as_bytes().to_vec();
    for number in identity.numbers() {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    seen.stats.push(Stat {
        path: path.to_owned(),
        fingerprint: XxHash3_64::oneshot(&bytes),
        bytes: identity.size,
        changed_at: identity.mtime_ns.max(identity.ctime_ns),
    });
}

fn walk_folder(root: &Path, path: &str, seen: &mut Seen) {
    let entries = match folders::entries(&root.join(path)) {
        Ok(entries) => entries,
        Err(error) if FileError::is_vanished(&error) => return,
        Err(error) => return seen.errors.push(FileError::new(path, &error)),
    };
    for (name, kind) in entries {
        if let (Ok(name), Some(kind)) = (name.into_string(), kind)
            && !name.starts_with('.')
        {
            walk(root, &format!("{path}/{name}"), Some(kind), seen);
        }
    }
}

fn items(path: &str, granularity: Granularity, stats: &mut [Stat]) -> Vec<Item> {
    stats.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let manifests: HashSet<&str> =
        stats.iter().filter_map(|stat| stat.path.strip_suffix("/manifest.yaml")).collect();
    // `runs/<dataset>/<configuration>`, as nirs4all 0.6 has them; deeper where one of these has a slash.
    let configuration = |stat: &'_ Stat| {
        let ends = stat.path.match_indices('/').map(|(end, _)| end).filter(|end| *end > path.len());
        let mut folders = ends.filter_map(|end| stat.path.get(..end));
        folders.find(|folder| manifests.contains(folder)).map(str::to_owned)
    };
    let mut found = BTreeMap::<String, Item>::new();
    for stat in stats.iter() {
        let owner = match granularity {
            Granularity::File => stat.path.clone(),
            Granularity::Folder => path.to_owned(),
            Granularity::Manifest => configuration(stat).unwrap_or_else(|| path.to_owned()),
        };
        let item = found.entry(owner).or_default();
        item.fingerprint =
            XxHash3_64::oneshot(&[item.fingerprint.to_le_bytes(), stat.fingerprint.to_le_bytes()].concat());
        item.files += 1;
        item.bytes += stat.bytes;
        item.changed_at = item.changed_at.max(stat.changed_at);
    }
    found.into_iter().map(|(path, item)| Item { path, ..item }).collect()
}
