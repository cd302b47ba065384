//! The checkpointed results of sealed segments: as their footers name them, and as lists of results have them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value as Json;

use super::checkpoint_rank::Rank;
use super::stored_result;
use crate::base::error::{Error, Result};
use crate::base::file_names::Name;
use crate::base::value::Value;
use crate::footer::keys::RESULTS_KEY;
use crate::fs::platform;

/// A longer value is left out: the lists of results have it.
const LONGEST: usize = 64 * 1024;
/// The field of a result that names who checkpointed it; of the lists on disk only those of compactions have it.
const WRITER: &str = "writer";
/// The field of a result that names the writers whose place its own took: their results do not count.
pub const REPLACES: &str = "replaces";

/// One checkpoint of a result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checkpoint {
    /// The id of the result.
    pub id: String,
    /// Whether it failed.
    pub is_failed: bool,
    /// When it was checkpointed, as the result says it.
    pub completed_at: String,
}

impl Checkpoint {
    /// That of a result as strict JSON; `None` where it has no id.
    pub fn of_result(result: &str) -> Option<Self> {
        Self::of_json(&serde_json::from_str(result).ok()?)
    }

    fn of_json(json: &Json) -> Option<Self> {
        let text = |key: &str| json.get(key).and_then(Json::as_str);
        Some(Self {
            id: text("id")?.to_owned(),
            is_failed: text("status") == Some("failed"),
            completed_at: text("completed_at").unwrap_or_default().to_owned(),
        })
    }

    /// What decides between it and others of the same result.
    pub fn rank<'a>(&'a self, writer: &'a str) -> Rank<'a> {
        Rank { is_failed: self.is_failed, completed_at: &self.completed_at, writer }
    }
}

/// Checkpoints by the writer that made them.
pub type Checkpoints = BTreeMap<String, Vec<Checkpoint>>;

/// As the footer of a segment of one writer names its results, and, of a compaction, those of each writer.
pub fn to_json(checkpoints: &Checkpoints, is_compaction: bool) -> String {
    let entry = |one: &Checkpoint| {
        let status = if one.is_failed { "failed" } else { "done" };
        let value = [status, one.completed_at.as_str()].into_iter().collect();
        (one.id.clone().into(), value)
    };
    let of_writer = |all: &Vec<Checkpoint>| Value::Map(all.iter().map(entry).collect());
    if !is_compaction {
        return Value::Map(checkpoints.values().flatten().map(entry).collect()).to_json();
    }
    let writers = checkpoints.iter().filter(|(_, all)| !all.is_empty());
    Value::Map(writers.map(|(writer, all)| (writer.clone().into(), of_writer(all))).collect()).to_json()
}

/// The footer key and its value, where there are results and it is not too long.
pub fn key(checkpoints: &Checkpoints, is_compaction: bool) -> Option<(&'static str, String)> {
    let value = to_json(checkpoints, is_compaction);
    let has_any = checkpoints.values().any(|all| !all.is_empty());
    (has_any && value.len() <= LONGEST).then_some((RESULTS_KEY, value))
}

/// What [`to_json`] made; `writer` is that of a segment. `None` where it is something else.
pub fn from_json(text: &str, writer: &str) -> Option<Checkpoints> {
    let Json::Object(entries) = serde_json::from_str(text).ok()? else { return None };
    let mut found = Checkpoints::new();
    for (key, value) in entries {
        match value {
            Json::Object(of_writer) => {
                let all = of_writer.into_iter().map(|(id, value)| checkpoint(id, &value));
                found.insert(key, all.collect::<Option<_>>()?);
            }
            value => found.entry(writer.to_owned()).or_default().push(checkpoint(key, &value)?),
        }
    }
    Some(found)
}

fn checkpoint(id: String, value: &Json) -> Option<Checkpoint> {
    let is_failed = value.get(0)?.as_str()? == "failed";
    Some(Checkpoint { id, is_failed, completed_at: value.get(1)?.as_str()?.to_owned() })
}

/// The results in the lists of a run's writers as one list, of which each line names its writer; damaged lines
/// stay where they are.
pub fn joined_lists<'a>(
    root: &Path,
    run_id: &str,
    writers: impl Iterator<Item = &'a String>,
) -> Result<String> {
    let mut lines = BTreeSet::new();
    for writer in writers {
        let name = Name { run_id: run_id.to_owned(), writer: writer.clone() };
        let text = read_list(&root.join("runs").join(run_id).join(name.results()))?;
        for line in text.lines() {
            let Ok(mut json) = stored_result::parse(line) else { continue };
            if !name.is_compaction() {
                json.insert(WRITER.to_owned(), writer.as_str().into());
            }
            lines.insert(Json::Object(json).to_string());
        }
    }
    Ok(lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect())
}

/// A result in the list of a compaction, with the writer that checkpointed it.
pub fn in_compaction(line: &str) -> Option<(String, Checkpoint)> {
    let json: Json = serde_json::from_str(line).ok()?;
    Some((json.get(WRITER)?.as_str()?.to_owned(), Checkpoint::of_json(&json)?))
}

/// The writers whose results do not count beside a line in a list of results; nothing of most lines.
pub fn replaced_by(line: &str) -> Vec<String> {
    if !line.contains("\"replaces\"") {
        return Vec::new();
    }
    let json: Option<Json> = serde_json::from_str(line).ok();
    let named = json.as_ref().and_then(|json| json.get(REPLACES)?.as_array());
    named.into_iter().flatten().filter_map(|writer| Some(writer.as_str()?.to_owned())).collect()
}

/// Whether a line in a list of results is no result, but names the writers whose results do not count.
pub fn is_only_replacing(line: &str) -> bool {
    !replaced_by(line).is_empty() && Checkpoint::of_result(line).is_none()
}

/// The checkpoints in a list of results; none where it is missing. Lines that are no results are not its fault
/// here: listing results reports them.
pub fn in_list(path: &Path) -> Result<Vec<Checkpoint>> {
    Ok(read_list(path)?.lines().filter_map(Checkpoint::of_result).collect())
}

/// The text of a list of results; none where it is missing.
pub fn read_list(path: &Path) -> Result<String> {
    match platform::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::io(path, error)),
    }
}
