//! The rows of a Parquet file, of which all that is decoded was checked.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::chunk_checks::FileChecks;
use crate::base::error::{Error, ErrorKind, Result, corrupt, guarded, unreadable};
use crate::footer::TailReader;
use crate::fs::{File, platform};
use crate::types;

/// Rows per batch: as many as a summary takes as one piece.
const BATCH: usize = 65_536;
/// Rows per batch where all columns are read.
const WHOLE_BATCH: usize = 8_192;
/// So many batches are in memory at a time, fewer where they are large.
const BATCHES: usize = 4;
const BATCHES_BYTES: usize = 256 << 20;

/// The columns of a Parquet file.
pub fn schema_of(path: &Path) -> Result<SchemaRef> {
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let read = || {
        TailReader::default().read_file(&file)?.footer()?.check()?;
        guarded("the schema", || schema_of_open(&file))
    };
    read().map_err(|error| error.at(path))
}

/// The columns of an open Parquet file whose footer was checked.
pub(crate) fn schema_of_open(file: &File) -> Result<SchemaRef> {
    let file = file.try_clone().map_err(Error::pathless)?;
    ParquetRecordBatchReaderBuilder::try_new(file).map(|builder| builder.schema().clone()).map_err(no_schema)
}

/// Hands out the rows of a Parquet file, some columns of it or all, a few batches at a time.
#[allow(clippy::needless_pass_by_value, reason = "every caller is done with it")]
pub fn read_batches(
    path: &Path,
    file: File,
    columns: Option<&[&str]>,
    take: &mut dyn FnMut(&[RecordBatch]) -> Result<()>,
) -> Result<()> {
    // A decoder believes a footer that contradicts itself and reads other numbers than were written.
    let opened = TailReader::default().read_file(&file).and_then(|tail| {
        let footer = tail.footer()?;
        Ok((footer.num_rows, FileChecks::of(path, tail.identity, &footer)?))
    });
    let (announced, checks) = opened.map_err(|error| error.at(path))?;
    let read = || {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(no_schema)?;
        let mask = mask_of(&metadata, columns)?;
        let mut held = Vec::with_capacity(BATCHES);
        let (mut rows, mut held_bytes) = (0u64, 0);
        // Each by itself, so that one is checked before it is decoded and no batch has texts of several.
        for group in 0..checks.groups() {
            for batch in open_group(&file, &metadata, &mask, group, columns.is_none(), &checks)? {
                let batch = batch.map_err(unreadable)?;
                rows += batch.num_rows() as u64;
                held_bytes += batch.get_array_memory_size();
                held.push(batch);
                if held.len() == BATCHES || held_bytes >= BATCHES_BYTES {
                    take(&held)?;
                    held.clear();
                    held_bytes = 0;
                }
            }
        }
        take(&held)?;
        if rows == announced {
            Ok(())
        } else {
            Err(corrupt(format!("the footer announces {announced} rows and the file holds {rows}")))
        }
    };
    guarded("the rows", read).map_err(|error| error.at(path))
}

/// The rows of a row group, of which all that is read was checked.
fn open_group(
    file: &File,
    metadata: &ArrowReaderMetadata,
    mask: &ProjectionMask,
    group: usize,
    is_whole: bool,
    checks: &FileChecks,
) -> Result<impl Iterator<Item = Result<RecordBatch, arrow_schema::ArrowError>>> {
    let asked = (0..checks.leaves()).filter(|leaf| mask.leaf_included(*leaf));
    checks.check(file, &asked.map(|leaf| (group, leaf)).collect::<Vec<_>>())?;
    let most = if is_whole { WHOLE_BATCH } else { BATCH };
    let rows = batch_rows(checks, file, group, mask, metadata.schema(), most)?;
    let file = file.try_clone().map_err(Error::pathless)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
    let builder = builder.with_projection(mask.clone()).with_row_groups(vec![group]).with_batch_size(rows);
    builder.build().map_err(unreadable)
}

/// The columns that are read.
fn mask_of(metadata: &ArrowReaderMetadata, columns: Option<&[&str]>) -> Result<ProjectionMask> {
    let Some(columns) = columns else { return Ok(ProjectionMask::all()) };
    let schema = metadata.schema();
    let wanted: Vec<usize> = schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| columns.contains(&field.name().as_str()))
        .map(|(index, _)| index)
        .collect();
    if wanted.is_empty() {
        return Err(Error::new(
            ErrorKind::Schema,
            "not a file of predictions: it has none of the columns that a summary reads",
        ));
    }
    types::check(schema)?;
    Ok(ProjectionMask::roots(metadata.parquet_schema(), wanted))
}

fn no_schema(error: impl std::fmt::Display) -> Error {
    corrupt(format!("cannot read the schema: {error}"))
}

/// Rows of a batch of the columns of a mask, `most` of them unless they may hold very long texts.
pub(crate) fn batch_rows(
    checks: &FileChecks,
    file: &File,
    group: usize,
    mask: &ProjectionMask,
    schema: &Schema,
    most: usize,
) -> Result<usize> {
    let leaves: Vec<usize> = (0..checks.leaves()).filter(|leaf| mask.leaf_included(*leaf)).collect();
    let is_coded = |leaf| {
        let field = schema.field_with_name(checks.column(leaf));
        field.is_ok_and(|field| matches!(field.data_type(), DataType::Dictionary(..)))
    };
    checks.batch_rows(file, group, &leaves, most, &is_coded)
}
