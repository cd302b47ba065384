//! Rows of any Parquet file, a batch at a time, from any row on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, make_array};
use arrow_schema::{DataType, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::base::error::{Error, Result, guarded, unreadable};
use crate::decode::batches::batch_rows;
use crate::decode::chunk_checks::FileChecks;
use crate::footer::TailReader;
use crate::fs::platform;

/// Reads some columns of a file from one row to another.
pub struct Reader {
    path: PathBuf,
    /// The columns that are read.
    pub schema: SchemaRef,
    batches: ParquetRecordBatchReader,
}

impl Reader {
    /// Opens a file; without `columns` all are read. Those that it lacks are left out.
    pub fn open(
        path: &Path,
        columns: Option<&[String]>,
        start: usize,
        count: usize,
        batch: usize,
    ) -> Result<Self> {
        let file = platform::open(path).map_err(|error| Error::io(path, error))?;
        // A decoder believes a footer that contradicts itself.
        let checked = TailReader::default()
            .read_file(&file)
            .and_then(|tail| FileChecks::of(path, tail.identity, &tail.footer()?));
        let checks = checked.map_err(|error| error.at(path))?;
        let again = file.try_clone().map_err(|error| Error::io(path, error))?;
        let open = || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unreadable)?;
            let fields = builder.schema().fields().iter().enumerate();
            let wanted =
                fields.filter(|(_, field)| columns.is_none_or(|columns| columns.contains(field.name())));
            let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.map(|(place, _)| place));
            let (groups, before) = groups_of(&checks, start, count);
            let (mut places, mut rows) = (Vec::new(), batch);
            let leaves: Vec<usize> = (0..checks.leaves()).filter(|leaf| mask.leaf_included(*leaf)).collect();
            places.extend(groups.iter().flat_map(|&group| leaves.iter().map(move |&leaf| (group, leaf))));
            checks.check(&again, &places)?;
            for &group in &groups {
                rows = rows.min(batch_rows(&checks, &again, group, &mask, builder.schema(), batch)?);
            }
            let builder = builder.with_row_groups(groups).with_projection(mask);
            let builder = builder.with_offset(start - before).with_limit(count);
            builder.with_batch_size(rows).build().map_err(unreadable)
        };
        let batches = guarded("the rows", open).map_err(|error| error.at(path))?;
        let schema = known_zones(&arrow_array::RecordBatchReader::schema(&batches));
        Ok(Self { path: path.to_path_buf(), schema, batches })
    }

    /// The next rows; `None` after the last ones.
    pub fn read(&mut self) -> Result<Option<RecordBatch>> {
        let next = guarded("the rows", || self.batches.next().transpose().map_err(unreadable));
        let Some(batch) = next.map_err(|error| error.at(&self.path))? else { return Ok(None) };
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| match field.data_type() {
            kind if kind == column.data_type() => Ok(column.clone()),
            // The same numbers: they count from 1970 UTC in every zone.
            kind => column
                .to_data()
                .into_builder()
                .data_type(kind.clone())
                .build()
                .map(make_array)
                .map_err(unreadable),
        });
        let columns = columns.collect::<Result<_>>().map_err(|error| error.at(&self.path))?;
        RecordBatch::try_new(self.schema.clone(), columns)
            .map(Some)
            .map_err(|error| unreadable(error).at(&self.path))
    }
}

/// The row groups that hold some rows, and how many rows lie before them.
fn groups_of(checks: &FileChecks, start: usize, count: usize) -> (Vec<usize>, usize) {
    let (mut groups, mut before, mut first) = (Vec::new(), 0, 0);
    for group in 0..checks.groups() {
        let end = usize::try_from(checks.rows(group)).map_or(usize::MAX, |rows| rows.saturating_add(first));
        if end <= start {
            before = end;
        } else if first < start.saturating_add(count) {
            groups.push(group);
        }
        first = end;
    }
    (groups, before.min(start))
}

/// A schema in which times with a fixed offset, which Polars does not know, are in UTC.
fn known_zones(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Timestamp(unit, Some(zone)) if zone.starts_with(['+', '-']) => {
            field.as_ref().clone().with_data_type(DataType::Timestamp(*unit, Some("UTC".into())))
        }
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}
