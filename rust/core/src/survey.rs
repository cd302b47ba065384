//! What lies in a workspace, by stat alone: how much, and whether it changed since another look.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, FileType};
use std::path::Path;

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use crate::error::Result;
use crate::files::{self, Open};
use crate::old_files;
use crate::platform;
use crate::progress::Progress;
use crate::segments;

/// One file, or a folder whose files belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Relative to the workspace, with slashes.
    pub path: String,
    /// Another one where a file in it came, went or changed, as far as stats tell.
    pub stamp: u64,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When one of them changed last, ns since 1970.
    pub changed_at: i64,
}

/// How files of one top-level folder are put together.
#[derive(Clone, Copy, PartialEq)]
enum Grain {
    /// Each file is an item, at any depth.
    File,
    /// Each entry of the top-level folder is one.
    Folder,
    /// As `Folder`; but a manifest of nirs4all 0.6 makes the folder that it lies in one of its own.
    Manifest,
}

const PARTS: [(&str, Grain); 7] = [
    ("predictions", Grain::File),
    ("arrays", Grain::Folder),
    ("runs", Grain::Manifest),
    ("datasets", Grain::File),
    ("templates", Grain::File),
    ("artifacts", Grain::Folder),
    ("binaries", Grain::Folder),
];

/// Looks at all that is data, hidden names left out. What vanishes meanwhile, or may not be looked at, is
/// left out too: whoever reads it says why. Items are in path order.
pub fn survey(root: &Path, progress: &Progress) -> Result<Vec<Item>> {
    let names = files::names_in(root)?;
    let mut jobs: Vec<(String, Grain)> = Vec::new();
    for suffix in [".meta.parquet", ".arrays.parquet"] {
        jobs.extend(old_files::deeper(root, &names, suffix).into_iter().map(|path| (path, Grain::File)));
    }
    for name in names {
        let is_of_old = name.ends_with(".meta.parquet") || name.ends_with(".arrays.parquet");
        if is_of_old && !name.starts_with('.') {
            jobs.push((name, Grain::File));
        } else if let Some((_, grain)) = PARTS.iter().find(|part| part.0 == name) {
            let inner = files::names_in(&root.join(&name)).unwrap_or_default();
            let inner = inner.into_iter().filter(|entry| !entry.starts_with('.'));
            jobs.extend(inner.map(|entry| (format!("{name}/{entry}"), *grain)));
        }
    }
    let found: Vec<Result<Vec<Item>>> = jobs
        .par_iter()
        .map(|(path, grain)| {
            progress.check()?;
            let mut stats = Vec::new();
            walk(root, path, None, &mut stats);
            Ok(items(path, *grain, &mut stats))
        })
        .collect();
    let mut all: Vec<Item> = found.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    mark_hidden(root, &mut all)?;
    Ok(all)
}

/// Of files with other hidden rows makes other ones: what hides them may lie elsewhere.
fn mark_hidden(root: &Path, items: &mut [Item]) -> Result<()> {
    let folder_of = |item: &Item| item.path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    for of_folder in items.chunk_by_mut(|one, other| folder_of(one) == folder_of(other)) {
        let folder = of_folder.first().and_then(folder_of).unwrap_or_default();
        let names = of_folder.iter().filter_map(|item| item.path.rsplit('/').next());
        if !folder.starts_with("predictions/") || !segments::may_hide(names) {
            continue;
        }
        let hidden = files::list_folder(root, &folder, Open::Counted)?.hidden;
        for item in of_folder {
            item.stamp ^= hidden.get(&item.path).map_or(0, |hidden| hidden.fingerprint());
        }
    }
    Ok(())
}

/// A file and what its stat says.
struct Stat {
    path: String,
    stamp: u64,
    bytes: u64,
    changed_at: i64,
}

/// Adds the files below a path. Links are followed at its top, below only to files.
fn walk(root: &Path, path: &str, kind: Option<FileType>, stats: &mut Vec<Stat>) {
    let full = root.join(path);
    if kind.is_some_and(|kind| kind.is_dir()) {
        return walk_folder(root, path, stats);
    }
    let Ok(metadata) = fs::metadata(&full) else { return };
    if metadata.is_dir() {
        if kind.is_none() {
            walk_folder(root, path, stats);
        }
        return;
    }
    let identity = platform::identity(&metadata);
    let mut bytes = path.as_bytes().to_vec();
    for number in [identity.size, identity.mtime_ns as u64, identity.ctime_ns as u64, identity.inode] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    stats.push(Stat {
        path: path.to_owned(),
        stamp: XxHash3_64::oneshot(&bytes),
        bytes: identity.size,
        changed_at: identity.mtime_ns.max(identity.ctime_ns),
    });
}

fn walk_folder(root: &Path, path: &str, stats: &mut Vec<Stat>) {
    let Ok(entries) = fs::read_dir(root.join(path)) else { return };
    for entry in entries.flatten() {
        if let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type())
            && !name.starts_with('.')
        {
            walk(root, &format!("{path}/{name}"), Some(kind), stats);
        }
    }
}

fn items(path: &str, grain: Grain, stats: &mut [Stat]) -> Vec<Item> {
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
        let owner = match grain {
            Grain::File => stat.path.clone(),
            Grain::Folder => path.to_owned(),
            Grain::Manifest => configuration(stat).unwrap_or_else(|| path.to_owned()),
        };
        let item = found.entry(owner).or_default();
        item.stamp = XxHash3_64::oneshot(&[item.stamp.to_le_bytes(), stat.stamp.to_le_bytes()].concat());
        item.files += 1;
        item.bytes += stat.bytes;
        item.changed_at = item.changed_at.max(stat.changed_at);
    }
    found.into_iter().map(|(path, item)| Item { path, ..item }).collect()
}
