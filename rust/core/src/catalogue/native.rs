//! The record of a run: `run.yaml` and what lies beside it.

use std::path::Path;
use std::sync::Arc;

use super::entry::{Entry, Kind};
use super::unit::{Snapshot, Unit};
use crate::base::error::{Error, ErrorKind, FileError, Result, corrupt};
use crate::yaml;
use crate::yaml::tree::Tree;

/// What a run is made of; the first one must be there.
pub const FILES: [&str; 4] = ["run.yaml", "templates.yaml", "datasets.yaml", "summary.yaml"];
/// What is wrong with a run's folder without one of its files.
pub const MISSING: &str = "is missing from the run's folder";
const MAJOR: u64 = 1;
/// The states of a run.
pub const STATES: [&str; 6] = ["queued", "running", "completed", "failed", "paused", "cancelled"];

/// Reads a run's records into a unit.
pub(super) fn read(
    folder: &Path,
    name: &str,
    [record, templates, datasets, summary]: [Snapshot; 4],
    unit: &mut Unit,
) {
    let mut problem = |file: &str, error: &Error| {
        unit.errors.push(FileError::new(&format!("runs/{name}/{file}"), error));
    };
    let record = match record.bytes.and_then(|bytes| parse(&bytes, name)) {
        Ok(record) => without_version(record),
        Err(error) => return problem(FILES[0], &error),
    };
    let mut read = |file: &str, snapshot: Snapshot, check: fn(Tree) -> Result<Tree>| {
        snapshot.tree().and_then(check).unwrap_or_else(|error| {
            let is_missing = FileError::is_vanished(&error);
            if !is_missing {
                problem(file, &error);
            } else if file != FILES[3] && folder.exists() {
                problem(file, &corrupt(MISSING));
            }
            if file == FILES[3] { Tree::Null } else { Tree::List(Vec::new()) }
        })
    };
    let templates = read(FILES[1], templates, templates_of);
    let datasets = read(FILES[2], datasets, datasets_of);
    let summary = read(FILES[3], summary, |tree| Ok(Tree::Map(without_version(tree))));
    let count = |key| summary.get("counts").and_then(|counts| counts.get(key)).cloned().unwrap_or(Tree::Null);
    let (n_configs, n_failed) = (count("configs"), count("failed"));
    let mut entries = vec![("kind".into(), Kind::Run.name().into())];
    // Its folder is its name, whatever a copy of it says.
    entries.extend(record.into_iter().map(|(key, value)| match key.as_str() {
        Some("id") => (key, name.into()),
        _ => (key, value),
    }));
    entries.extend([
        ("templates".into(), templates),
        ("datasets".into(), datasets),
        ("summary".into(), summary),
        ("n_configs".into(), n_configs),
        ("n_failed".into(), n_failed),
    ]);
    unit.entry = Some(Arc::new(Entry::new(Kind::Run, name, Tree::Map(entries))));
}

/// That readers can read a record of this name which is about to be written.
pub fn check_file(name: &str, bytes: &[u8]) -> Result<()> {
    yaml::check_size(bytes.len() as u64)?;
    match name {
        "run.yaml" => parse(bytes, "").map(drop),
        "templates.yaml" => templates_of(yaml::parse(bytes)?).map(drop),
        "datasets.yaml" => datasets_of(yaml::parse(bytes)?).map(drop),
        _ => yaml::parse(bytes).map(drop),
    }
}

fn templates_of(tree: Tree) -> Result<Tree> {
    references(tree, "templates", &[("id", false)])
}

fn datasets_of(tree: Tree) -> Result<Tree> {
    let keys = [("id", false), ("hash", false), ("file_size", true), ("quick_hash", false), ("path", false)];
    references(tree, "datasets", &keys)
}

fn without_version(tree: Tree) -> Vec<(Tree, Tree)> {
    let Tree::Map(mut entries) = tree else { return Vec::new() };
    entries.retain(|(key, _)| key.as_str() != Some("schema_version"));
    entries
}

