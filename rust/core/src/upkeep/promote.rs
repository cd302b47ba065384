//! Rows that were set apart as unfinished, and whose result was checkpointed after all.
//!
//! A writer's rows and the checkpoint of their result may lie in two of its journals, and a copy that sealed only the
//! first one took them for unfinished. Once the copies are merged they become a segment of their own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use arrow_array::{BooleanArray, RecordBatch};
use serde_json::Value as Json;

use crate::base::content::blake3_hex;
use crate::base::error::{Error, Result, corrupt};
use crate::base::file_names::{self, Name, PARTIAL_FOLDER};
use crate::base::progress::Progress;
use crate::decode::batches;
use crate::fs::{atomic, folders, platform};
use crate::segment::checkpoints::{self, Checkpoint, Checkpoints};
use crate::segment::file_results::Said;
use crate::segment::hidden_rows::RESULT;
use crate::segment::segment_file::SegmentFile;
use crate::segment::{merged, resolve};
use crate::summary::split_by_dataset;
use crate::types::columns::Texts;
use crate::types::rows;
use crate::write::seal::filtered;

/// Names of such segments go on from here, beyond those of journals that go on from others.
const FIRST: u32 = 1_000_000_000;
const NAMES: u64 = 3_000_000_000;

/// Ids of rows by the id of their result.
type RowsOf = BTreeMap<String, BTreeSet<String>>;

/// What rows of one file become live, and which of them are live elsewhere.
#[derive(Debug, Default)]
pub struct Due {
    /// By result, rows that lie nowhere else.
    pub rows: RowsOf,
    /// The checkpoints of these results.
    checkpoints: HashMap<String, Checkpoint>,
    /// Rows that are live.
    live: HashSet<String>,
}

/// Makes segments of such rows in one folder, of one run or all; returns the files that had them, relative to the
/// workspace.
pub fn promote(root: &Path, folder: &str, run_id: Option<&str>, progress: &Progress) -> Result<Vec<String>> {
    let mut promoted = Vec::new();
    for name in names(root, folder, run_id) {
        progress.check()?;
        let path = root.join("predictions").join(folder).join(name.partial());
        // What cannot be read is told by those who read its rows.
        let Ok(due) = due(root, folder, &name) else { continue };
        for (result, ids) in &due.rows {
            write_segment(root, folder, &name, due.checkpoints.get(result), result, ids)?;
        }
        if !due.rows.is_empty() {
            promoted.push(format!("predictions/{folder}/{}", name.partial()));
        }
        let mut gone = due.live;
        gone.extend(due.rows.into_values().flatten());
        if !gone.is_empty() {
            take_out(&path, &gone)?;
        }
    }
    Ok(promoted)
}

/// The files of rows of unfinished results in one folder.
pub fn names(root: &Path, folder: &str, run_id: Option<&str>) -> Vec<Name> {
    let place = root.join("predictions").join(folder).join(PARTIAL_FOLDER);
    // What cannot be listed is told by those who read it.
    let names = folders::names_in(&place).unwrap_or_default();
    let names = names.iter().filter(|file| file.ends_with(file_names::SUFFIX)).filter_map(|it| Name::of(it));
    names.filter(|name| run_id.is_none_or(|run_id| run_id == name.run_id)).collect()
}

/// Which rows of a file are those of a checkpointed result that has as many rows as it says together with them.
pub fn due(root: &Path, folder: &str, name: &Name) -> Result<Due> {
    let place = root.join("predictions").join(folder);
    let mut all = RowsOf::new();
    each_row(&place.join(name.partial()), &mut |_, id, result| {
        all.entry(result.to_owned()).or_default().insert(id.to_owned());
    })?;
    let finished = checkpointed(root, name)?;
    all.retain(|result, _| finished.contains_key(result));
    let mut due = Due::default();
    if all.is_empty() || merged::superseded(&place, &name.run_id).contains(&name.writer) {
        return Ok(due);
    }
    let names = folders::names_in(&place)?;
    let names = names.into_iter().filter(|name| file_names::is_of_predictions(name)).collect();
    let live_set = resolve::resolve_live_files(&place, names);
    let is_own = |writer: &str| file_names::base_of(writer) == name.base();
    let of_run = |file: &String| Name::of(file).filter(|it| it.run_id == name.run_id);
    if live_set.journals.iter().filter_map(of_run).any(|it| is_own(&it.writer)) {
        return Ok(due);
    }
    let mut live = HashMap::<String, HashSet<String>>::new();
    each_live_row(root, folder, &live_set.files, name, &mut |id, result| {
        if all.contains_key(result) {
            live.entry(result.to_owned()).or_default().insert(id.to_owned());
        }
    })?;
    for (result, ids) in all {
        let there = live.remove(&result).unwrap_or_default();
        let lacking: BTreeSet<String> = ids.iter().filter(|id| !there.contains(*id)).cloned().collect();
        due.live.extend(ids.into_iter().filter(|id| there.contains(id)));
        let count = (there.len() + lacking.len()) as u64;
        let Some((checkpoint, rows)) = finished.get(&result) else { continue };
        if rows.is_none_or(|rows| rows == count) && !lacking.is_empty() {
            due.checkpoints.insert(result.clone(), checkpoint.clone());
            due.rows.insert(result, lacking);
        }
    }
    Ok(due)
}

