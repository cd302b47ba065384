//! Summaries from the rows themselves, for files whose footer has none that can be trusted.

use std::path::Path;

use arrow_array::RecordBatch;

use crate::base::error::{Error, Result};
use crate::base::file_names;
use crate::decode::batches::read_batches;
use crate::fs::File;
use crate::segment::hidden_rows::{Hidden, RESULT};
use crate::segment::journal::Journal;
use crate::segment::journal_contents;
use crate::summary::{Datasets, merge_datasets, split_by_dataset};
use crate::types::columns::COLUMNS;

/// The dataset that a file's name stands for: `wheat` for `wheat.meta.parquet`.
pub fn dataset_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".parquet").unwrap_or(&name);
    stem.strip_suffix(".meta").unwrap_or(stem).to_owned()
}

/// Summarises all rows of a file, by dataset, a few batches in memory at a time.
///
/// Rows that name no dataset belong to `unnamed`.
pub fn scan(path: &Path, file: File, unnamed: &str) -> Result<Datasets> {
    let mut datasets = Datasets::new();
    read_batches(path, file, Some(&COLUMNS), &mut |batches| {
        merge_datasets(&mut datasets, split_by_dataset(batches, unnamed)?);
        Ok(())
    })?;
    if datasets.is_empty() {
        datasets.insert(unnamed.to_owned(), crate::summary::Accumulator::default());
    }
    Ok(datasets)
}

/// Summarises the live rows of a file, by dataset.
pub fn scan_live(path: &Path, file: File, unnamed: &str, hidden: &Hidden) -> Result<Datasets> {
    let mut datasets = Datasets::new();
    let mut place = 0;
    let columns: Vec<&str> = COLUMNS.iter().copied().chain([RESULT]).collect();
    read_batches(path, file, Some(&columns), &mut |batches| {
        let mut live = Vec::with_capacity(batches.len());
        for batch in batches {
            live.push(hidden.filter(batch, place)?);
            place += batch.num_rows() as u64;
        }
        merge_datasets(&mut datasets, split_by_dataset(&live, unnamed)?);
        Ok(())
    })?;
    Ok(datasets)
}

/// Hands out the rows of a file, `columns` of it at least, a few batches at a time; those of a journal
/// whole, and with what is damaged after them.
pub fn read_rows(
    path: &Path,
    file: File,
    columns: &[&str],
    take: &mut dyn FnMut(&[RecordBatch]) -> Result<()>,
) -> Result<Option<Error>> {
    if file_names::is_journal(&path.to_string_lossy()) {
        let journal = Journal::open(path)?;
        return journal_contents::rows(&journal, journal.begin(), take).map(|(_, damage)| damage);
    }
    read_batches(path, file, Some(columns), take).map(|()| None)
}
