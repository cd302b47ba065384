//! Checking what writers left: journals, leftovers, and copies that went apart.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hasher as _;
use std::path::Path;

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::finding::Finding;
use super::{verify_arrays, verify_copies};
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::file_names::{self, Name};
use crate::base::progress::Progress;
use crate::fs::{folders, lock, platform};
use crate::reading::{files, open_segments};
use crate::segment::checkpoints::Checkpoint;
use crate::segment::file_results::Said;
use crate::segment::journal::{self, Journal};
use crate::segment::live_set::Lost;
use crate::segment::{merged, resolve, sealed};
use crate::write::seal::Survey;

/// What was found in a folder, and the results that its live segments name.
type Checked = (Vec<Finding>, Vec<Named>);

/// A segment, relative to the workspace, its run, and the results that its footer names.
type Named = (String, String, Vec<Checkpoint>);

/// Checks the folders of `predictions`, in name order; with `full` also every frame of journals and
/// whether the arrays that rows name are there.
pub fn verify(root: &Path, full: bool, progress: &Progress) -> Result<Vec<Finding>> {
    let mut errors = Vec::new();
    let folders = files::prediction_folders(root, &mut errors);
    let checked: Vec<Result<Checked>> =
        folders.par_iter().map(|folder| check_folder(root, folder, full, progress)).collect();
    // Folders of arrays without predictions have nothing to compare; that they can be listed is checked.
    for folder in folders::folders(root, "arrays").into_names(&mut errors) {
        if folders.binary_search(&folder).is_err() {
            errors.extend(folders::list(root, &format!("arrays/{folder}"), |_| true).errors);
        }
    }
    let mut findings: Vec<Finding> = errors.into_iter().map(Finding::from).collect();
    let mut of_runs = BTreeMap::<String, Vec<(String, Vec<Checkpoint>)>>::new();
    for checked in checked {
        let (found, named) = checked?;
        findings.extend(found);
        named.into_iter().for_each(|(file, run, named)| of_runs.entry(run).or_default().push((file, named)));
    }
    for (run_id, named) in of_runs {
        progress.check()?;
        findings.extend(unlisted(root, &run_id, named)?);
    }
    Ok(findings)
}

/// The results of a run that its live segments name and that no list has: their rows are live, and nothing else
/// is known of them.
fn unlisted(root: &Path, run_id: &str, named: Vec<(String, Vec<Checkpoint>)>) -> Result<Vec<Finding>> {
    let texts = match open_segments::results_of_run(root, run_id) {
        Ok((texts, errors)) if errors.is_empty() => texts,
        // What cannot be read may list them, and is told as that.
        Ok(_) => return Ok(Vec::new()),
        Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
        Err(error) => return Ok(vec![FileError::new(&format!("runs/{run_id}"), &error).into()]),
    };
    let listed: HashSet<String> =
        texts.iter().filter_map(|(_, text)| Checkpoint::of_result(text)).map(|one| one.id).collect();
    let mut findings = Vec::new();
    for (path, named) in named {
        let lacking: Vec<_> = named.iter().filter(|one| !listed.contains(&one.id)).collect();
        if let Some(first) = lacking.first() {
            let message = format!(
                "has rows of {} results, {} the first, that are in no runs/{run_id}/results.*.jsonl: copy these files \
                 from where the segment came from, or the results are planned again",
                lacking.len(),
                first.id
            );
            findings.push(Finding { path, is_problem: true, kind: "dangling", message });
        }
    }
    Ok(findings)
}

