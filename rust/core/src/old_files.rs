//! The files of nirs4all 0.6: in the workspace itself and, where the name of a dataset has a slash, deeper.

use std::path::Path;

use crate::files::{self, FileError};
use crate::folders;

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
/// is not searched. Links to folders are not followed; folders that cannot be listed are added to the errors.
pub fn deeper(root: &Path, names: &[String], suffix: &str, errors: &mut Vec<FileError>) -> Vec<String> {
    let has = |name: &str| names.iter().any(|own| own == name);
    let is_old =
        !has("workspace.yaml") && (has("runs") || names.iter().any(|name| files::is_prediction_file(name)));
    let mut found = Vec::new();
    if is_old {
        for name in names.iter().filter(|name| !OTHERS.contains(&name.as_str())) {
            search(root, name, suffix, 1, &mut found, errors);
        }
    }
    found.sort_unstable();
    found
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

fn search(
    root: &Path,
    folder: &str,
    suffix: &str,
    depth: usize,
    found: &mut Vec<String>,
    errors: &mut Vec<FileError>,
) {
    let is_folder = root.join(folder).symlink_metadata().is_ok_and(|stat| stat.is_dir());
    let is_hidden = folder.rsplit('/').next().is_some_and(|name| name.starts_with('.'));
    if !is_folder || is_hidden || depth > DEEPEST {
        return;
    }
    let names = folders::list(root, folder, |_| false).into_names(errors);
    if names.iter().any(|name| WORKSPACE.contains(&name.as_str())) {
        return;
    }
    for name in names {
        let path = format!("{folder}/{name}");
        if is_of(&name, suffix) {
            found.push(path);
        } else if !name.contains('.') || root.join(&path).is_dir() {
            search(root, &path, suffix, depth + 1, found, errors);
        }
    }
}
