//! Rows of an order, and how many of them are held in memory.

use std::cmp::Ordering;

use arrow_array::RecordBatch;

use super::file_snapshot::FileSnapshot;
use super::keys::{Key, TIES};
use super::origins::Origins;
use crate::base::error::{Error, Result};
use crate::types::columns::Texts;

/// How much is held in memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of a window at most.
    pub rows: usize,
    /// Rows of one key that are ordered by reading their ids, for as long as there are not more.
    pub ties: usize,
    /// Rows that are looked at to say where others lie, about.
    pub sample: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 262_144, ties: 4_096, sample: 32_768 }
    }
}

/// A row and what orders it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// What orders it.
    pub key: Key,
    /// Its file, by its place among those listed.
    pub file: u32,
    /// Its place in the file.
    pub row: u32,
}

/// What orders rows of equal keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tie {
    /// Where texts order: the text.
    pub text: Option<String>,
    /// The row's id.
    pub id: Option<String>,
    /// Its run.
    pub run_id: Option<String>,
    /// Its dataset.
    pub dataset_name: Option<String>,
    /// The stem of the segment that it was written as, in which it may lie no longer.
    pub stem: String,
    /// Its place there.
    pub row: u32,
}

impl Tie {
    /// The order of two rows; nulls come last.
    pub fn cmp(&self, other: &Self, descending: bool) -> Ordering {
        let texts = match (&self.text, &other.text) {
            (Some(one), Some(two)) if descending => two.cmp(one),
            (one, two) => nulls_last(one.as_ref(), two.as_ref()),
        };
        texts
            .then_with(|| nulls_last(self.id.as_ref(), other.id.as_ref()))
            .then_with(|| nulls_last(self.run_id.as_ref(), other.run_id.as_ref()))
            .then_with(|| nulls_last(self.dataset_name.as_ref(), other.dataset_name.as_ref()))
            .then_with(|| self.stem.cmp(&other.stem))
            .then_with(|| self.row.cmp(&other.row))
    }

    /// The columns that it is made of.
    pub fn columns(text: Option<&str>) -> Vec<String> {
        let mut names: Vec<String> = TIES.map(str::to_owned).to_vec();
        names.extend(text.map(str::to_owned).filter(|text| !names.contains(text)));
        names
    }

    /// That of a row of a batch that has these columns.
    pub fn of_row(
        batch: &RecordBatch,
        row: usize,
        text: Option<&str>,
        file: &FileSnapshot,
        place: u32,
    ) -> Result<Self> {
        let value = |column: &str| Ok::<_, Error>(Texts::of(batch, column)?.get(row).map(str::to_owned));
        let origins = Origins::of(file)?;
        let (stem, row) = origins.at(place);
        Ok(Self {
            text: text.map(value).transpose()?.flatten(),
            id: value("id")?,
            run_id: value("run_id")?,
            dataset_name: value("dataset_name")?,
            stem: stem.to_owned(),
            row,
        })
    }
}

fn nulls_last(one: Option<&String>, two: Option<&String>) -> Ordering {
    match (one, two) {
        (Some(one), Some(two)) => one.cmp(two),
        (one, two) => one.is_none().cmp(&two.is_none()),
    }
}
