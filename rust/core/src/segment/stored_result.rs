//! Finished results as journals and lists hold them: JSON objects with an id.
//!
//! [`parse`] reads them for every reader, and for a writer before it acknowledges one. A checkpoint that an earlier
//! version acknowledged without looking keeps its id and all that can be read of it.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::journal::{self, Journal, Kind};
use super::{ipc, sealed};
use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::base::file_names::Name;
use crate::decode::batches;
use crate::types::columns::Texts;

/// A longer text is no result.
const LARGEST: usize = 64 << 20;
/// Names what could not be read of a result.
const UNREADABLE: &str = "unreadable";

/// A finished result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResult {
    /// Its id.
    pub id: String,
    /// All of it, as strict JSON.
    pub text: String,
    /// The keys whose values cannot be read, and are null in the text.
    pub unreadable: Vec<String>,
    /// The rows that it says it has.
    pub n_rows: Option<u64>,
}

/// The object that a text holds, with an id, as all readers of results parse it.
pub fn parse(text: &str) -> Result<serde_json::Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(json)) if json.get("id").is_some_and(Value::is_string) => Ok(json),
        Ok(_) => Err(corrupt("has no result with an id")),
        Err(_) => Err(corrupt("has a line that is no JSON")),
    }
}

/// That readers can read a result which a writer is about to acknowledge.
pub fn check(text: &str) -> Result<()> {
    let refuse = |what: String| Err(Error::new(ErrorKind::Argument, what));
    if text.len() > LARGEST {
        let size = text.len() >> 20;
        return refuse(format!(
            "the result has {size} MiB, more than the {} that are read; store what is large with ws.artifacts.put \
             and name its hash",
            LARGEST >> 20
        ));
    }
    if parse(text).is_ok() {
        return Ok(());
    }
    let keys = read(text.as_bytes()).map(|read| read.unreadable.join(", ")).unwrap_or_default();
    let problem = serde_json::from_str::<Value>(text).err().map(|error| error.to_string());
    let problem = problem.unwrap_or_else(|| "it has no id".to_owned());
    refuse(format!("the result cannot be stored: {keys}: {problem}; give a text or leave it out"))
}

/// A checkpoint in a journal. What an earlier version stored and no reader can read is null, and named.
pub fn read(payload: &[u8]) -> Result<StoredResult> {
    let damaged = || corrupt("a checkpoint is no JSON object with an id");
    let text = std::str::from_utf8(payload).map_err(|_| damaged())?;
    let n_rows = |value: Option<&Value>| value.and_then(Value::as_u64);
    if let Ok(json) = parse(text) {
        let id = json.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let n_rows = n_rows(json.get("n_rows"));
        return Ok(StoredResult { id, text: text.to_owned(), unreadable: Vec::new(), n_rows });
    }
    let entries = split(text).ok_or_else(damaged)?;
    let (mut unreadable, mut id, mut rows) = (Vec::new(), None, None);
    let mut parts = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let name = serde_json::from_str::<String>(key).ok();
        let parsed = serde_json::from_str::<Value>(value).ok();
        match name.as_deref() {
            Some("id") => id = parsed.as_ref().and_then(Value::as_str).map(str::to_owned),
            Some("n_rows") => rows = n_rows(parsed.as_ref()),
            _ => {}
        }
        let is_readable = name.is_some() && parsed.is_some();
        // A key that is no Unicode is called by its escapes.
        let name = name.unwrap_or_else(|| key.trim_matches('"').to_owned());
        if !is_readable {
            unreadable.push(name.clone());
        }
        parts.push((name, if parsed.is_some() { value } else { "null" }));
    }
    let id = id.ok_or_else(damaged)?;
    let mut listed = UNREADABLE.to_owned();
    while parts.iter().any(|(name, _)| *name == listed) {
        listed.push('_');
    }
    let names = Value::from(unreadable.clone()).to_string();
    parts.push((listed, &names));
    let parts = parts.iter().map(|(name, value)| format!("{}: {value}", Value::from(name.as_str())));
    let text = format!("{{{}}}", parts.collect::<Vec<_>>().join(", "));
    Ok(StoredResult { id, text, unreadable, n_rows: rows })
}

/// What is to be said of a checkpoint, if anything.
pub fn note(result: &StoredResult) -> Option<(&'static str, String)> {
    let StoredResult { id, unreadable, .. } = result;
    let what = "cannot be read and is null: an earlier version stored it without looking";
    (!unreadable.is_empty()).then(|| ("unreadable", format!("result {id}: {} {what}", unreadable.join(", "))))
}

