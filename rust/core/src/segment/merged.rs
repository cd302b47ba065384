//! What a compaction says of its inputs: the writers whose rows it has, how far each went, and where they lie.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;

use serde_json::Value as Json;

use super::sealed::{Sealed, live_key};
use crate::base::error::{Result, corrupt};
use crate::base::file_names::{Name, SUFFIX};
use crate::base::value::Value;
use crate::footer::keys::REPLACES_KEY;

/// What a compaction has of one writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// How far the writer's journal went into it; `None` where the input did not say.
    pub sealed: Option<Sealed>,
    /// Its rows, by their places in the compaction; `None` where an earlier version merged it. Writers that an
    /// earlier version had merged before share their rows.
    pub rows: Option<Range<u64>>,
}

/// The writers whose segments a compaction merged, transitively, and other compactions among them.
pub type Replaced = BTreeMap<String, Merged>;

/// What the footer of a compaction says; `None` where that is damaged.
pub fn from_json(text: &str) -> Option<Replaced> {
    let json: BTreeMap<String, Json> = serde_json::from_str(text).ok()?;
    let merged = |value: &Json| {
        let number = |key: &str| value.get(key).and_then(Json::as_u64);
        let rows = number("first").zip(number("rows"));
        let rows = rows.and_then(|(first, rows)| Some(first..first.checked_add(rows)?));
        Merged { sealed: Sealed::from_value(value), rows }
    };
    Some(json.iter().map(|(writer, value)| (writer.clone(), merged(value))).collect())
}

/// As the footer of a compaction carries it.
pub fn to_json(replaced: &Replaced) -> String {
    let entry = |(writer, merged): (&String, &Merged)| {
        let mut entries = match merged.sealed.as_ref().map(Sealed::to_value) {
            Some(Value::Map(entries)) => entries,
            _ => Vec::new(),
        };
        if let Some(rows) = &merged.rows {
            entries.push(("first".into(), rows.start.into()));
            entries.push(("rows".into(), (rows.end - rows.start).into()));
        }
        let value = if entries.is_empty() { Value::Null } else { Value::Map(entries) };
        (writer.clone().into(), value)
    };
    Value::Map(replaced.iter().map(entry).collect()).to_json()
}

/// Rows of a file that are live or hidden together: those of one writer, or of several that an earlier version
/// merged without saying which are whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its rows, by their places in the file.
    pub rows: Range<u64>,
    /// Its writers, each with how far its journal went.
    pub writers: Vec<(String, Option<Sealed>)>,
}

/// All rows of a file.
pub const ALL: Range<u64> = 0..u64::MAX;

/// The units of a sealed segment.
pub fn units(name: &Name, sealed: Option<&Sealed>, replaced: &Replaced) -> Vec<Unit> {
    let mut writers = replaced.iter().filter(|(writer, _)| !Name::is_of_compaction(writer)).peekable();
    if writers.peek().is_none() {
        return vec![Unit { rows: ALL, writers: vec![(name.writer.clone(), sealed.cloned())] }];
    }
    let mut units: Vec<Unit> = Vec::new();
    let mut known = HashMap::new();
    for (writer, merged) in writers {
        // Without places, all rows may be anybody's.
        let rows = merged.rows.clone().unwrap_or(ALL);
        let writer = (writer.clone(), merged.sealed.clone());
        match known.get(&(rows.start, rows.end)).filter(|_| !rows.is_empty()) {
            Some(&unit) => {
                let unit: &mut Unit = &mut units[unit];
                unit.writers.push(writer);
            }
            None => {
                known.insert((rows.start, rows.end), units.len());
                units.push(Unit { rows, writers: vec![writer] });
            }
        }
    }
    if units.len() > 1 && units.iter().any(|unit| unit.rows == ALL) {
        let writers = units.into_iter().flat_map(|unit| unit.writers).collect();
        return vec![Unit { rows: ALL, writers }];
    }
    units
}

/// The value of the footer key, or what is wrong with it.
pub fn parse(text: &str) -> Result<Replaced> {
    from_json(text).ok_or_else(|| corrupt(format!("its footer key {REPLACES_KEY} is damaged")))
}

/// What a compaction merged; nothing where there is no such file, or it is none.
pub fn replaces(path: &Path) -> Result<Replaced> {
    let Some(text) = live_key(path, |keys| keys.replaces)? else { return Ok(Replaced::new()) };
    parse(&text).map_err(|error| error.at(path))
}

/// The writers of a run in whose place others came, as the compactions in a folder say; one that cannot be read
/// says nothing here, and is told by those who read its rows.
pub fn superseded(folder: &Path, run_id: &str) -> BTreeSet<String> {
    let names = crate::fs::folders::names_in(folder).unwrap_or_default();
    let is_of_run = |by: &Name| by.is_compaction() && by.run_id == run_id;
    let files = names.into_iter().filter(|file| file.ends_with(SUFFIX));
    let files = files.filter(|file| Name::of(file).is_some_and(|by| is_of_run(&by)));
    let said = files.filter_map(|file| replaces(&folder.join(file)).ok()).flatten();
    let said = said.filter(|(_, merged)| merged.sealed.as_ref().is_some_and(Sealed::is_superseded));
    said.map(|(writer, _)| writer).collect()
}

/// How far the journal of a writer went into the compactions in this folder, if it did, and whether its rows are
/// told from others there.
pub fn compacted_of(folder: &Path, name: &Name) -> Result<Option<(Sealed, bool)>> {
    let mut found: Option<(Sealed, bool)> = None;
    for file in crate::fs::folders::names_in(folder)? {
        let is_of_run = |by: &Name| by.is_compaction() && by.run_id == name.run_id;
        let Some(by) = Name::of(&file).filter(is_of_run).filter(|_| file.ends_with(SUFFIX)) else { continue };
        for Unit { writers, .. } in units(&by, None, &replaces(&folder.join(&file))?) {
            let is_divided = writers.len() == 1;
            let sealed = writers.into_iter().find(|(writer, _)| *writer == name.writer);
            if let Some((_, Some(sealed))) = sealed
                && found.as_ref().is_none_or(|(other, _)| other.position.frames < sealed.position.frames)
            {
                found = Some((sealed, is_divided));
            }
        }
    }
    Ok(found)
}
