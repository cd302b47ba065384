//! Rows by their places: some columns of them, in one schema, whatever their files have.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave_record_batch;
use arrow_select::take::take_record_batch;
use rayon::prelude::*;

use super::entry::{Entry, Tie};
use super::file_snapshot::{
    FileFailure, FileSnapshot, collect_results, collect_results_of, read_journal, schemas_of,
};
use super::origins::Origins;
use super::source::Source;
use crate::base::error::{Error, ErrorKind, FileError, Result, corrupt, guarded};
use crate::types::columns::Texts;
use crate::types::{self, Lost, conform, schema};

/// The columns of these names in the types that rows are handed out in.
///
/// Files are looked at for columns that not every segment has; a column that no file has is an error.
pub fn schema_of(files: &[FileSnapshot], names: &[String]) -> Result<SchemaRef, FileFailure> {
    let extra = |name: &String| schema::known(name).is_none();
    let schemas = if names.iter().any(extra) { schemas(files)? } else { Vec::new() };
    types::answer_schema(&schemas, names).map_err(|name| {
        let message = format!("no column {name:?}; there are {}", types::all_names(&schemas).join(", "));
        Error::new(ErrorKind::Argument, message).into()
    })
}

/// The columns of all files, each schema once.
pub fn schemas(files: &[FileSnapshot]) -> Result<Vec<SchemaRef>, FileFailure> {
    let all = collect_results(files.par_iter().map(schemas_of).collect())?;
    let mut schemas: Vec<SchemaRef> = Vec::new();
    for schema in all.into_iter().flatten() {
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    Ok(schemas)
}

/// Rows that were taken, and the values of files that do not convert to the types of the answer.
pub struct Taken {
    /// In the order that was asked for.
    pub rows: RecordBatch,
    /// One for each column of a file that lost a value.
    pub lost: Vec<FileError>,
}

/// The rows at some places, in this order.
pub fn take(files: &[FileSnapshot], entries: &[Entry], schema: &SchemaRef) -> Result<Taken, FileFailure> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_unstable_by_key(|&at| (entries[at].file, entries[at].row));
    let mut pieces = Vec::new();
    for of_file in order.chunk_by(|&one, &two| entries[one].file == entries[two].file) {
        let file = entries[of_file[0]].file as usize;
        let listed = &files[file];
        if listed.is_journal() {
            pieces.push(Piece { file, source: None, group: 0, first: 0, places: of_file });
            continue;
        }
        let source = Source::open(&listed.path, listed.identity)
            .map_err(|error| FileFailure { file: Some(file), error })?;
        let group_of =
            |at: usize| source.starts.partition_point(|start| *start <= u64::from(entries[at].row)) - 1;
        for places in of_file.chunk_by(|&one, &two| group_of(one) == group_of(two)) {
            let group = group_of(places[0]);
            let first = source.starts.get(group).copied().unwrap_or(0) as u32;
            pieces.push(Piece { file, source: Some(Arc::clone(&source)), group, first, places });
        }
    }
    let read = |piece: &Piece<'_>| {
        let rows: Vec<u32> = piece.places.iter().map(|&at| entries[at].row - piece.first).collect();
        guarded("the rows", || piece.read(&files[piece.file], &rows, schema))
            .map_err(|error| error.at(&files[piece.file].path))
    };
    let batches: Vec<Result<(RecordBatch, Vec<Lost>)>> =
        pieces.par_iter().with_max_len(1).map(read).collect();
    let numbers: Vec<usize> = pieces.iter().map(|piece| piece.file).collect();
    let (batches, losses): (Vec<_>, Vec<_>) = collect_results_of(&numbers, batches)?.into_iter().unzip();
    let mut lost: Vec<FileError> = Vec::new();
    for (&file, losses) in numbers.iter().zip(losses) {
        lost.extend(losses.iter().map(|lost| FileError::new(&files[file].name, &lost.error())));
    }
    let mut indices = vec![(0, 0); entries.len()];
    for (number, piece) in pieces.iter().enumerate() {
        piece.places.iter().enumerate().for_each(|(row, &at)| indices[at] = (number, row));
    }
    if batches.is_empty() {
        return Ok(Taken { rows: RecordBatch::new_empty(Arc::clone(schema)), lost });
    }
    if schema.fields().is_empty() {
        let options = RecordBatchOptions::new().with_row_count(Some(entries.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(schema), Vec::new(), &options);
        return Ok(Taken { rows: rows.map_err(|error| unjoined(&error))?, lost });
    }
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    let rows = interleave_record_batch(&batches, &indices).map_err(|error| unjoined(&error))?;
    Ok(Taken { rows, lost })
}