/// The keys that may be missing, and what they are then.
pub(super) fn defaults(folder: &str) -> [(&'static str, Tree); 16] {
    let none = || Tree::List(Vec::new());
    [
        ("id", folder.into()),
        ("name", folder.into()),
        ("description", Tree::Null),
        ("tags", none()),
        ("notes", Tree::Null),
        ("created_at", "".into()),
        ("revision", Tree::Int(0)),
        ("attempts", Tree::Int(0)),
        ("is_claimed", Tree::Bool(false)),
        ("retry_failed", Tree::Bool(false)),
        ("requested", Tree::Null),
        ("owner", Tree::Null),
        ("parent_run", Tree::Null),
        ("derived_from_result", Tree::Null),
        ("modifications", none()),
        ("history", none()),
    ]
}

/// What the `run.yaml` of a run's folder says, missing keys with their defaults.
pub fn parse(bytes: &[u8], folder: &str) -> Result<Tree> {
    let Tree::Map(mut entries) = yaml::parse(bytes)? else { return Ok(Tree::Null) };
    for (key, default) in defaults(folder) {
        if !entries.iter().any(|(own, _)| own.as_str() == Some(key)) {
            entries.push((key.into(), default));
        }
    }
    let tree = Tree::Map(entries);
    check(&tree).map_err(|(key, what)| match key {
        "" => Error::new(ErrorKind::Version, what),
        key => corrupt(format!("key '{key}'{} {what}", in_line(bytes, key))),
    })?;
    Ok(tree)
}

/// That every key has the type that it must have.
fn check(tree: &Tree) -> Result<(), (&'static str, String)> {
    let value = |key: &str| tree.get(key).unwrap_or(&Tree::Null);
    for (key, kind) in [
        ("name", "text"),
        ("created_at", "text"),
        ("revision", "whole number"),
        ("attempts", "whole number"),
        ("modifications", "list"),
        ("history", "list"),
    ] {
        let is_right = match value(key) {
            Tree::Text(_) => kind == "text",
            Tree::Int(_) | Tree::Digits(_) => kind == "whole number",
            Tree::List(_) => kind == "list",
            _ => false,
        };
        if !is_right {
            return Err((key, format!("is {}, no {kind}", shown(value(key)))));
        }
    }
    let is_state = |tree: &Tree| tree.as_str().is_some_and(|text| STATES.contains(&text));
    if !is_state(value("status")) {
        check_version(tree)?;
        return Err(("status", format!("is {}, none of {}", shown(value("status")), STATES.join(", "))));
    }
    let requested = value("requested");
    if *requested != Tree::Null && !requested.get("status").is_some_and(is_state) {
        return Err(("requested", format!("is {}, no request", shown(requested))));
    }
    if !value("history").items().unwrap_or_default().iter().all(|entry| matches!(entry, Tree::Map(_))) {
        return Err(("history", "has an entry that is no mapping".to_owned()));
    }
    Ok(())
}

fn check_version(given: &Tree) -> Result<(), (&'static str, String)> {
    let version = match given.get("schema_version") {
        None => return Ok(()),
        Some(Tree::Text(text)) => text.clone(),
        Some(other) => shown(other),
    };
    match version.split('.').next().and_then(|major| major.parse::<u64>().ok()) {
        None => Err(("schema_version", format!("is '{version}', not a version like '1.0'"))),
        Some(major) if major > MAJOR => {
            let what = "newer than this version can write; update nirs4all-workspace";
            Err(("", format!("has schema version {version}, {what}")))
        }
        Some(_) => Ok(()),
    }
}

/// What a run refers to; `keys` may be missing, must be texts, or where that is said whole numbers.
fn references(tree: Tree, key: &str, keys: &[(&str, bool)]) -> Result<Tree> {
    let Tree::Map(entries) = tree else { return Ok(Tree::Null) };
    let found = entries.into_iter().find(|(name, _)| name.as_str() == Some(key));
    let Some((_, Tree::List(items))) = found else {
        return Err(corrupt(format!("key '{key}' is no list of mappings")));
    };
    for (number, item) in items.iter().enumerate() {
        let number = number + 1;
        let needs_name = key == "datasets";
        if !matches!(item, Tree::Map(_)) || needs_name && item.text("name").is_none() {
            let what = if needs_name { "no mapping with a name" } else { "no mapping" };
            return Err(corrupt(format!("entry {number} of key '{key}' is {what}")));
        }
        for (name, is_number) in keys {
            let is_right = match item.get(name) {
                None | Some(Tree::Null) => true,
                Some(Tree::Text(_)) => !is_number,
                Some(Tree::Int(_) | Tree::Digits(_) | Tree::Bool(_)) => *is_number,
                _ => false,
            };
            if !is_right {
                let value = shown(item.get(name).unwrap_or(&Tree::Null));
                return Err(corrupt(format!("key '{name}' of entry {number} of '{key}' is {value}")));
            }
        }
    }
    Ok(Tree::List(items))
}

/// The text ` in line N` for the line in which a key of a mapping stands; an empty one where it is missing.
pub fn in_line(bytes: &[u8], key: &str) -> String {
    let is_of = |line: &&[u8]| {
        let line = line.strip_prefix(b"'").or(line.strip_prefix(b"\"")).unwrap_or(line);
        line.strip_prefix(key.as_bytes()).is_some_and(|rest| {
            let rest = rest.strip_prefix(b"'").or(rest.strip_prefix(b"\"")).unwrap_or(rest);
            rest.trim_ascii_start().starts_with(b":")
        })
    };
    let found = bytes.split(|byte| *byte == b'\n').position(|line| is_of(&line));
    found.map(|at| format!(" in line {}", at + 1)).unwrap_or_default()
}

/// A value in a message.
fn shown(tree: &Tree) -> String {
    match tree {
        Tree::Null => "None".to_owned(),
        Tree::Bool(value) => if *value { "True" } else { "False" }.to_owned(),
        Tree::Int(value) => value.to_string(),
        Tree::Digits(digits) => digits.clone(),
        Tree::Float(value) => format!("{value:?}"),
        Tree::Text(text) => format!("'{text}'"),
        Tree::Time(time) => time.to_string(),
        Tree::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Tree::Map(entries) => {
            let entry = |(key, value): &(Tree, Tree)| format!("{}: {}", shown(key), shown(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}
