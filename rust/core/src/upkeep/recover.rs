//! Finishing what dead writers left: their journals are fenced, sealed and, later, removed.
//!
//! Every step can be repeated: a death in the middle of a recovery leaves what the next one finishes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::Finding;
use super::{promote, removal, unbacked};
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::file_names::{self, Name};
use crate::base::progress::Progress;
use crate::fs::forks::OwnFile;
use crate::fs::lock::{self, Holder, ONE_TRY};
use crate::fs::{atomic, folders, platform, stat};
use crate::reading::files;
use crate::segment::journal::{self, End, Header, Journal, keep_corrupt};
use crate::segment::{merged, resolve, sealed};
use crate::write::seal::{self, Outcome, finished_in};

/// A name that was replaced is removed no sooner than this after its replacement appeared, so that a
/// reader who listed it can still read it.
const GRACE: Duration = Duration::from_secs(10);
/// How old files must be on drives whose listings other hosts may see late.
const NETWORK_GRACE: Duration = Duration::from_secs(120);

/// Which journals to recover.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only those of this run.
    pub run_id: Option<String>,
    /// Machines that are dead, by the word of the caller: their writers too, whatever their locks say.
    pub dead_hosts: Vec<String>,
}

/// A writer that was left alone.
#[derive(Clone, Debug)]
pub struct Living {
    /// Its journal, relative to the workspace.
    pub path: String,
    /// The process.
    pub owner: Holder,
}

/// What a recovery did.
#[derive(Debug, Default)]
pub struct Report {
    /// Journals that were sealed, relative to the workspace.
    pub sealed: Vec<(String, Outcome)>,
    /// Files that were removed, relative to the workspace.
    pub removed: Vec<String>,
    /// Writers that live.
    pub alive: Vec<Living>,
    /// What was found damaged or lost, and what could not be recovered.
    pub findings: Vec<Finding>,
}

impl Report {
    fn find(&mut self, path: &str, is_problem: bool, kind: &'static str, message: String) {
        self.findings.push(Finding { path: path.to_owned(), is_problem, kind, message });
    }

    /// What was done in a folder; nothing, and a finding, where it failed.
    fn take<T>(&mut self, folder: &str, done: Result<Vec<T>>) -> Result<Vec<T>> {
        match done {
            Err(error) if error.kind == ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.find(&format!("predictions/{folder}"), true, error.kind.name(), error.message);
                Ok(Vec::new())
            }
            done => done,
        }
    }
}

/// Seals the journals of dead writers, and removes what is no longer needed.
pub fn recover(root: &Path, scope: &Scope, progress: &Progress) -> Result<Report> {
    let mut report = Report::default();
    let mut errors = Vec::new();
    for folder in files::prediction_folders(root, &mut errors) {
        for (path, aside) in removal::set_damaged_aside(root, &folder, scope.run_id.as_deref(), &mut errors) {
            let message =
                format!("is damaged; the file is kept as {aside}, an intact copy of its rows counts");
            report.find(&path, true, "corrupt", message);
        }
        let journals = journals_in(root, &folder, scope.run_id.as_deref(), &mut errors);
        let mut dead = Vec::new();
        for name in journals.iter().cloned() {
            progress.check()?;
            let path = format!("predictions/{folder}/{}", name.journal());
            match declare_dead(root, &path, scope) {
                Ok(Fate::Dead(lock)) => dead.push((name, lock)),
                Ok(Fate::Living(owner)) => report.alive.push(Living { path, owner }),
                Ok(Fate::Gone) => {}
                // Its writer died at once: there is nothing to keep.
                Ok(Fate::Unreadable(_)) if is_empty(&root.join(&path)) => {
                    match atomic::remove_if_there(&root.join(&path)) {
                        Ok(()) => report.removed.push(path),
                        Err(error) => report.find(&path, true, error.kind.name(), error.message),
                    }
                }
                Ok(Fate::Unreadable(error)) => {
                    // One whose header is not whole was most likely never flushed into.
                    let is_problem = error.kind != ErrorKind::Truncated;
                    let message = format!("{}; nothing in it counts", error.message);
                    set_aside(root, &path, is_problem, &message, &mut report);
                }
                Err(error) => report.find(&path, true, error.kind.name(), error.message),
            }
        }
        seal_all(root, &folder, &journals, &dead, &mut report, progress)?;
        drop(dead);
        let promoted = promote::promote(root, &folder, scope.run_id.as_deref(), progress);
        for path in report.take(&folder, promoted)? {
            let message = "has rows of a result that was checkpointed after they were set apart as unfinished: copies \
                           of this run went apart";
            report.find(&path, false, "outgrown", message.to_owned());
        }
        let lists = unbacked::set_aside(root, &folder, scope.run_id.as_deref(), progress);
        for list in report.take(&folder, lists)? {
            let message = format!(
                "{}; they count as not checkpointed, and the list as it was is kept as {}",
                list.describe(),
                list.kept_as()
            );
            report.find(&list.path(), false, "incomplete", message);
        }
    }
    report.removed.extend(sweep(root, None, &mut errors));
    for error in errors {
        report.find(&error.path, true, error.kind.name(), error.message);
    }
    Ok(report)
}

