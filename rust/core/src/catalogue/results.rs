//! Results of many runs at once: checkpointed ones of runs, and of what nirs4all 0.6 left what its rows say.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::entry::{Entry, Kind};
use super::found_results::Results;
use super::legacy::old_results::Groups;
use super::result_fields::{COMPUTED, complete};
use super::row_scores::RunFiles;
use crate::base::error::{Error, FileError, Result};
use crate::base::progress::Progress;
use crate::fs::folders;
use crate::reading::open_segments;
use crate::segment::checkpoint_rank::{self, Rank};
use crate::segment::checkpoints::REPLACES;
use crate::segment::stored_result;
use crate::yaml::tree::Tree;

/// Lists results within the current thread pool, of some runs or of all.
pub fn list(root: &Path, wanted: Option<&[String]>, progress: &Progress) -> Result<Results> {
    let entries = super::listing::list(root, true, progress)?.entries;
    let wanted = wanted.map(|wanted| wanted.iter().map(String::as_str).collect::<HashSet<_>>());
    let is_wanted = |id: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(id));
    let entries = entries.into_iter().map(|listed| listed.entry);
    let entries: Vec<Arc<Entry>> = entries.filter(|entry| is_wanted(&entry.id)).collect();
    let mut found = Results::default();
    for mut of_entry in of_entries(root, &entries, &mut found.errors, progress)? {
        found.results.append(&mut of_entry.results);
        found.repeated.append(&mut of_entry.repeated);
        found.errors.append(&mut of_entry.errors);
    }
    Ok(found)
}

/// The checkpointed results of one run, oldest first.
pub fn of_one_run(root: &Path, run_id: &str) -> Result<Results> {
    let (open, errors) = open_segments::open_results(root, &|run| run == run_id)?;
    let mut found = of_run(root, run_id, open.get(run_id));
    if found.lacks_scores {
        RunFiles::list(root)?.add_scores(root, run_id, &mut found);
    }
    folders::add_errors(&mut found.errors, errors);
    Ok(found)
}

/// The results of each of these entries.
pub(super) fn of_entries(
    root: &Path,
    entries: &[Arc<Entry>],
    errors: &mut Vec<FileError>,
    progress: &Progress,
) -> Result<Vec<Results>> {
    let runs: HashSet<&str> =
        entries.iter().filter(|entry| entry.kind == Kind::Run).map(|entry| entry.id.as_str()).collect();
    let mut open = HashMap::new();
    if !runs.is_empty() {
        let found = open_segments::open_results(root, &|run| runs.contains(run))?;
        open = found.0;
        folders::add_errors(errors, found.1);
    }
    let groups = Groups::read(root, entries, None, errors, progress)?;
    let results = entries.par_iter().map(|entry| {
        progress.check()?;
        match entry.kind {
            Kind::Run => Ok(of_run(root, &entry.id, open.get(&entry.id))),
            _ => Ok(Results { results: groups.of(entry)?, ..Results::default() }),
        }
    });
    let mut results = results.collect::<Result<Vec<_>>>()?;
    if results.iter().any(|found| found.lacks_scores) {
        let files = RunFiles::list(root)?;
        let mut lacking: Vec<_> =
            entries.iter().zip(&mut results).filter(|(_, found)| found.lacks_scores).collect();
        lacking.par_iter_mut().try_for_each(|(entry, found)| {
            progress.check()?;
            files.add_scores(root, &entry.id, found);
            Ok::<_, Error>(())
        })?;
    }
    Ok(results)
}

type Map = serde_json::Map<String, serde_json::Value>;

/// The checkpointed results of a run, of each result the checkpoint that wins.
pub(super) fn of_run(root: &Path, run_id: &str, open: Option<&open_segments::OpenResults>) -> Results {
    let none = open_segments::OpenResults::default();
    let open = open.unwrap_or(&none);
    let mut found = Results::default();
    let sealed = open_segments::sealed_results(root, run_id, open, &mut found.errors);
    found.errors.extend(open.errors.iter().cloned());
    let mut parsed = Vec::new();
    for (writer, text) in open.results.iter().chain(&sealed) {
        match stored_result::parse(text) {
            Ok(json) => {
                let text = |key: &str| json.get(key).and_then(|value| value.as_str()).unwrap_or_default();
                parsed.push((text("completed_at").to_owned(), writer, text("id").to_owned(), json));
            }
            Err(error) => {
                let path = format!("runs/{run_id}/results.{writer}.jsonl");
                found.errors.push(FileError::new(&path, &error));
            }
        }
    }
    parsed.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let wins = checkpoint_rank::winners(parsed.iter().map(|(completed_at, writer, id, json)| {
        let status = json.get("status").and_then(|status| status.as_str());
        (id.as_str(), Rank::new(status, Some(completed_at), writer))
    }));
    // Of several failed attempts the last one says what is wrong.
    let failed = |json: &Map| json.get("status").is_some_and(|status| status == "failed");
    let said = |json: &Map| ["error", "traceback"].map(|key| (key, json.get(key).cloned()));
    let of_failed = parsed.iter().filter(|(_, _, _, json)| failed(json));
    let last: HashMap<String, _> = of_failed.map(|(_, _, id, json)| (id.clone(), said(json))).collect();
    for ((_, writer, id, mut json), wins) in parsed.into_iter().zip(wins) {
        if let Some(last) = last.get(&id).filter(|_| wins && failed(&json)) {
            json.extend(last.iter().filter_map(|(key, said)| Some(((*key).to_owned(), said.clone()?))));
        }
        found.lacks_scores |= wins && lacks_scores(&json) && !failed(&json);
        let given = json.into_iter().filter(|(key, _)| key != "writer" && key != REPLACES);
        let mut given: Vec<(Tree, Tree)> = given.map(|(key, value)| (key.into(), of_json(value))).collect();
        given.push(("writer".into(), writer.as_str().into()));
        let result = complete(given);
        if wins { found.results.push(result) } else { found.repeated.push(result) }
    }
    found
}

/// Whether an earlier version finished a result, or one that did not know which of its models is the best.
fn lacks_scores(json: &Map) -> bool {
    json.get(COMPUTED)
        .is_none_or(|basis| basis.is_null() && json.get("models").is_some_and(serde_json::Value::is_array))
}

fn of_json(value: serde_json::Value) -> Tree {
    match value {
        serde_json::Value::Null => Tree::Null,
        serde_json::Value::Bool(value) => Tree::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), _, _) => Tree::Int(value),
            (None, Some(value), _) => Tree::Digits(value.to_string()),
            (None, None, value) => value.map_or(Tree::Null, Tree::Float),
        },
        serde_json::Value::String(text) => Tree::Text(text),
        serde_json::Value::Array(items) => items.into_iter().map(of_json).collect(),
        serde_json::Value::Object(entries) => {
            Tree::Map(entries.into_iter().map(|(key, value)| (key.into(), of_json(value))).collect())
        }
    }
}
