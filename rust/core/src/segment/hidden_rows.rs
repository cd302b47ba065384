//! Which rows of the listed files are not live.
//!
//! A listed file may have a hidden part: the rows of results that another writer's checkpoint won, and, of a
//! compaction, the rows of writers that another file carries further. Places of rows never change by that.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use twox_hash::XxHash3_64;

use crate::base::error::{Result, corrupt};
use crate::fs::stat::Identity;
use crate::types::columns::Texts;

/// The column by which rows of results are hidden.
pub const RESULT: &str = "result_id";

/// A part of a file's rows that may be hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The rows, by their places in the file.
    pub rows: Range<u64>,
    /// Only those of these results are hidden; `None`: all of them.
    pub results: Option<Arc<BTreeSet<String>>>,
}

/// The rows of a listed file that are not live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    parts: Vec<Part>,
    fingerprint: u64,
}

impl Hidden {
    /// What is hidden in these parts, which do not overlap; `None` where that is nothing.
    pub fn of(mut parts: Vec<Part>) -> Option<Self> {
        parts.retain(|part| {
            !part.rows.is_empty() && part.results.as_ref().is_none_or(|results| !results.is_empty())
        });
        if parts.is_empty() {
            return None;
        }
        parts.sort_by_key(|part| part.rows.start);
        let mut bytes = Vec::new();
        for part in &parts {
            bytes.extend_from_slice(&part.rows.start.to_le_bytes());
            bytes.extend_from_slice(&part.rows.end.to_le_bytes());
            let results = part.results.iter().flat_map(|results| results.iter());
            bytes.push(u8::from(part.results.is_some()));
            for result in results {
                bytes.extend_from_slice(&(result.len() as u64).to_le_bytes());
                bytes.extend_from_slice(result.as_bytes());
            }
        }
        // 0 stands for nothing.
        let fingerprint = XxHash3_64::oneshot(&bytes).max(1);
        Some(Self { parts, fingerprint })
    }

    /// The hidden parts, in the order of their rows.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What tells hidden parts apart; never 0.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// What a cache knows a file of this identity by: another one for each hidden part.
    #[must_use]
    pub fn identity(&self, of: Identity) -> Identity {
        Identity { inode: of.inode ^ self.fingerprint, ..of }
    }

    /// Which rows of a batch are live, by the place of its first row in the file; `None` where all are.
    ///
    /// The batch has the column [`RESULT`], unless its file has none.
    pub fn keep(&self, batch: &RecordBatch, first_row: u64) -> Result<Option<BooleanArray>> {
        let end = first_row + batch.num_rows() as u64;
        let mut live: Option<Vec<bool>> = None;
        let mut names = None;
        for Part { rows, results } in &self.parts {
            let here = rows.start.max(first_row)..rows.end.min(end);
            if here.is_empty() {
                continue;
            }
            let here = (here.start - first_row) as usize..(here.end - first_row) as usize;
            match results {
                None => live.get_or_insert_with(|| vec![true; batch.num_rows()])[here].fill(false),
                Some(results) => {
                    let names = match &names {
                        Some(names) => names,
                        None => names.insert(Texts::of(batch, RESULT)?),
                    };
                    for row in here {
                        if names.get(row).is_some_and(|name| results.contains(name)) {
                            live.get_or_insert_with(|| vec![true; batch.num_rows()])[row] = false;
                        }
                    }
                }
            }
        }
        Ok(live.map(BooleanArray::from))
    }

    /// The live rows of a batch.
    pub fn filter(&self, batch: &RecordBatch, first_row: u64) -> Result<RecordBatch> {
        match self.keep(batch, first_row)? {
            None => Ok(batch.clone()),
            Some(live) => filter_record_batch(batch, &live).map_err(|error| corrupt(error.to_string())),
        }
    }

    /// The live ones among some rows of a batch, or among all of them; `None` where that is all of them.
    pub fn narrow(
        &self,
        batch: &RecordBatch,
        first_row: u64,
        rows: Option<Vec<u32>>,
    ) -> Result<Option<Vec<u32>>> {
        let Some(live) = self.keep(batch, first_row)? else { return Ok(rows) };
        let is_live = |row: &u32| live.value(*row as usize);
        Ok(Some(match rows {
            Some(rows) => rows.into_iter().filter(is_live).collect(),
            None => (0..batch.num_rows() as u32).filter(is_live).collect(),
        }))
    }
}
