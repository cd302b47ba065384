//! One prediction by its id, and arrays by theirs.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use rayon::prelude::*;

use super::entry::Entry;
use super::file_snapshot::{FileFailure, FileSnapshot, Files, collect_results, read_journal, schemas_of};
use super::filter::{Filter, Predicate, fitting};
use super::page::attempts;
use super::source::Source;
use super::take::{schemas, take};
use crate::base::error::{Error, FileError, Result, corrupt};
use crate::base::progress::Progress;
use crate::fs::stat;
use crate::reading::scan;
use crate::segment::live_set::Open;
use crate::types;
use crate::types::columns::Texts;

/// Rows with this id that fit a filter, those of each file as it has them, with all columns that any file has;
/// and files that could not be used.
pub fn with_id(
    root: &Path,
    id: &str,
    filter: &Filter,
    progress: &Progress,
) -> Result<(Vec<RecordBatch>, Vec<FileError>)> {
    attempts(root, Open::Live, |Files { files, mut errors, .. }| {
        let read = || {
            let found = files.par_iter().enumerate().map(|(number, listed)| {
                progress.check()?;
                entries(listed, number as u32, id, filter).map_err(|error| error.at(&listed.path))
            });
            let (found, damage): (Vec<_>, Vec<_>) = collect_results(found.collect())?.into_iter().unzip();
            let names = types::all_names(&schemas(&files)?);
            let mut lost: Vec<FileError> = damage.into_iter().flatten().collect();
            let mut rows = Vec::new();
            for (number, entries) in
                found.iter().enumerate().filter(|(_, entries): &(usize, &Vec<Entry>)| !entries.is_empty())
            {
                let failed = |error| FileFailure { file: Some(number), error };
                let own = schemas_of(&files[number]).map_err(failed)?;
                // A column that only other files have is null.
                let schema = own_schema(&own, &names);
                let taken = take(&files, entries, &schema)?;
                rows.push(taken.rows);
                lost.extend(taken.lost);
            }
            Ok((rows, lost))
        };
        match read() {
            Ok((rows, lost)) => {
                errors.extend(lost);
                Ok((rows, errors))
            }
            Err(failed) => Err(FileFailure::named(failed, &files)),
        }
    })
}

fn own_schema(own: &[SchemaRef], names: &[String]) -> SchemaRef {
    let fields = names.iter().map(|name| {
        let types = own.iter().filter_map(|schema| Some(schema.column_with_name(name)?.1.data_type()));
        Field::new(name, types::answer_type(name, types), true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of a file with this id, and what is damaged in it while others are live.
fn entries(
    listed: &FileSnapshot,
    file: u32,
    id: &str,
    filter: &Filter,
) -> Result<(Vec<Entry>, Option<FileError>)> {
    let predicates = filter.predicates();
    let columns = predicates.iter().flat_map(Predicate::columns).chain(["id"]).chain(listed.tells_live());
    let columns: Vec<&str> = columns.collect();
    let unnamed = scan::dataset_of(&listed.path);
    let mut found = Vec::new();
    let mut look = |first: u32, batch: &RecordBatch| {
        let ids = Texts::of(batch, "id")?;
        let fits = |row: &u32| ids.get(*row as usize) == Some(id);
        let entry = |row| Entry { key: (0, 0), file, row: first + row };
        match listed.live(batch, first, fitting(&predicates, batch, &unnamed)?)? {
            Some(rows) => found.extend(rows.into_iter().filter(fits).map(entry)),
            None => found.extend((0..batch.num_rows() as u32).filter(fits).map(entry)),
        }
        Ok(())
    };
    if listed.is_journal() {
        let damage = read_journal(listed, &mut look)?;
        return Ok((found, damage.map(|error| FileError::new(&listed.name, &error))));
    }
    let source = Source::open(&listed.path, listed.identity)?;
    for group in 0..source.groups() {
        let known = |column: &str| source.known(group, column);
        let is_ruled_out = predicates.iter().any(|one| one.decided_by(&known, &unnamed) == Some(false));
        if !is_ruled_out && source.may_hold(group, "id", id)? {
            let mut first = source.starts[group] as u32;
            source.read_group(group, &columns, &mut |batch| {
                look(first, batch)?;
                first += batch.num_rows() as u32;
                Ok(())
            })?;
        }
    }
    Ok((found, None))
}

/// The rows of a file of arrays that have one of these ids: only the pages are read that hold them.
pub fn arrays(path: &Path, ids: &[String]) -> Result<Vec<RecordBatch>> {
    let identity = stat::identity_of(path).map_err(|error| Error::io(path, error))?;
    let source = Source::open(path, identity)?;
    let mut found = Vec::new();
    for group in 0..source.groups() {
        let mut may_hold = false;
        for id in ids {
            may_hold = may_hold || source.may_hold(group, "array_id", id)?;
        }
        if !may_hold {
            continue;
        }
        let (mut rows, mut first) = (Vec::new(), 0);
        source.read_group(group, &["array_id"], &mut |batch| {
            let texts = Texts::of(batch, "array_id")?;
            let fits = |row: &u32| texts.get(*row as usize).is_some_and(|id| ids.iter().any(|one| one == id));
            rows.extend((0..batch.num_rows() as u32).filter(fits).map(|row| first + row));
            first += batch.num_rows() as u32;
            Ok(())
        })?;
        if !rows.is_empty() {
            found.extend(source.read_rows(group, &rows, &["array_id", "array_data", "array_shape"])?);
        }
    }
    if found.iter().any(|batch| batch.column_by_name("array_data").is_none_or(|data| data.null_count() > 0)) {
        return Err(corrupt("an array has no values").at(path));
    }
    Ok(found)
}
