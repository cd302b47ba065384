//! Checking what writers left: journals, leftovers, and copies that went apart.

use std::path::Path;

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use crate::error::{Error, Result};
use crate::files::{self, FileError};
use crate::folders;
use crate::journal::Journal;
use crate::progress::Progress;
use crate::seal::Survey;
use crate::segments::{self, Lost, Name};
use crate::verify::Finding;
use crate::{journal, lock, platform, verify_arrays};

/// Checks the folders of `predictions`, in name order; with `full` also every frame of journals and
/// whether the arrays that rows name are there.
pub fn verify(root: &Path, full: bool, progress: &Progress) -> Result<Vec<Finding>> {
    let mut errors = Vec::new();
    let folders = files::prediction_folders(root, &mut errors);
    let found: Vec<Result<Vec<Finding>>> =
        folders.par_iter().map(|folder| check_folder(root, folder, full, progress)).collect();
    // Folders of arrays without predictions have nothing to compare; that they can be listed is checked.
    for folder in folders::folders(root, "arrays").into_names(&mut errors) {
        if folders.binary_search(&folder).is_err() {
            errors.extend(folders::list(root, &format!("arrays/{folder}"), |_| true).errors);
        }
    }
    let mut findings: Vec<Finding> = errors.into_iter().map(Finding::from).collect();
    for of_folder in found {
        findings.extend(of_folder?);
    }
    Ok(findings)
}

fn check_folder(root: &Path, folder: &str, full: bool, progress: &Progress) -> Result<Vec<Finding>> {
    let path = root.join("predictions").join(folder);
    let (mut findings, mut errors) = (Vec::new(), Vec::new());
    let mut find = |file: &str, is_problem, kind, message: String| {
        findings.push(Finding { path: format!("predictions/{folder}/{file}"), is_problem, kind, message });
    };
    let names = files::names_of_predictions(root, folder, &mut errors);
    let judged =
        segments::judge(&path, names.iter().filter(|name| files::is_of_predictions(name)).cloned().collect());
    for file in &judged.diverged {
        let message = "shares segments with a larger compaction without being part of it: copies of this run went apart; \
                       its rows do not count";
        find(file, true, "diverged", message.to_owned());
    }
    for (file, writer) in &judged.overlapping {
        let message = format!(
            "the rows of writer {writer} in it are hidden: another file carries them as far or further; copies of \
             this run went apart"
        );
        find(file, false, "overlapping", message);
    }
    for Lost { file, result, winner } in &judged.lost {
        let message = format!(
            "its rows of result {result} are hidden: the checkpoint of writer {winner} won, a done one before a \
             failed one and then the earlier one"
        );
        find(file, false, "repeated", message);
    }
    for (file, error) in &judged.errors {
        find(file, true, error.kind.name(), error.message.clone());
    }
    for file in judged.covered.iter().chain(judged.replaced.iter().map(|(file, _)| file)) {
        find(file, false, "leftover", "is no longer needed; recover, compact or gc removes it".to_owned());
    }
    for file in &judged.outgrown {
        find(file, false, "outgrown", "its journal goes on after it; recover seals it again".to_owned());
    }
    for name in &names {
        if name.ends_with(".corrupt") {
            find(
                name,
                true,
                "corrupt",
                "a damaged journal, kept after all that can be read of it was sealed".to_owned(),
            );
        } else if name.strip_suffix(".fence").is_some_and(|journal| !names.iter().any(|name| name == journal))
        {
            find(name, false, "leftover", "a fence without its journal; recover removes it".to_owned());
        }
    }
    let partial = format!("predictions/{folder}/{}", segments::PARTIAL_FOLDER);
    for file in folders::list(root, &partial, |_| true).into_names(&mut errors) {
        let message = "rows of results that were never finished; resuming the run removes them";
        find(&format!("{}/{file}", segments::PARTIAL_FOLDER), false, "partial", message.to_owned());
    }
    for file in &judged.journals {
        progress.check()?;
        let path = path.join(file);
        match lock::is_held(&path) {
            Ok(true) => {}
            Ok(false) => {
                let is_fenced = journal::fence_path(&path).exists();
                let message = if is_fenced { "a recovery was interrupted" } else { "its writer died" };
                find(file, false, "interrupted", format!("{message}; recover seals it"));
            }
            Err(error) => find(file, true, error.kind.name(), error.message),
        }
        if full {
            for (is_problem, kind, message) in damage_in(&path, progress) {
                find(file, is_problem, kind, message);
            }
        }
    }
    if full {
        for file in &judged.files {
            match changed_results(root, folder, file) {
                Ok(None) => {}
                Ok(Some(message)) => find(file, true, "corrupt", message),
                Err(error) => errors.push(error),
            }
        }
    }
    findings.extend(verify_arrays::verify(root, folder, &judged, full, &mut errors, progress)?);
    findings.extend(errors.into_iter().map(Finding::from));
    Ok(findings)
}

/// Whether the list of results beside a segment is no longer the one that was made with it.
fn changed_results(root: &Path, folder: &str, file: &str) -> Result<Option<String>, FileError> {
    let segment = root.join("predictions").join(folder).join(file);
    // A segment that cannot be read is reported as that.
    let (Some(name), Ok(Some(sealed))) = (Name::of(file), segments::sealed_of(&segment)) else {
        return Ok(None);
    };
    if !root.join("runs").join(&name.run_id).is_dir() {
        // A segment without its run, which was deleted or not copied, is reported as that.
        return Ok(None);
    }
    let relative = format!("runs/{}/{}", name.run_id, name.results());
    let lines = match platform::read(&root.join(&relative)) {
        Ok(lines) => lines,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(folders::error_of_file(root, &relative, &Error::pathless(error))),
    };
    let is_changed = XxHash3_64::oneshot(&lines) != sealed.results;
    Ok(is_changed.then(|| format!("{relative} is not the list of results that was sealed with it")))
}

/// What is wrong in a journal, whether a living writer cannot be the reason, and its kind.
fn damage_in(path: &Path, progress: &Progress) -> Vec<(bool, &'static str, String)> {
    let read = Journal::open(path).and_then(|journal| Ok((Survey::of(&journal, progress)?, journal)));
    match read {
        Err(error) => vec![(true, "corrupt", error.message)],
        Ok((survey, journal)) => {
            let is_problem = journal.damage(&survey.reading).is_some();
            let damage = survey.reading.describe().map(|message| (is_problem, "corrupt", message));
            // What results lack is told with those of their run.
            let notes = survey.notes.into_iter().filter(|(kind, _)| *kind != "unreadable");
            let notes = notes.map(|(kind, message)| (false, kind, message));
            damage.into_iter().chain(notes).collect()
        }
    }
}
