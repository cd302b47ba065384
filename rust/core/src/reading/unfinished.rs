//! Rows of a run that name a result, in files where that result need not be finished.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::RecordBatch;

use super::files;
use crate::base::error::{Error, FileError, Result};
use crate::base::file_names::{self, Name, PARTIAL_FOLDER};
use crate::decode::batches;
use crate::fs::{folders, platform};
use crate::segment::ipc;
use crate::segment::journal::{Journal, Kind};
use crate::segment::resolve;
use crate::types::columns::{Numbers, Texts};

/// What tells rows of one result apart: texts, then whole numbers.
pub const KEY: [&str; 7] =
    ["model_name", "metric", "fold_id", "partition", "branch_name", "step_idx", "branch_id"];
const TEXTS: usize = 5;

/// The values of [`KEY`], numbers as texts.
pub type Key = [Option<String>; KEY.len()];

/// Rows of one result and key.
#[derive(Debug)]
pub struct Unfinished {
    /// The id of their writer.
    pub writer: String,
    /// The result that they name.
    pub result: String,
    /// What they have in common.
    pub key: Key,
    /// Their number.
    pub rows: u64,
}

/// The rows in the partial segments and live journals of a run, but for those of results that their own writer
/// finished, as `finished` has it: every result that has rows and was never checkpointed by their writer is among
/// them. What cannot be read is added to the errors.
pub fn rows_by_result(
    root: &Path,
    run_id: &str,
    finished: &BTreeMap<String, String>,
    errors: &mut Vec<FileError>,
) -> Vec<Unfinished> {
    let mut found = Vec::new();
    let is_of_run = |file: &str| Name::of(file).is_some_and(|name| name.run_id == run_id);
    for folder in files::prediction_folders(root, errors) {
        let relative = format!("predictions/{folder}");
        let mut names = files::names_of_predictions(root, &folder, errors);
        names.retain(|file| file_names::is_of_predictions(file) && is_of_run(file));
        let journals = if names.iter().any(|file| file_names::is_journal(file)) {
            resolve::resolve_live_files(&root.join(&relative), names).journals
        } else {
            Vec::new()
        };
        let partial = format!("{relative}/{PARTIAL_FOLDER}");
        let is_partial = |file: &str| {
            let name = Name::of(file).filter(|name| name.run_id == run_id);
            // What a live journal still has is counted there.
            name.is_some_and(|name| name.partial().ends_with(file) && !journals.contains(&name.journal()))
        };
        let mut count = |file: String, read: fn(&Path, &mut Rows<'_>) -> Result<()>| {
            let path = root.join(&file);
            let writer = Name::of_path(&path).map(Name::of_writer).unwrap_or_default();
            let mut rows = Rows { writer: &writer, finished, found: BTreeMap::new() };
            match read(&path, &mut rows) {
                Err(error) if !FileError::is_vanished(&error) => {
                    folders::add_errors(errors, [folders::error_of_file(root, &file, &error)]);
                }
                _ => {}
            }
            let of_writer = rows.found.into_iter().map(|((result, key), rows)| Unfinished {
                writer: writer.clone(),
                result,
                key,
                rows,
            });
            found.extend(of_writer);
        };
        for file in &journals {
            count(format!("{relative}/{file}"), |path, rows| {
                let journal = Journal::open(path)?;
                let add = &mut |kind, payload: &[u8]| match kind {
                    Kind::Rows => ipc::decode(payload)?.iter().try_for_each(|batch| rows.add(batch)),
                    Kind::Arrays | Kind::Checkpoint => Ok(()),
                };
                journal.read(journal.begin(), add).map(drop)
            });
        }
        for file in folders::list(root, &partial, |_| true).into_names(&mut Vec::new()) {
            if is_partial(&file) {
                count(format!("{partial}/{file}"), |path, rows| {
                    let opened = platform::open(path).map_err(|error| Error::io(path, error))?;
                    let wanted = [&KEY[..], &["result_id"]].concat();
                    batches::read_batches(path, opened, Some(&wanted), &mut |batches| {
                        batches.iter().try_for_each(|batch| rows.add(batch))
                    })
                });
            }
        }
    }
    found
}

/// Rows of one writer, counted.
struct Rows<'a> {
    writer: &'a str,
    finished: &'a BTreeMap<String, String>,
    found: BTreeMap<(String, Key), u64>,
}

impl Rows<'_> {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let results = Texts::of(batch, "result_id")?;
        let texts = KEY[..TEXTS].iter().map(|name| Texts::of(batch, name)).collect::<Result<Vec<_>>>()?;
        let numbers = KEY[TEXTS..].iter().map(|name| Numbers::of(batch, name)).collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            let Some(result) = results.get(row) else { continue };
            if self.finished.get(result).is_some_and(|writer| writer == self.writer) {
                continue;
            }
            let mut key = Key::default();
            for (place, texts) in key.iter_mut().zip(&texts) {
                *place = texts.get(row).map(str::to_owned);
            }
            for (place, numbers) in key[TEXTS..].iter_mut().zip(&numbers) {
                *place = numbers.get(row).map(|number| (number as i64).to_string());
            }
            *self.found.entry((result.to_owned(), key)).or_default() += 1;
        }
        Ok(())
    }
}