/// The keys and values of an object as they stand in a text, not looked into: however deep, with whatever texts
/// and numbers.
fn split(text: &str) -> Option<Vec<(&str, &str)>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let (mut entries, mut key, mut start) = (Vec::new(), None, 0);
    let (mut depth, mut in_text, mut is_escaped) = (0usize, false, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1)?,
            b':' if depth == 0 && key.is_none() => {
                key = Some(inner[start..at].trim());
                start = at + 1;
            }
            b',' if depth == 0 => {
                entries.push((key.take()?, inner[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    entries.push((key?, inner[start..].trim()));
    Some(entries)
}

/// Takes out results whose rows are not all there, and gives their ids: a flush is all or nothing, and what was
/// given up had some of them.
///
/// Each comes with whether frames before it were given up. Rows may lie in the journals that this one goes on
/// from.
pub fn take_incomplete(
    journal: &Journal,
    found: Vec<(StoredResult, bool)>,
) -> Result<(Vec<StoredResult>, Vec<String>)> {
    let says_rows = |result: &StoredResult| result.n_rows.is_some_and(|rows| rows > 0);
    let mut earlier = None;
    if journal.header.predecessor.is_some() && found.iter().any(|(checkpoint, _)| says_rows(checkpoint)) {
        earlier = Earlier::of(journal)?;
    }
    let is_after_damage = earlier.as_ref().is_some_and(|earlier| earlier.is_damaged);
    let is_suspect = |found: &(StoredResult, bool)| says_rows(&found.0) && (found.1 || is_after_damage);
    if !found.iter().any(is_suspect) {
        return Ok((found.into_iter().map(|(checkpoint, _)| checkpoint).collect(), Vec::new()));
    }
    if journal.header.predecessor.is_some() && earlier.is_none() {
        // Files of this writer are elsewhere, and that cannot be told.
        return Ok((found.into_iter().map(|(checkpoint, _)| checkpoint).collect(), Vec::new()));
    }
    let mut rows = earlier.map(|earlier| earlier.rows).unwrap_or_default();
    count(journal, &mut rows)?;
    let (mut complete, mut incomplete) = (Vec::new(), Vec::new());
    for found in found {
        let counted = rows.get(&found.0.id).copied().unwrap_or(0);
        if is_suspect(&found) && found.0.n_rows.is_some_and(|rows| counted < rows) {
            incomplete.push(found.0.id);
        } else {
            complete.push(found.0);
        }
    }
    Ok((complete, incomplete))
}

/// Numbers of rows, by the result that they name.
type RowsByResult = HashMap<String, u64>;

/// Adds the rows of a journal; says whether it is damaged.
fn count(journal: &Journal, rows: &mut RowsByResult) -> Result<bool> {
    let reading = journal.read(journal.begin(), &mut |kind, payload| match kind {
        Kind::Rows => ipc::decode(payload)?.iter().try_for_each(|batch| add(batch, rows)),
        Kind::Arrays | Kind::Checkpoint => Ok(()),
    })?;
    Ok(reading.is_damaged())
}

fn add(batch: &arrow_array::RecordBatch, rows: &mut RowsByResult) -> Result<()> {
    let results = Texts::of(batch, "result_id")?;
    for result in (0..batch.num_rows()).filter_map(|row| results.get(row)) {
        match rows.get_mut(result) {
            Some(count) => *count += 1,
            None => {
                rows.insert(result.to_owned(), 1);
            }
        }
    }
    Ok(())
}

/// The rows of the journals that one goes on from, sealed or not.
struct Earlier {
    rows: RowsByResult,
    is_damaged: bool,
}

impl Earlier {
    /// `None` where one of them is in no file.
    fn of(journal: &Journal) -> Result<Option<Self>> {
        let Some(name) = Name::of_path(&journal.path) else { return Ok(None) };
        let folder = journal.path.parent().unwrap_or(Path::new(""));
        let mut found = Self { rows: RowsByResult::new(), is_damaged: false };
        let Some((base, _)) = name.writer.split_once('-') else { return Ok(None) };
        let mut name = Name { writer: base.to_owned(), ..name };
        let own = journal.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        while name.journal() != own {
            if !found.add(folder, &name)? {
                return Ok(None);
            }
            name = name.successor();
        }
        Ok(Some(found))
    }

    fn add(&mut self, folder: &Path, name: &Name) -> Result<bool> {
        let path = folder.join(name.journal());
        if path.exists() {
            let journal = Journal::open(&path)?;
            self.is_damaged |= count(&journal, &mut self.rows)?;
            return Ok(true);
        }
        let segment = folder.join(name.sealed());
        let Some(sealed) = sealed::sealed_of(&segment)? else { return Ok(false) };
        self.is_damaged |= !sealed.saved.is_empty() || journal::corrupt_path(&path).exists();
        let partial = folder.join(name.partial());
        for file in [Some(segment), Some(partial).filter(|path| path.exists())].into_iter().flatten() {
            count_sealed(&file, &mut self.rows)?;
        }
        Ok(true)
    }
}

/// Adds the rows of a segment, whole or partial.
fn count_sealed(file: &Path, rows: &mut RowsByResult) -> Result<()> {
    let opened = crate::fs::platform::open(file).map_err(|error| Error::io(file, error))?;
    batches::read_batches(file, opened, Some(&["result_id"]), &mut |batches| {
        batches.iter().try_for_each(|batch| add(batch, rows))
    })
}