/// The results that a writer checkpointed, under any of its names, each with the rows that it says it has.
fn checkpointed(root: &Path, name: &Name) -> Result<HashMap<String, (Checkpoint, Option<u64>)>> {
    let mut found = HashMap::<String, (Checkpoint, Option<u64>)>::new();
    let place = root.join("runs").join(&name.run_id);
    for file in folders::names_in(&place).unwrap_or_default() {
        let writer = file.strip_prefix("results.").and_then(|rest| rest.strip_suffix(".jsonl"));
        let Some(writer) = writer else { continue };
        let is_own = file_names::base_of(writer) == name.base();
        if !is_own && !Name::is_of_compaction(writer) {
            continue;
        }
        let path = place.join(&file);
        let text = platform::read(&path).map_err(|error| Error::io(&path, error))?;
        for line in String::from_utf8_lossy(&text).lines() {
            let Ok(json) = serde_json::from_str::<Json>(line) else { continue };
            let text = |key: &str| json.get(key).and_then(Json::as_str);
            let is_of_it = is_own || text("writer").is_some_and(|it| file_names::base_of(it) == name.base());
            let Some(one) = Checkpoint::of_result(line).filter(|_| is_of_it) else { continue };
            let rows = json.get("n_rows").and_then(Json::as_u64);
            match found.get(&one.id) {
                Some((known, _)) if known.rank("") <= one.rank("") => {}
                _ => {
                    found.insert(one.id.clone(), (one, rows));
                }
            }
        }
    }
    Ok(found)
}

/// Hands out the place, the id and the result of each row that has one.
fn each_row(path: &Path, take: &mut dyn FnMut(u64, &str, &str)) -> Result<()> {
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let mut first = 0;
    batches::read_batches(path, file, Some(&["id", RESULT]), &mut |batches| {
        for batch in batches {
            let (ids, results) = (Texts::of(batch, "id")?, Texts::of(batch, RESULT)?);
            for row in 0..batch.num_rows() {
                if let Some((id, result)) = ids.get(row).zip(results.get(row)) {
                    take(first + row as u64, id, result);
                }
            }
            first += batch.num_rows() as u64;
        }
        Ok(())
    })
}

/// Hands out the id and the result of each row that live files have of a writer, under any of its names.
pub(super) fn each_live_row(
    root: &Path,
    folder: &str,
    files: &[String],
    name: &Name,
    take: &mut dyn FnMut(&str, &str),
) -> Result<()> {
    for file in files {
        let Some(other) = Name::of(file).filter(|it| it.run_id == name.run_id) else { continue };
        let relative = format!("predictions/{folder}/{file}");
        let said = Said::read(root, &relative, &other)?;
        let units = merged::units(&other, said.sealed().as_ref(), &said.replaced());
        let is_own = |writer: &str| file_names::base_of(writer) == name.base();
        let own: Vec<_> = units.iter().filter(|unit| unit.writers.iter().any(|(it, _)| is_own(it))).collect();
        if own.is_empty() {
            continue;
        }
        each_row(&root.join(&relative), &mut |row, id, result| {
            if own.iter().any(|unit| unit.rows.contains(&row)) {
                take(id, result);
            }
        })?;
    }
    Ok(())
}

/// Hands out the rows with some ids, or the others.
fn rows_of(
    path: &Path,
    is_wanted: &dyn Fn(&str) -> bool,
    take: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    batches::read_batches(path, file, None, &mut |batches| {
        for batch in batches {
            let ids = Texts::of(batch, "id")?;
            let mask: Vec<bool> =
                (0..batch.num_rows()).map(|row| ids.get(row).is_some_and(is_wanted)).collect();
            take(filtered(batch, &BooleanArray::from(mask))?)?;
        }
        Ok(())
    })
}

/// The segment that the rows of one result of a file become; the same one in every copy.
fn write_segment(
    root: &Path,
    folder: &str,
    name: &Name,
    checkpoint: Option<&Checkpoint>,
    result: &str,
    ids: &BTreeSet<String>,
) -> Result<()> {
    let place = root.join("predictions").join(folder);
    let digits = blake3_hex(format!("{} {result}", name.writer).as_bytes(), 15);
    let number = u64::from_str_radix(&digits, 16).unwrap_or_default() % NAMES;
    let number = FIRST + u32::try_from(number).unwrap_or_default();
    let output = Name { run_id: name.run_id.clone(), writer: format!("{}-{number}", name.base()) };
    let target = place.join(output.sealed());
    if target.exists() {
        return Err(corrupt("has the name of another segment; move it away").at(&target));
    }
    let source = place.join(name.partial());
    let schema = rows::unify(&[rows::schema()?, batches::schema_of(&source)?])?;
    let mut written = SegmentFile::of_rows(&target, schema.clone())?;
    let mut all = Vec::new();
    rows_of(&source, &|id| ids.contains(id), &mut |batch| {
        all.push(rows::conform(&batch, &schema)?);
        Ok(())
    })?;
    written.write(&all)?;
    // Where no other file of the writer names it, its rows are hidden or live by this one.
    let named = Checkpoints::from([(output.writer.clone(), checkpoint.cloned().into_iter().collect())]);
    let keys: Vec<_> = checkpoints::key(&named, false).into_iter().collect();
    written.publish(&keys, Some(&split_by_dataset(&all, "")?))
}

/// Replaces a file by one without some rows; one that has no others is removed.
fn take_out(path: &Path, ids: &HashSet<String>) -> Result<()> {
    let schema = batches::schema_of(path)?;
    let schema = rows::unify(&[rows::schema()?, schema])?;
    let mut rest = SegmentFile::of_rows(path, schema.clone())?;
    rows_of(path, &|id| !ids.contains(id), &mut |batch| rest.write(&[rows::conform(&batch, &schema)?]))?;
    if rest.rows == 0 {
        drop(rest);
        return atomic::remove_if_there(path);
    }
    rest.publish(&[], None)
}