/// Whether a file has no byte.
fn is_empty(path: &Path) -> bool {
    stat::identity_of(path).is_ok_and(|identity| identity.size == 0)
}

/// The journals in a folder, those that go on from another one after it.
fn journals_in(root: &Path, folder: &str, run_id: Option<&str>, errors: &mut Vec<FileError>) -> Vec<Name> {
    let mut names: Vec<Name> = files::names_of_predictions(root, folder, errors)
        .iter()
        .filter(|file| file_names::is_journal(file))
        .filter_map(|file| Name::of(file))
        .filter(|name| run_id.is_none_or(|run_id| run_id == name.run_id))
        .collect();
    names.sort_by_key(|name| (name.run_id.clone(), name.writer.len(), name.writer.clone()));
    names
}

enum Fate {
    /// Its lock is ours as long as this file is open.
    Dead(Option<OwnFile>),
    Living(Holder),
    Gone,
    Unreadable(Error),
}

/// Takes a journal's lock without waiting; who gets it knows that its writer is dead, and says so by a
/// fence before reading.
fn declare_dead(root: &Path, relative: &str, scope: &Scope) -> Result<Fate> {
    let path = root.join(relative);
    // Opened before it is read, so that the lock is not one of a file that came in between.
    let Some(file) = lock::open_existing(&path)? else { return Ok(Fate::Gone) };
    let Journal { header: Header { owner, .. }, .. } = match Journal::open(&path) {
        Ok(journal) => journal,
        Err(error) if FileError::is_vanished(&error) => return Ok(Fate::Gone),
        Err(error) if error.is_damage() => {
            // Where it is locked, its writer is just making it.
            let is_ours = lock::lock_file(&file, &path, ONE_TRY)?;
            return Ok(if is_ours { Fate::Unreadable(error) } else { Fate::Gone });
        }
        Err(error) => return Err(error),
    };
    let is_dead_host = scope.dead_hosts.contains(&owner.host);
    // Where locks may not reach the other host, only a user can say that it is dead.
    let is_out_of_reach = platform::is_network_drive(root) && owner.host != platform::host();
    let is_ours = lock::lock_file(&file, &path, ONE_TRY)?;
    if !is_dead_host && (is_out_of_reach || !is_ours) {
        return Ok(Fate::Living(owner));
    }
    journal::fence(&path)?;
    Ok(Fate::Dead(is_ours.then_some(file)))
}

/// Seals journals of one folder; a result may have been checkpointed in a successor of its rows'.
fn seal_all(
    root: &Path,
    folder: &str,
    journals: &[Name],
    dead: &[(Name, Option<OwnFile>)],
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    for (name, _) in dead {
        let relative = format!("predictions/{folder}/{}", name.journal());
        let path = root.join(&relative);
        // One whose writer died a moment ago is not among the dead, but what it says counts.
        let later = journals.iter().filter(|later| later != &name && is_of_writer(later, name));
        let finished = later.map(|later| finished_in(&path.with_file_name(later.journal()), progress));
        let sealed = finished.collect::<Result<Vec<_>>>().and_then(|finished| {
            let finished: BTreeSet<String> = finished.into_iter().flatten().collect();
            seal_unless_covered(root, folder, &path, &finished, progress)
        });
        match sealed {
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
            Err(error) => report.find(&relative, true, error.kind.name(), error.message),
            Ok(None) => {}
            Ok(Some(outcome)) => {
                for (kind, message) in &outcome.notes {
                    report.find(&relative, false, kind, message.clone());
                }
                if outcome.reading.end == End::Torn {
                    let offset = outcome.reading.reach().offset;
                    let message = format!("ended at byte {offset} in a frame that was never acknowledged");
                    report.find(&relative, false, "torn", message);
                }
                if let Some(message) = outcome.reading.describe() {
                    set_aside(root, &relative, true, &message, report);
                }
                report.sealed.push((relative, outcome));
            }
        }
    }
    Ok(())
}

fn is_of_writer(later: &Name, name: &Name) -> bool {
    let base = |name: &Name| name.writer.split('-').next().map(str::to_owned);
    later.run_id == name.run_id && base(later) == base(name)
}

