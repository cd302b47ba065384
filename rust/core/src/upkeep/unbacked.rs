//! Results in lists whose rows are not in this copy: a merge took the longer list and skipped the longer segment,
//! whose name was taken. Such a result counts as not checkpointed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use serde_json::Value as Json;
use twox_hash::XxHash3_64;

use super::promote::each_live_row;
use crate::base::error::Result;
use crate::base::file_names::{self, Name};
use crate::base::progress::Progress;
use crate::fs::{atomic, folders, platform};
use crate::segment::checkpoints::Checkpoint;
use crate::segment::file_results::Said;
use crate::segment::{merged, resolve};

/// A list of results and what in it has no rows.
#[derive(Clone, Debug)]
pub struct List {
    name: Name,
    /// All of it.
    text: String,
    /// Ids of results whose rows are not there.
    results: BTreeSet<String>,
}

impl List {
    /// Relative to the workspace.
    pub fn path(&self) -> String {
        format!("runs/{}/{}", self.name.run_id, self.name.results())
    }

    /// What the list as it was is kept as.
    pub fn kept_as(&self) -> String {
        format!("{}.apart", self.name.results())
    }

    /// What is wrong.
    pub fn describe(&self) -> String {
        let first = self.results.first().map(String::as_str).unwrap_or_default();
        format!(
            "lists {} results, {first} the first, whose rows are not all in this copy of the run",
            self.results.len()
        )
    }
}

/// Takes such results out of their lists, which are kept beside.
pub fn set_aside(root: &Path, folder: &str, run_id: Option<&str>, progress: &Progress) -> Result<Vec<List>> {
    let lists = lists(root, folder, run_id, progress)?;
    for list in &lists {
        let path = root.join(list.path());
        atomic::replace(&path.with_file_name(list.kept_as()), list.text.as_bytes())?;
        let is_kept =
            |line: &&str| Checkpoint::of_result(line).is_none_or(|it| !list.results.contains(&it.id));
        let kept = list.text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect::<String>();
        atomic::replace(&path, kept.as_bytes())?;
    }
    Ok(lists)
}

/// Lists that go on after what was sealed of their writers in a folder, with results that lack rows.
pub fn lists(root: &Path, folder: &str, run_id: Option<&str>, progress: &Progress) -> Result<Vec<List>> {
    let place = root.join("predictions").join(folder);
    let names: Vec<String> = folders::names_in(&place)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| file_names::is_of_predictions(name))
        .collect();
    let live_set = resolve::resolve_live_files(&place, names);
    let of_run = |file: &String| Name::of(file).filter(|it| run_id.is_none_or(|id| id == it.run_id));
    let open: HashSet<(String, String)> = live_set
        .journals
        .iter()
        .chain(live_set.errors.iter().map(|(file, _)| file))
        .filter_map(of_run)
        .map(|name| (name.run_id.clone(), name.base().to_owned()))
        .collect();
    let mut found = Vec::new();
    for (file, name) in live_set.files.iter().filter_map(|file| Some((file, of_run(file)?))) {
        progress.check()?;
        // What cannot be read is reported as that.
        let Ok(said) = Said::read(root, &format!("predictions/{folder}/{file}"), &name) else { continue };
        let checkpoints = said.checkpoints(&name.writer);
        let units = merged::units(&name, said.sealed().as_ref(), &said.replaced());
        for (writer, sealed) in units.into_iter().flat_map(|unit| unit.writers) {
            let Some(sealed) = sealed.filter(|sealed| !sealed.is_superseded()) else { continue };
            let name = Name { run_id: name.run_id.clone(), writer };
            if open.contains(&(name.run_id.clone(), name.base().to_owned())) {
                continue;
            }
            let path = root.join("runs").join(&name.run_id).join(name.results());
            let Ok(bytes) = platform::read(&path) else { continue };
            if XxHash3_64::oneshot(&bytes) == sealed.results {
                continue;
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let named: HashSet<&Checkpoint> = checkpoints.get(&name.writer).into_iter().flatten().collect();
            let mut doubtful = HashMap::new();
            for line in text.lines() {
                let Some(one) = Checkpoint::of_result(line).filter(|it| !named.contains(it)) else {
                    continue;
                };
                let rows = serde_json::from_str::<Json>(line).ok();
                let rows = rows.and_then(|json| json.get("n_rows").and_then(Json::as_u64));
                doubtful.extend(rows.map(|rows| (one.id, rows)));
            }
            if doubtful.is_empty() {
                continue;
            }
            // What cannot be read is reported as that, and its rows are not missed.
            let mut there = HashMap::<String, u64>::new();
            let counted = each_live_row(root, folder, &live_set.files, &name, &mut |_, result| {
                *there.entry(result.to_owned()).or_default() += 1;
            });
            if counted.is_err() {
                continue;
            }
            let lacking = |(id, rows): &(&String, &u64)| there.get(*id).copied().unwrap_or_default() < **rows;
            let results: BTreeSet<String> =
                doubtful.iter().filter(lacking).map(|(id, _)| id.clone()).collect();
            if !results.is_empty() {
                found.push(List { name, text, results });
            }
        }
    }
    Ok(found)
}