fn check_folder(root: &Path, folder: &str, full: bool, progress: &Progress) -> Result<Checked> {
    let path = root.join("predictions").join(folder);
    let (mut findings, mut errors) = (Vec::new(), Vec::new());
    let mut find = |file: &str, is_problem, kind, message: String| {
        findings.push(Finding { path: format!("predictions/{folder}/{file}"), is_problem, kind, message });
    };
    let names = files::names_of_predictions(root, folder, &mut errors);
    let live_set = resolve::resolve_live(
        &path,
        names.iter().filter(|name| file_names::is_of_predictions(name)).cloned().collect(),
    );
    for file in &live_set.diverged {
        let message = "shares segments with a larger compaction without being part of it: copies of this run went apart; \
                       its rows do not count";
        find(file, true, "diverged", message.to_owned());
    }
    for (file, writer) in &live_set.overlapping {
        let message = format!(
            "the rows of writer {writer} in it are hidden: another file carries them as far or further; copies of \
             this run went apart"
        );
        find(file, false, "overlapping", message);
    }
    for Lost { file, result, winner } in &live_set.lost {
        let message = format!(
            "its rows of result {result} are hidden: the checkpoint of writer {winner} won, a done one before a \
             failed one and then the earlier one"
        );
        find(file, false, "repeated", message);
    }
    for (file, error) in &live_set.errors {
        find(file, true, error.kind.name(), error.message.clone());
    }
    for file in &live_set.outgrown {
        find(file, false, "outgrown", "its journal goes on after it; recover seals it again".to_owned());
    }
    for name in &names {
        if name.ends_with(".corrupt") {
            let message = if name.contains(file_names::JOURNAL_SUFFIX) {
                "a damaged journal, kept after all that can be read of it was sealed"
            } else {
                "a damaged segment, kept after an intact copy of its rows was found"
            };
            find(name, true, "corrupt", message.to_owned());
        } else if name.strip_suffix(".fence").is_some_and(|journal| !names.iter().any(|name| name == journal))
        {
            find(name, false, "leftover", "a fence without its journal; recover removes it".to_owned());
        }
    }
    let partial = format!("predictions/{folder}/{}", file_names::PARTIAL_FOLDER);
    for file in folders::list(root, &partial, |_| true).into_names(&mut errors) {
        let message = "rows of results that were never finished; resuming the run removes them";
        find(&format!("{}/{file}", file_names::PARTIAL_FOLDER), false, "partial", message.to_owned());
    }
    for file in &live_set.journals {
        progress.check()?;
        let path = path.join(file);
        match lock::is_held(&path) {
            Ok(true) => {}
            Ok(false) => {
                let is_fenced = journal::is_fenced(&path);
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
        for file in &live_set.files {
            match changed_results(root, folder, file) {
                Ok(None) => {}
                Ok(Some(message)) => find(file, true, "corrupt", message),
                Err(error) => errors.push(error),
            }
        }
    }
    findings.extend(verify_arrays::verify(root, folder, &live_set, full, &mut errors, progress)?);
    findings.extend(verify_copies::verify(root, folder, &live_set, full, progress)?);
    findings.extend(errors.into_iter().map(Finding::from));
    let named =
        live_set.files.iter().filter_map(|file| named_in(root, format!("predictions/{folder}/{file}")));
    Ok((findings, named.collect()))
}

/// The results that a segment of a run names; a segment without its run, or one that cannot be read, is reported
/// as that.
fn named_in(root: &Path, relative: String) -> Option<Named> {
    let name = Name::of(Path::new(&relative).file_name()?.to_str()?)?;
    let is_there = root.join("runs").join(&name.run_id).is_dir();
    let said = is_there.then(|| Said::read(root, &relative, &name))?.ok()?;
    let superseded = merged::superseded(root.join(&relative).parent()?, &name.run_id);
    let named = said.checkpoints(&name.writer).into_iter();
    let named =
        named.filter(|(writer, _)| !superseded.contains(writer)).flat_map(|(_, named)| named).collect();
    Some((relative, name.run_id, named))
}

/// Whether the list of results beside a segment is no longer the one that was made with it.
fn changed_results(root: &Path, folder: &str, file: &str) -> Result<Option<String>, FileError> {
    let segment = root.join("predictions").join(folder).join(file);
    // A segment that cannot be read is reported as that.
    let (Some(name), Ok(Some(sealed))) = (Name::of(file), sealed::sealed_of(&segment)) else {
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
    let is_changed =
        XxHash3_64::oneshot(&lines) != sealed.results && !is_of_a_copy(root, folder, file, &lines);
    Ok(is_changed.then(|| format!("{relative} is not the list of results that was sealed with it")))
}

/// Whether a list of results is that of a copy which went apart: it goes on after what was sealed, or lacks some of
/// it, which is told as that.
fn is_of_a_copy(root: &Path, folder: &str, file: &str, lines: &[u8]) -> bool {
    let Some(name) = Name::of(file) else { return false };
    let Ok(said) = Said::read(root, &format!("predictions/{folder}/{file}"), &name) else { return false };
    let Some(sealed) = said.sealed() else { return false };
    // The hash of what was sealed, should the list begin with that.
    let mut hash = XxHash3_64::new();
    let starts = std::iter::once(&lines[..0]).chain(lines.split_inclusive(|byte| *byte == b'\n'));
    let mut hashes = starts.map(|line| {
        hash.write(line);
        hash.finish()
    });
    if hashes.any(|hash| hash == sealed.results) {
        return true;
    }
    let named: HashSet<Checkpoint> = said.checkpoints(&name.writer).into_values().flatten().collect();
    let text = String::from_utf8_lossy(lines);
    let listed: Option<HashSet<Checkpoint>> = text.lines().map(Checkpoint::of_result).collect();
    listed.is_some_and(|listed| listed.len() < named.len() && listed.is_subset(&named))
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