fn seal_unless_covered(
    root: &Path,
    folder: &str,
    path: &Path,
    finished: &BTreeSet<String>,
    progress: &Progress,
) -> Result<Option<Outcome>> {
    let journal = Journal::open(path)?;
    let Some(name) = Name::of_path(path) else { return Ok(None) };
    let segment = path.with_file_name(name.sealed());
    if let Ok(Some(sealed)) = sealed::sealed_of(&segment)
        && journal.is_covered_by(&sealed)?
    {
        return Ok(None);
    }
    let predictions = path.parent().unwrap_or(root);
    if !segment.exists()
        && let Some((compacted, is_divided)) = merged::compacted_of(predictions, &name)?
    {
        if journal.is_covered_by(&compacted)? {
            return Ok(None);
        }
        if is_divided {
            // Sealed as a whole it is the longer carrier, and hides what was merged of it.
            return seal::seal(root, folder, path, finished, None, progress).map(Some);
        }
        let outcome = seal::seal_rest(root, folder, path, &compacted, finished, progress)?;
        // It was not live: what it has is in the compaction and in the rest.
        if !outcome.reading.is_damaged() {
            seal::remove_journal(path)?;
        }
        return Ok(Some(outcome));
    }
    seal::seal(root, folder, path, finished, None, progress).map(Some)
}

/// Keeps a damaged journal under another name, and says so.
fn set_aside(root: &Path, relative: &str, is_problem: bool, message: &str, report: &mut Report) {
    match keep_corrupt(&root.join(relative)) {
        Ok(aside) => {
            let aside = Path::new(relative).with_file_name(aside);
            let message = format!("{message}; that was sealed, the file is kept as {}", aside.display());
            report.find(relative, is_problem, "corrupt", message);
        }
        Err(error) => report.find(relative, true, error.kind.name(), format!("{message}; {}", error.message)),
    }
}

/// The journals of a run whose writers live; folders that may hold others and cannot be listed are added to the
/// errors.
pub fn living(root: &Path, run_id: &str, errors: &mut Vec<FileError>) -> Result<Vec<Living>> {
    let mut living = Vec::new();
    for folder in files::prediction_folders(root, errors) {
        for name in journals_in(root, &folder, Some(run_id), errors) {
            let path = format!("predictions/{folder}/{}", name.journal());
            let full = root.join(&path);
            if lock::is_held(&full)?
                && let Ok(journal) = Journal::open(&full)
                // One that is sealed is held while it is cleared away.
                && !sealed::sealed_of(&full.with_file_name(name.sealed()))
                    .is_ok_and(|sealed| sealed.is_some_and(|it| journal.is_covered_by(&it).unwrap_or(false)))
            {
                living.push(Living { path, owner: journal.header.owner });
            }
        }
    }
    Ok(living)
}

/// Removes, in one dataset's folder or in every one, journals that a segment covers, segments that a
/// compaction replaced, and temporary files whose writers are gone; returns them relative to the
/// workspace. What cannot be looked at or removed stays, and is added to the errors.
pub fn sweep(root: &Path, folder: Option<&str>, errors: &mut Vec<FileError>) -> Vec<String> {
    let grace = if platform::is_network_drive(root) { NETWORK_GRACE } else { GRACE };
    let mut removed = Vec::new();
    let folders = match folder {
        Some(folder) => vec![folder.to_owned()],
        None => files::prediction_folders(root, errors),
    };
    let mut places = Vec::new();
    for folder in folders {
        removed.extend(sweep_folder(root, &folder, grace, errors));
        places.push(format!("predictions/{folder}"));
        places.push(format!("predictions/{folder}/{}", file_names::PARTIAL_FOLDER));
        places.push(format!("arrays/{folder}"));
    }
    if folder.is_none() {
        let runs = folders::folders(root, "runs").into_names(errors);
        places.extend(runs.into_iter().map(|run| format!("runs/{run}")));
    }
    for place in places {
        if let Err(error) = atomic::sweep(&root.join(&place)) {
            let path = error.path.as_deref().and_then(|path| path.strip_prefix(root).ok()?.to_str());
            let of_file = path.filter(|path| *path != place).map(|path| FileError::new(path, &error));
            folders::add_errors(errors, of_file.or_else(|| folders::blame(root, &place, &error)));
        }
    }
    removed
}

