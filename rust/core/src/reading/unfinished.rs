//! Rows of a run that name a result, in files where that result need not be finished.

use std::path::Path;

use super::files;
use crate::base::error::{FileError, Result};
use crate::base::file_names::{self, Name, PARTIAL_FOLDER};
use crate::fs::{folders, lock};
use crate::segment::journal::Journal;
use crate::segment::resolve;
use crate::segment::stored_result::{self, RowsByResult};

/// Rows that name a result, of one writer.
pub struct Unfinished {
    /// The id of the writer.
    pub writer: String,
    /// Whether it is still open.
    pub is_open: bool,
    /// The numbers of rows by result.
    pub rows: RowsByResult,
}

/// The numbers of rows by result in the partial segments and live journals of a run: every result that has rows and
/// was never checkpointed by their writer is among them. What cannot be read is added to the errors.
pub fn rows_by_result(root: &Path, run_id: &str, errors: &mut Vec<FileError>) -> Vec<Unfinished> {
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
        let mut count = |file: String, count: fn(&Path, &mut RowsByResult) -> Result<bool>| {
            let (path, mut rows) = (root.join(&file), RowsByResult::new());
            let is_open = match count(&path, &mut rows) {
                Ok(is_open) => is_open,
                Err(error) if FileError::is_vanished(&error) => return,
                Err(error) => {
                    folders::add_errors(errors, [folders::error_of_file(root, &file, &error)]);
                    false
                }
            };
            let writer = Name::of_path(&path).map(Name::of_writer).unwrap_or_default();
            found.push(Unfinished { writer, is_open, rows });
        };
        for file in &journals {
            count(format!("{relative}/{file}"), |path, rows| {
                stored_result::count(&Journal::open(path)?, rows)?;
                lock::is_held(path)
            });
        }
        for file in folders::list(root, &partial, |_| true).into_names(&mut Vec::new()) {
            if is_partial(&file) {
                count(format!("{partial}/{file}"), |path, rows| {
                    stored_result::count_sealed(path, rows).map(|()| false)
                });
            }
        }
    }
    found
}