fn unjoined(error: &arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Schema, format!("rows of several files do not fit together: {error}"))
}

/// Rows of one row group, or of one journal.
struct Piece<'a> {
    file: usize,
    source: Option<Arc<Source>>,
    group: usize,
    /// The place of the row group's first row.
    first: u32,
    /// Which of the rows that are taken lie here, in the order of their places.
    places: &'a [usize],
}

impl Piece<'_> {
    fn read(
        &self,
        listed: &FileSnapshot,
        rows: &[u32],
        schema: &SchemaRef,
    ) -> Result<(RecordBatch, Vec<Lost>)> {
        let (mut batches, mut lost) = (Vec::new(), Vec::new());
        let mut add = |batch: &RecordBatch| {
            let (batch, more) = conform(batch, schema)?;
            batches.push(batch);
            Lost::add(&mut lost, more);
            Ok::<_, Error>(())
        };
        if let Some(source) = &self.source {
            let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            for batch in source.read_rows(self.group, rows, &columns)? {
                add(&batch)?;
            }
        } else {
            let mut left = rows;
            // Damage after the rows that count is known already.
            let _ = read_journal(listed, &mut |first, batch| {
                let here = left.partition_point(|&row| row < first + batch.num_rows() as u32);
                let (now, later) = left.split_at(here);
                left = later;
                if now.is_empty() {
                    return Ok(());
                }
                let indices: UInt32Array = now.iter().map(|row| row - first).collect();
                let taken = take_record_batch(batch, &indices).map_err(|error| unjoined(&error))?;
                add(&taken)
            })?;
        }
        let joined = concat_batches(schema, &batches).map_err(|error| unjoined(&error))?;
        if joined.num_rows() == rows.len() { Ok((joined, lost)) } else { Err(corrupt("rows are missing")) }
    }
}

/// What orders some rows among those of equal keys.
pub fn ties(files: &[FileSnapshot], entries: &[Entry], text: Option<&str>) -> Result<Vec<Tie>, FileFailure> {
    let columns = Tie::columns(text);
    // As texts, whatever their type: that is how they are ordered.
    let fields = columns.iter().map(|name| Field::new(name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch = take(files, entries, &schema)?.rows;
    let column = |name: &str| Texts::of(&batch, name);
    let texts = text.map(column).transpose()?;
    let (ids, runs, datasets) = (column("id")?, column("run_id")?, column("dataset_name")?);
    let owned = |texts: &Texts<'_>, row| texts.get(row).map(str::to_owned);
    let mut origins = HashMap::new();
    for file in entries.iter().map(|entry| entry.file) {
        if let MapEntry::Vacant(vacant) = origins.entry(file) {
            let failed = |error| FileFailure { file: Some(file as usize), error };
            vacant.insert(Origins::of(&files[file as usize]).map_err(failed)?);
        }
    }
    let origin = |entry: &Entry| origins.get(&entry.file).map(|of| of.at(entry.row)).unwrap_or_default();
    Ok(entries
        .iter()
        .enumerate()
        .map(|(row, entry)| (row, origin(entry)))
        .map(|(row, (stem, place))| Tie {
            text: texts.as_ref().and_then(|texts| owned(texts, row)),
            id: owned(&ids, row),
            run_id: owned(&runs, row),
            dataset_name: owned(&datasets, row),
            stem: stem.to_owned(),
            row: place,
        })
        .collect())
}
