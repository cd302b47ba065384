//! Checking what copies that went apart and were merged left: files that do not count and have something that no
//! other file has, rows that should be live, and results whose rows were not copied.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::beside::Live;
use super::finding::Finding;
use super::{promote, removal, unbacked};
use crate::base::error::{ErrorKind, Result};
use crate::base::file_names::{self, Name};
use crate::base::progress::Progress;
use crate::segment::live_set::LiveSet;

/// Checks one folder of predictions; with `full` also whether live files that replace others are whole.
pub fn verify(
    root: &Path,
    folder: &str,
    live_set: &LiveSet,
    full: bool,
    progress: &Progress,
) -> Result<Vec<Finding>> {
    let place = root.join("predictions").join(folder);
    let mut findings = Vec::new();
    let at = |file: &str, is_problem, kind, message| Finding {
        path: format!("predictions/{folder}/{file}"),
        is_problem,
        kind,
        message,
    };
    let replaced: BTreeSet<&String> =
        live_set.covered.iter().chain(live_set.replaced.iter().map(|(file, _)| file)).collect();
    let (mut live, mut compactions) = (HashMap::new(), removal::Compactions::new());
    for file in replaced {
        let Some(name) = Name::of(file) else { continue };
        let live = live.entry(name.run_id.clone()).or_insert_with(Live::default);
        let carriers = removal::carriers(file, &name, &place, live_set, &mut compactions);
        live.carriers = carriers.unwrap_or_default();
        let (is_problem, kind, message) = needed(root, folder, file, &name, live, full, progress)?;
        findings.push(at(file, is_problem, kind, message));
    }
    for name in promote::names(root, folder, None) {
        progress.check()?;
        // What cannot be read is reported as that.
        let rows = promote::due(root, folder, &name).map(|due| due.rows).unwrap_or_default();
        let count: usize = rows.values().map(BTreeSet::len).sum();
        if let Some((result, _)) = rows.first_key_value() {
            let message = format!(
                "has {count} rows of {} results that were checkpointed, {result} the first, and that are in no answer: \
                 copies of this run went apart; recover makes them live",
                rows.len()
            );
            findings.push(at(&name.partial(), true, "outgrown", message));
        }
    }
    for list in unbacked::lists(root, folder, None, progress)? {
        let message = format!(
            "{}: copy these files from where the list came from, or recover plans them again",
            list.describe()
        );
        findings.push(Finding { path: list.path(), is_problem: true, kind: "incomplete", message });
    }
    Ok(findings)
}

/// What is to be said of a file that does not count.
fn needed(
    root: &Path,
    folder: &str,
    file: &str,
    name: &Name,
    live: &mut Live,
    full: bool,
    progress: &Progress,
) -> Result<(bool, &'static str, String)> {
    let no_longer = (false, "leftover", "is no longer needed; recover, compact or gc removes it".to_owned());
    let place = root.join("predictions").join(folder);
    if full && let Some((carrier, _)) = live.damaged(&place) {
        let message =
            format!("is needed: {carrier}, which counts in its place, is damaged; recover mends that");
        return Ok((false, "interrupted", message));
    }
    progress.check()?;
    match removal::only_in(root, folder, file, name, live, progress) {
        Err(error) if error.kind == ErrorKind::Interrupted => Err(error),
        Ok(only) if !only.is_empty() => {
            let message = format!(
                "is needed: it has {} that no other file has, copies of this run went apart; recover writes them elsewhere",
                only.describe()
            );
            Ok((!file_names::is_journal(file), "interrupted", message))
        }
        // What cannot be read is reported as that.
        _ => Ok(no_longer),
    }
}
