//! Which numbers rows have in `scores`, for who asks for another.

use std::collections::BTreeSet;
use std::path::Path;

use arrow_array::RecordBatch;
use rayon::prelude::*;

use super::file_snapshot::{FileFailure, FileSnapshot, collect_results, read_journal};
use super::filter::{ColumnBounds, Filter};
use super::pruning::Pruning;
use super::score_tables::ScoreTable;
use super::source::Source;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::footer::TailReader;
use crate::summary::json_scores::{PREFIX, READ, ScorePath, is_missing, paths_in};
use crate::types::columns::Texts;

/// Rows of a file that are looked at to name what there is.
const SAMPLE: usize = 64;
/// Files that are looked at for that.
const FILES: usize = 16;
/// More names are not listed.
const MOST_NAMES: usize = 48;

/// Whether a row of some files has a number of this path, held out or not.
pub fn is_there(
    root: &Path,
    path: &ScorePath,
    files: &[FileSnapshot],
    wanted: &[usize],
    progress: &Progress,
) -> Result<bool, FileFailure> {
    let table = ScoreTable::of(root, path, files, wanted, progress)?;
    if wanted.iter().any(|&file| table.has_values(std::slice::from_ref(&files[file]))) {
        return Ok(true);
    }
    for &file in wanted.iter().filter(|&&file| files[file].is_journal()) {
        let mut found = false;
        let mut look = |_: u32, batch: &RecordBatch| {
            found = found || path.values(batch)?.iter().any(|value| !is_missing(*value));
            Ok(())
        };
        read_journal(&files[file], &mut look).map_err(|error| FileFailure { file: Some(file), error })?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a row that may fit, and may have another metric as its own, has a number of this path.
pub fn others_have(
    root: &Path,
    path: &ScorePath,
    filter: &Filter,
    files: &[FileSnapshot],
    progress: &Progress,
) -> Result<bool, FileFailure> {
    let others = files.par_iter().map_init(TailReader::default, |tails, file| {
        progress.check()?;
        let may_match = Pruning::of(file, filter, READ[0], false, tails)?.may_match;
        Ok(may_match && !is_all_own(file, &path.metric)?)
    });
    let others = collect_results(others.collect())?;
    let others: Vec<usize> = (0..files.len()).filter(|&file| others[file]).collect();
    is_there(root, path, files, &others, progress)
}

/// Whether all rows of a file have a metric as their own, as its statistics say.
fn is_all_own(file: &FileSnapshot, metric: &str) -> Result<bool> {
    if file.is_journal() {
        return Ok(false);
    }
    let source = Source::open(&file.path, file.identity)?;
    let own = ColumnBounds::Always(Some(metric.to_owned()));
    Ok((0..source.groups()).all(|group| source.known(group, "metric") == own))
}

/// Checks that a row has a number of this path, unless there is no row at all.
pub fn check(
    root: &Path,
    path: &ScorePath,
    files: &[FileSnapshot],
    likely: &[usize],
    progress: &Progress,
) -> Result<(), FileFailure> {
    if is_there(root, path, files, likely, progress)? {
        return Ok(());
    }
    let all: Vec<usize> = (0..files.len()).collect();
    if files.is_empty() || is_there(root, path, files, &all, progress)? {
        return Ok(());
    }
    let there = some_names(files)?;
    let known = if there.is_empty() { "no row has any".to_owned() } else { format!("there are {there}") };
    let message = format!("no row has a number {:?}; {known}", path.column());
    Err(Error::new(ErrorKind::Argument, message).into())
}

/// The names of numbers that the first rows have, as one text.
pub fn some_names(files: &[FileSnapshot]) -> Result<String, FileFailure> {
    let mut names = BTreeSet::new();
    for (number, file) in files.iter().enumerate().take(FILES) {
        let mut add = |batch: &RecordBatch| {
            let texts = Texts::of(batch, READ[0])?;
            let first = (0..batch.num_rows().min(SAMPLE)).filter_map(|row| texts.get(row));
            let columns = first.flat_map(paths_in).map(|path| path.column());
            names.extend(columns.filter_map(|column| column.strip_prefix(PREFIX).map(str::to_owned)));
            Ok(())
        };
        let read = if file.is_journal() {
            read_journal(file, &mut |_, batch| add(batch)).map(drop)
        } else {
            first_rows(file, &mut add)
        };
        read.map_err(|error| FileFailure { file: Some(number), error })?;
    }
    let shown: Vec<String> = names.iter().take(MOST_NAMES).cloned().collect();
    let more = if names.len() > MOST_NAMES { ", ..." } else { "" };
    Ok(format!("{}{more}", shown.join(", ")))
}

fn first_rows(file: &FileSnapshot, take: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
    let source = Source::open(&file.path, file.identity)?;
    if source.groups() == 0 {
        return Ok(());
    }
    let rows = usize::try_from(source.starts[1]).unwrap_or(usize::MAX).min(SAMPLE);
    source.read_slice(0, Some(0..rows), &READ[..1], take)
}
