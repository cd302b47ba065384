//! Any page of the predictions that fit, in any order.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::RecordBatch;

use super::cursor::Cursor;
use super::entry::Tie;
use super::file_snapshot::{FileFailure, Files};
use super::filter::Filter;
use super::keys::Sort;
use super::order::Order;
use super::score_column::ScoreColumn;
use super::score_columns::take_with_scores;
use super::take::{Taken, schema_of};
use crate::base::content::blake3_hex;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::progress::Progress;
use crate::reading::collect::RESTARTS;
use crate::segment::live_set::Open;
use crate::types::schema::{self, Type};

/// The columns of a page, unless others are asked for: those that a list shows.
pub const LIST: [&str; 13] = [
    "id",
    "run_id",
    "dataset_name",
    "model_name",
    "config_name",
    "val_score",
    "test_score",
    "train_score",
    "fold_id",
    "partition",
    "preprocessings",
    "metric",
    "task_type",
];

/// What page is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What rows must have.
    pub filter: Filter,
    /// By what the runs and members of the filter were named: others may come to be called so.
    pub named: String,
    /// What orders them.
    pub sort: Sort,
    /// Rows before the page.
    pub offset: u64,
    /// Rows of the page.
    pub limit: usize,
    /// The row before the page, in place of how many there are.
    pub cursor: Option<String>,
    /// Its columns; `None`: [`LIST`].
    pub columns: Option<Vec<String>>,
    /// Whether open segments are read.
    pub open: Open,
}

/// A page.
pub struct Page {
    /// Its rows, in their order.
    pub rows: RecordBatch,
    /// Rows that fit in all.
    pub total: u64,
    /// Rows before the page.
    pub offset: u64,
    /// The row that ends it, where others follow.
    pub next_cursor: Option<String>,
    /// Files that could not be used.
    pub errors: Vec<FileError>,
}

impl Page {
    /// Whether its cursor leads on. A page that was asked for no rows has none.
    pub fn has_more(&self) -> bool {
        self.next_cursor.is_some()
    }
}

/// A page of the rows that fit.
pub fn page(root: &Path, ask: &Ask, progress: &Progress) -> Result<Page> {
    if ask.cursor.is_some() && ask.offset > 0 {
        return Err(Error::new(
            ErrorKind::Argument,
            "a cursor says where a page begins; pass it without offset",
        ));
    }
    attempts(root, ask.open, |files| page_of(root, ask, files, progress))
}

/// The file that could not be read, if it was one, and why.
pub type Unread = (Option<String>, Error);

/// Reads the files of a workspace, and again without those that cannot be read, and again where they changed.
pub fn attempts<T>(root: &Path, open: Open, read: impl Fn(Files) -> Result<T, Unread>) -> Result<T> {
    let (mut bad, mut restarts) = (BTreeMap::new(), 0);
    loop {
        let is_last = restarts == RESTARTS;
        let read = Files::list(root, open, &bad, is_last).map_err(|error| (None, error)).and_then(&read);
        match read {
            Ok(answer) => return Ok(answer),
            Err((_, error)) if FileError::is_vanished(&error) && !is_last => restarts += 1,
            Err((Some(name), error)) if error.kind != ErrorKind::Interrupted => {
                bad.insert(name.clone(), FileError::new(&name, &error));
            }
            Err((_, error)) => return Err(error),
        }
    }
}

fn page_of(root: &Path, ask: &Ask, files: Files, progress: &Progress) -> Result<Page, Unread> {
    let Files { files, errors, .. } = files;
    let read = || {
        let fingerprint = fingerprint(ask);
        let cursor = ask.cursor.as_ref().map(|cursor| Cursor::decode(cursor, &fingerprint)).transpose()?;
        let mut names = match &ask.columns {
            Some(names) => names.clone(),
            None => LIST.map(str::to_owned).to_vec(),
        };
        let by_scores = ScoreColumn::of(&ask.sort.column).transpose()?;
        if by_scores.is_some() && ask.columns.is_none() {
            names.push(ask.sort.column.clone());
        }
        let shown = names.len();
        let sorts_extra = by_scores.is_none() && schema::known(&ask.sort.column).is_none();
        if sorts_extra {
            schema_of(&files, std::slice::from_ref(&ask.sort.column))?;
        }
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
        let query = format!("{} {fingerprint} {:?}", root.display(), ask.filter);
        let order = Order::of(&root, query, &files, &ask.filter, &ask.sort, progress)?;
        if cursor.is_none() && errors.is_empty() {
            order.check_scores(&root, ask.sort.descending.is_some())?;
        }
        let total = order.total()?;
        let offset = match &cursor {
            Some(cursor) => order.place_after(cursor)?,
            None => ask.offset,
        };
        let entries = if offset < total { order.rows(offset, ask.limit)? } else { Vec::new() };
        let text = (order.levels.keys.kind == Type::Text).then_some(ask.sort.column.as_str());
        names.extend(Tie::columns(text).into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        let Taken { rows, lost } = take_with_scores(&files, &entries, &names, &order.scores)?;
        let next_cursor = match entries.last() {
            Some(last) if offset + (entries.len() as u64) < total => {
                let file = &files[last.file as usize];
                let tie = Tie::of_row(&rows, entries.len() - 1, text, file, last.row)?;
                Some(Cursor::new(&order.levels.keys, last.key, tie).encode(&fingerprint))
            }
            _ => None,
        };
        let shown: Vec<usize> = (0..shown).collect();
        let rows = rows.project(&shown).map_err(|error| Error::new(ErrorKind::Schema, error.to_string()))?;
        let errors = errors.iter().chain(&order.damage).chain(&lost).cloned().collect();
        Ok(Page { rows, total, offset, next_cursor, errors })
    };
    read().map_err(|failed: FileFailure| failed.named(&files))
}

/// What tells a query from others: all that decides which rows come in which order, as it was asked.
fn fingerprint(ask: &Ask) -> String {
    let filter = Filter { runs: None, members: None, ..ask.filter.clone() };
    let live = ask.open == Open::Live;
    blake3_hex(format!("{filter:?} {:?} {:?} {live}", ask.named, ask.sort).as_bytes(), 16)
}
