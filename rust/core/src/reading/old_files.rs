//! The files of nirs4all 0.6: in the workspace itself and, where the name of a dataset has a slash, deeper.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::base::error::FileError;
use crate::base::file_names::{self, SUFFIX};
use crate::fs::folders;

/// Folders that nirs4all, or this package, makes for something else.
const OTHERS: [&str; 14] = [
    "artifacts",
    "arrays",
    "binaries",
    "catalog",
    "datasets",
    "exports",
    "library",
    "logs",
    "native_results",
    "outputs",
    "predictions",
    "runs",
    "source",
    "templates",
];
/// What makes a folder a workspace of its own.
const WORKSPACE: [&str; 5] = ["workspace.yaml", "runs", "store.sqlite", "store.duckdb", "binaries"];
/// No name of a dataset has more slashes.
const DEEPEST: usize = 8;

/// The files with this suffix that lie deeper than in the workspace itself, with slashes, in name order.
///
/// `names` is what lies in the workspace. Nothing of format 2 lies so, and a folder that nirs4all did not write
/// is not searched. A link to a folder is followed, where nothing in `runs` is called so not into folders in it,
/// and no folder is searched twice. Folders that cannot be listed are added to the errors, and so is what is no
/// folder where manifests say that a dataset's files are.
pub fn deeper(root: &Path, names: &[String], suffix: &str, errors: &mut Vec<FileError>) -> Vec<String> {
    let has = |name: &str| names.iter().any(|own| own == name);
    let is_old = !has("workspace.yaml")
        && (has("runs") || names.iter().any(|name| file_names::is_prediction_file(name)));
    let mut search = Search { root, suffix, seen: HashSet::new(), found: Vec::new(), errors };
    if is_old {
        search.seen.extend(root.canonicalize());
        let is_searched =
            |name: &&String| !OTHERS.contains(&name.as_str()) && !file_names::is_prediction_file(name);
        // What datasets are called goes before what links to it.
        let (own, others): (Vec<_>, Vec<_>) =
            names.iter().filter(is_searched).partition(|name| root.join(RUNS).join(name).is_dir());
        for name in own {
            let path = root.join(name);
            if path.is_dir() {
                search.folder(name, 1);
            } else if !has(&format!("{name}{SUFFIX}")) && claims_deeper(&root.join(RUNS).join(name)) {
                let listed = folders::list(root, name, |_| false);
                folders::add_errors(search.errors, listed.errors);
            }
        }
        for name in others {
            let is_link = root.join(name).symlink_metadata().is_ok_and(|stat| stat.is_symlink());
            search.folder(name, if is_link { DEEPEST } else { 1 });
        }
    }
    search.found.sort_unstable();
    search.found
}

const RUNS: &str = "runs";

/// Whether a folder of `runs` has configurations of datasets whose names go on after it.
fn claims_deeper(folder: &Path) -> bool {
    let inner = |folder: &Path| folders::children(folder).into_iter().flatten().map(|entry| entry.path());
    let has_manifest = |folder: &Path| folder.join("manifest.yaml").exists();
    inner(folder).any(|one| !has_manifest(&one) && inner(&one).any(|config| has_manifest(&config)))
}

/// The files with this suffix in the workspace itself and deeper, in name order.
pub fn list(root: &Path, suffix: &str, errors: &mut Vec<FileError>) -> Vec<String> {
    let names = folders::list(root, "", |_| false).into_names(errors);
    let mut found = deeper(root, &names, suffix, errors);
    found.extend(names.into_iter().filter(|name| is_of(name, suffix)));
    found.sort_unstable();
    found
}

fn is_of(name: &str, suffix: &str) -> bool {
    name.ends_with(suffix) && !name.starts_with('.')
}

/// A walk through folders for files of nirs4all 0.6.
struct Search<'a> {
    root: &'a Path,
    suffix: &'a str,
    /// Folders that were searched, without links in their paths.
    seen: HashSet<PathBuf>,
    found: Vec<String>,
    errors: &'a mut Vec<FileError>,
}

impl Search<'_> {
    fn folder(&mut self, folder: &str, depth: usize) {
        let path = self.root.join(folder);
        let is_hidden = folder.rsplit('/').next().is_some_and(|name| name.starts_with('.'));
        if is_hidden || depth > DEEPEST || !path.is_dir() {
            return;
        }
        // One that cannot be searched has no such path, and is told by the listing.
        if path.canonicalize().is_ok_and(|path| !self.seen.insert(path)) {
            return;
        }
        let names = folders::list(self.root, folder, |_| false).into_names(self.errors);
        if names.iter().any(|name| WORKSPACE.contains(&name.as_str())) {
            return;
        }
        for name in names {
            let path = format!("{folder}/{name}");
            if is_of(&name, self.suffix) {
                self.found.push(path);
            } else if !name.contains('.') || self.root.join(&path).is_dir() {
                self.folder(&path, depth + 1);
            }
        }
    }
}
