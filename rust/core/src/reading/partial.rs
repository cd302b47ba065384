//! Rows of results that were never finished, as sealing set them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::files;
use crate::base::error::FileError;
use crate::base::file_names::{self, Name, PARTIAL_FOLDER};
use crate::fs::folders;
use crate::segment::file_results::Memory;
use crate::segment::journal::Journal;
use crate::segment::live_set::Open;
use crate::segment::resolve;

/// The files of such rows, relative to the workspace, each with the results whose rows in it are not to be read:
/// their writer went on elsewhere and finished them. Those that a live journal still has are left out.
///
/// What cannot be looked at is added to the errors.
pub fn list(root: &Path, open: Open, errors: &mut Vec<FileError>) -> BTreeMap<String, BTreeSet<String>> {
    let memory = Memory::of(root);
    let trash = folders::trashed(root, errors);
    let mut found = BTreeMap::new();
    for folder in files::prediction_folders(root, errors) {
        let relative = format!("predictions/{folder}");
        let path = root.join(&relative);
        let below = format!("{relative}/{PARTIAL_FOLDER}");
        let partial = folders::list(root, &below, |_| true).into_names(errors).into_iter();
        let partial = partial.filter_map(|file| Some((Name::of(&file)?, file)));
        let partial: Vec<(Name, String)> = partial
            .filter(|(name, file)| name.partial().ends_with(file) && !trash.contains(&name.run_id))
            .collect();
        if partial.is_empty() {
            continue;
        }
        let mut names = files::names_of_predictions(root, &folder, errors);
        names.retain(|file| file_names::is_of_predictions(file));
        let live_set = resolve::resolve_live_files(&path, names.clone());
        for (name, file) in partial {
            if open == Open::Live && live_set.journals.contains(&name.journal()) {
                continue;
            }
            let finished = finished_by(&path, &relative, &names, &name, &memory);
            found.insert(format!("{relative}/{PARTIAL_FOLDER}/{file}"), finished);
        }
    }
    found
}

/// The results that a writer checkpointed in any file of a folder.
fn finished_by(
    path: &Path,
    relative: &str,
    names: &[String],
    name: &Name,
    memory: &Memory,
) -> BTreeSet<String> {
    let mut finished = BTreeSet::new();
    let of_run = names.iter().filter_map(|file| Some((file, Name::of(file)?)));
    for (file, other) in of_run.filter(|(_, other)| other.run_id == name.run_id) {
        // What a successor finished has its own rows alone.
        let is_own = other.writer == name.writer;
        let relative = format!("{relative}/{file}");
        // What cannot be read is reported when its rows are read.
        if file_names::is_journal(file) {
            let said =
                is_own.then(|| Journal::open(&path.join(file)).and_then(|it| memory.open(&relative, &it)));
            let checkpoints = said.and_then(Result::ok).map(|said| said.checkpoints).unwrap_or_default();
            finished.extend(checkpoints.into_iter().map(|checkpoint| checkpoint.id));
        } else if (is_own || other.is_compaction())
            && let Ok(said) = memory.sealed(&relative, &other)
        {
            let all = said.checkpoints(&other.writer).into_iter();
            let own = all.filter(|(writer, _)| *writer == name.writer);
            finished.extend(own.flat_map(|(_, all)| all).map(|checkpoint| checkpoint.id));
        }
    }
    finished
}
