//! The files of nirs4all 0.6 that belong to datasets and sessions.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::base::error::{FileError, Result};
use crate::base::file_names::{self, Name, SUFFIX};
use crate::catalogue::entry::{Entry, Kind};
use crate::fs::folders;
use crate::reading::files;
use crate::segment::hidden_rows::Hidden;
use crate::segment::live_set::Open;
use crate::yaml::tree::Tree;

/// Those files of nirs4all 0.6 that are there, named after these datasets, whatever they are; folders in which
/// there may be more of them are added to the errors.
pub(crate) fn old_files(
    root: &Path,
    datasets: impl Iterator<Item = String>,
    errors: &mut Vec<FileError>,
) -> Vec<String> {
    let mut files: Vec<String> = datasets.map(|name| format!("{name}{SUFFIX}")).collect();
    files.sort_unstable();
    // Whatever manifests say, files are those that are listed.
    let has_deeper = files.iter().any(|file| file.contains('/'));
    let mut found = Vec::new();
    let deeper = if has_deeper { files::list_old(root, &mut found) } else { Vec::new() };
    let is_wanted = |error: &FileError| files.iter().any(|file| is_within(file, &error.path));
    folders::add_errors(errors, found.into_iter().filter(is_wanted));
    files.retain(|file| {
        if file.contains('/') {
            return deeper.binary_search(file).is_ok();
        }
        file_names::is_prediction_file(file) && root.join(file).symlink_metadata().is_ok()
    });
    files
}

/// Whether a file is this one, or lies in this folder.
pub(crate) fn is_within(file: &str, path: &str) -> bool {
    file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The rows of files that are not live.
pub(crate) type HiddenRows = HashMap<String, Arc<Hidden>>;

/// Files that are read as one, and the entry that they are of.
type Wanted = (Option<String>, Vec<String>);

/// Lists of files that are read as one, each with the entry that they are of, or `None` where sessions share
/// them.
pub(crate) fn wanted_files(
    root: &Path,
    entries: &[Arc<Entry>],
    errors: &mut Vec<FileError>,
) -> Result<(Vec<Wanted>, HiddenRows)> {
    let (mut wanted, mut hidden) = (Vec::new(), HiddenRows::new());
    let (mut segments, mut datasets) = (HashMap::new(), HashSet::new());
    for entry in entries {
        let tree = match entry.kind {
            Kind::Run | Kind::Part => continue,
            Kind::Session | Kind::Files => entry.tree()?,
        };
        let items = |key: &str| tree.get(key).and_then(Tree::items).unwrap_or_default().to_vec();
        for manifest in items("manifests") {
            datasets.extend(
                [folder_of(&manifest), manifest.text("dataset")].into_iter().flatten().map(str::to_owned),
            );
        }
        let files: Vec<String> =
            items("files").iter().filter_map(|file| file.as_str().map(str::to_owned)).collect();
        if files.iter().any(|file| Name::of_path(Path::new(file)).is_some()) {
            segments.insert(entry.id.clone(), Vec::new());
        } else if !files.is_empty() {
            wanted.push((Some(entry.id.clone()), files));
        }
    }
    wanted.extend(old_files(root, datasets.into_iter(), errors).into_iter().map(|file| (None, vec![file])));
    if !segments.is_empty() {
        // What is live of them: journals that are not sealed, and compactions in place of their inputs.
        let listing = files::list(root, Open::Live)?;
        hidden = listing.hidden;
        for file in listing.files {
            let run = Name::of_path(Path::new(&file)).map(|name| name.run_id);
            if let Some(files) = run.and_then(|run| segments.get_mut(&run)) {
                files.push(file);
            }
        }
        wanted.extend(segments.into_iter().map(|(run, files)| (Some(run), files)));
    }
    Ok((wanted, hidden))
}

/// The folder below `runs` that a manifest lies in, which is named after its dataset.
pub(crate) fn folder_of(manifest: &Tree) -> Option<&str> {
    super::manifests::folder_of(manifest.text("path")?, manifest.text("pipeline_id").unwrap_or_default())
}
