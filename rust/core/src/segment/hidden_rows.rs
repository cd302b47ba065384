//! Which rows of the listed files are live: of two checkpoints of one result only the winner's are.
//!
//! A listed file may have a hidden part: the rows of results that another writer's checkpoint won, and, of a
//! compaction, the rows of writers that another file carries further. Places of rows never change by that.

use std::collections::{BTreeSet, HashMap};
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

/// What decides between the checkpoints of one result: the smallest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank<'a> {
    /// A result that is done comes before a failed one.
    pub is_failed: bool,
    /// When it was checkpointed, as the checkpoint says it.
    pub completed_at: &'a str,
    /// The writer that checkpointed it.
    pub writer: &'a str,
}

impl<'a> Rank<'a> {
    /// The rank of a checkpoint by its `status` and `completed_at`; what is not failed is done.
    pub fn new(status: Option<&str>, completed_at: Option<&'a str>, writer: &'a str) -> Self {
        Self { is_failed: status == Some("failed"), completed_at: completed_at.unwrap_or_default(), writer }
    }
}

/// Which of some checkpoints, each with the id of its result, win: one of each result.
pub fn winners<'a>(checkpoints: impl IntoIterator<Item = (&'a str, Rank<'a>)>) -> Vec<bool> {
    let mut best = HashMap::<&str, (Rank<'_>, usize)>::new();
    let mut count = 0;
    for (place, (id, rank)) in checkpoints.into_iter().enumerate() {
        let known = best.entry(id).or_insert((rank, place));
        if rank < known.0 {
            *known = (rank, place);
        }
        count = place + 1;
    }
    let mut wins = vec![false; count];
    best.into_values().for_each(|(_, place)| wins[place] = true);
    wins
}

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