fn sweep_folder(root: &Path, folder: &str, grace: Duration, errors: &mut Vec<FileError>) -> Vec<String> {
    let mut checks = removal::Checks::new(root, folder);
    let path = root.join("predictions").join(folder);
    let names = files::names_of_predictions(root, folder, errors);
    let of_predictions = names.iter().filter(|name| file_names::is_of_predictions(name));
    let live_set = resolve::resolve_live_files(&path, of_predictions.cloned().collect());
    let is_old = |file: &str| {
        let stat = stat::stat(&path.join(file)).and_then(|stat| stat.modified());
        stat.is_ok_and(|time| time.elapsed().is_ok_and(|age| age >= grace))
    };
    let mut removed = Vec::new();
    let mut remove = |relative: &str| match atomic::remove_if_there(&root.join(relative)) {
        Ok(()) => removed.push(relative.to_owned()),
        Err(error) => errors.push(FileError::new(relative, &error)),
    };
    let mut kept = Vec::new();
    for journal in live_set.covered.clone() {
        let sealed = Name::of(&journal).map(|name| name.sealed()).unwrap_or_default();
        // Where the segment was compacted, that is older.
        let is_old = |file: &str| is_old(file) || !path.join(file).exists() && is_old(&journal);
        // Where a journal goes on from one that is not yet sealed, it says what counts of that one.
        let is_needed = Name::of(&journal).is_some_and(|name| {
            live_set
                .journals
                .iter()
                .filter_map(|other| Name::of(other))
                .any(|other| is_of_writer(&other, &name))
        });
        let is_free = || lock::is_held(&path.join(&journal)).is_ok_and(|held| !held);
        let is_due = !is_needed && is_old(&sealed) && is_free();
        if is_due && checks.may_remove(&journal, &live_set) {
            remove(&format!("predictions/{folder}/{journal}"));
            // Without its journal it is removed below, the next time.
            let _ = atomic::remove_if_there(&journal::fence_path(&path.join(&journal)));
        } else {
            kept.push(sealed);
        }
    }
    let mut replaced = BTreeMap::<String, bool>::new();
    for (file, by) in live_set.replaced.clone() {
        *replaced.entry(file).or_insert(true) &= is_old(&by);
    }
    for (file, is_due) in replaced {
        // A journal that is still there would count again without its segment.
        if is_due && !kept.contains(&file) && checks.may_remove(&file, &live_set) {
            remove(&format!("predictions/{folder}/{file}"));
            // What replaced a compaction has its results by now.
            if let Some(name) = Name::of(&file).filter(Name::is_compaction) {
                let list = format!("runs/{}/{}", name.run_id, name.results());
                if root.join(&list).exists() {
                    remove(&list);
                }
            }
        }
    }
    for fence in &names {
        if fence.strip_suffix(".fence").is_some_and(|journal| !path.join(journal).exists()) {
            remove(&format!("predictions/{folder}/{fence}"));
        }
    }
    errors.extend(checks.errors);
    removed
}

/// Every file of a run below `predictions` and `arrays`, relative to the workspace; folders that may hold others and
/// cannot be listed are added to the errors.
pub fn files_of_run(root: &Path, run_id: &str, errors: &mut Vec<FileError>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let prefix = format!("{run_id}.");
    for top in ["predictions", "arrays"] {
        for folder in folders::folders(root, top).into_names(errors) {
            let partial = format!("{top}/{folder}/{}", file_names::PARTIAL_FOLDER);
            for relative in [format!("{top}/{folder}"), partial] {
                for name in folders::list(root, &relative, |_| false).into_names(errors) {
                    let is_of_run = name.strip_prefix(&prefix).is_some_and(is_writers);
                    found.extend(is_of_run.then(|| Path::new(&relative).join(name)));
                }
            }
        }
    }
    found
}

/// Removes the rows of a run's unfinished results, durably, before it does that work again; returns
/// the files relative to the workspace.
pub fn remove_partial(root: &Path, run_id: &str) -> Result<Vec<PathBuf>> {
    // Of what cannot be listed nothing is read either.
    let mut partial = files_of_run(root, run_id, &mut Vec::new());
    partial.retain(|path| path.parent().is_some_and(|folder| folder.ends_with(file_names::PARTIAL_FOLDER)));
    // Those whose result was checkpointed after all become live, never less.
    partial.retain(|path| {
        let folder = path.components().nth(1).and_then(|part| part.as_os_str().to_str());
        let due = folder.zip(Name::of_path(path)).map(|(folder, name)| promote::due(root, folder, &name));
        due.is_none_or(|due| due.map_or(true, |due| due.rows.is_empty()))
    });
    for path in &partial {
        atomic::remove_if_there(&root.join(path))?;
        atomic::sync_entry(&root.join(path))?;
    }
    Ok(partial)
}

/// Whether a name goes on as those of a writer's files do, and not with more of a longer run id.
fn is_writers(rest: &str) -> bool {
    rest.split_once('.').is_some_and(|(writer, suffix)| {
        !writer.is_empty()
            && ["journal", "meta.", "partial.", "arrays."].iter().any(|start| suffix.starts_with(start))
    })
}
