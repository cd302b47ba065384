//! Parquet files as this package writes them: drafts that grow batch by batch and are published whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::decode::chunk_sums::{self, CHUNKS_KEY, Hashing};
use crate::decode::value_sizes;
use crate::footer::keys::DIGEST_KEY;
use crate::footer::{MAGIC, TailReader, digest, encode};
use crate::fs::atomic::Draft;
use crate::fs::{File, platform};
use crate::summary::{Datasets, embedded};

/// Rows of a row group.
const GROUP_ROWS: usize = 65_536;
/// Bytes of the values of a row group, about: one that has more is ended before it has all of its rows.
const GROUP_BYTES: usize = 512 << 20;
/// Rows of a data page, so that a reader of one row decodes few others.
const PAGE_ROWS: usize = 1_024;
/// The columns with statistics, by which readers skip what cannot matter.
const PRUNED: [&str; 13] = [
    "val_score",
    "test_score",
    "train_score",
    "metric",
    "partition",
    "model_name",
    "fold_id",
    "task_type",
    "dataset_name",
    "run_id",
    "result_id",
    "config_name",
    "created_at",
];

/// The columns whose values hardly repeat, and which have no dictionary.
const UNLIKE: [&str; 4] = ["id", "val_score", "test_score", "train_score"];

/// A Parquet file that is invisible until it is published.
pub struct SegmentFile {
    draft: Draft,
    writer: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    hashing: Hashing,
    /// Checksums of the column chunks of each row group that was written.
    sums: Vec<Vec<u64>>,
    /// The columns of the row group that is being filled, and how many rows it has.
    group: Vec<ArrowColumnWriter>,
    group_rows: usize,
    group_bytes: usize,
    target: PathBuf,
    /// Rows written so far.
    pub rows: u64,
}

impl SegmentFile {
    /// Begins a segment of prediction rows.
    pub fn of_rows(target: &Path, schema: SchemaRef) -> Result<Self> {
        let mut properties = WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::None)
            .set_column_bloom_filter_enabled(ColumnPath::from("id"), true);
        // A reader of one row would decode the dictionary of a whole row group.
        for column in UNLIKE {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
        }
        for column in PRUNED {
            properties =
                properties.set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::Page);
        }
        Self::begin(target, schema, properties)
    }

    /// Begins a file of arrays.
    pub fn of_arrays(target: &Path, schema: SchemaRef) -> Result<Self> {
        // Floats of predictions hardly repeat.
        let data = ColumnPath::from(vec!["array_data".to_owned(), "list".to_owned(), "item".to_owned()]);
        let properties = WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::None)
            .set_column_dictionary_enabled(data, false)
            .set_column_bloom_filter_enabled(ColumnPath::from("array_id"), true);
        Self::begin(target, schema, properties)
    }

    fn begin(
        target: &Path,
        schema: SchemaRef,
        properties: parquet::file::properties::WriterPropertiesBuilder,
    ) -> Result<Self> {
        if let Some(folder) = target.parent() {
            crate::fs::atomic::make_folder(folder)?;
        }
        let properties = properties
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_write_batch_size(PAGE_ROWS)
            .build();
        let mut draft = Draft::begin(target)?;
        let file = draft.file().try_clone().map_err(|error| Error::io(target, error))?;
        let hashing = Hashing::default();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_page_store_factory(Arc::new(hashing.clone()));
        let (writer, factory) = ArrowWriter::try_new_with_options(file, schema.clone(), options)
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|error| failed(target, error))?;
        Ok(Self {
            draft,
            writer,
            factory,
            schema,
            hashing,
            sums: Vec::new(),
            group: Vec::new(),
            group_rows: 0,
            group_bytes: 0,
            target: target.to_path_buf(),
            rows: 0,
        })
    }

    /// Adds rows of the schema, their columns in parallel within the current thread pool.
    pub fn write(&mut self, batches: &[RecordBatch]) -> Result<()> {
        let (mut held, mut held_rows) = (Vec::with_capacity(batches.len()), 0);
        for batch in batches {
            let mut start = 0;
            while start < batch.num_rows() {
                let length = (GROUP_ROWS - self.group_rows - held_rows).min(batch.num_rows() - start);
                let room = GROUP_BYTES.saturating_sub(self.group_bytes);
                let fitting = value_sizes::rows_within(batch, start, length, room).max(1);
                held.push(batch.slice(start, fitting));
                self.group_bytes += value_sizes::bytes_of_rows(batch, start, fitting);
                (start, held_rows) = (start + fitting, held_rows + fitting);
                let is_full = self.group_rows + held_rows == GROUP_ROWS || self.group_bytes >= GROUP_BYTES;
                if is_full || fitting < length {
                    self.fill(&held)
                        .and_then(|()| self.end_group())
                        .map_err(|error| failed(&self.target, error))?;
                    held.clear();
                    held_rows = 0;
                }
            }
            self.rows += batch.num_rows() as u64;
        }
        self.fill(&held).map_err(|error| failed(&self.target, error))
    }

    fn fill(&mut self, batches: &[RecordBatch]) -> parquet::errors::Result<()> {
        if batches.is_empty() {
            return Ok(());
        }
        if self.group_rows == 0 {
            self.group = self.factory.create_column_writers(self.sums.len())?;
        }
        // A nested column is stored as several.
        let description = self.writer.schema_descr();
        let roots: Vec<usize> =
            (0..description.num_columns()).map(|leaf| description.get_column_root_idx(leaf)).collect();
        let mut writers = self.group.as_mut_slice();
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for root in roots.chunk_by(|one, other| one == other) {
            let (own, rest) = writers.split_at_mut(root.len());
            columns.push((root[0], own));
            writers = rest;
        }
        // The largest first: one that is begun last keeps the others waiting.
        let bytes = |column: usize| batches[0].column(column).get_array_memory_size();
        columns.sort_by_key(|(column, _)| std::cmp::Reverse(bytes(*column)));
        let schema = &self.schema;
        columns.into_par_iter().with_max_len(1).try_for_each(|(column, writers)| {
            for batch in batches {
                let leaves = compute_leaves(schema.field(column), batch.column(column))?;
                writers.iter_mut().zip(&leaves).try_for_each(|(writer, leaf)| writer.write(leaf))?;
            }
            Ok::<_, parquet::errors::ParquetError>(())
        })?;
        self.group_rows += batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        Ok(())
    }

    fn end_group(&mut self) -> parquet::errors::Result<()> {
        let columns = std::mem::take(&mut self.group);
        let chunks: Vec<_> =
            columns.into_par_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>()?;
        let mut group = self.writer.next_row_group()?;
        chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut group))?;
        group.close()?;
        self.sums.push(self.hashing.take());
        (self.group_rows, self.group_bytes) = (0, 0);
        Ok(())
    }

    /// Publishes the file, durably, with these keys and the summary of its rows in its footer.
    ///
    /// A summary that no footer can hold is left out: the rows are worth more than their summary.
    pub fn publish(mut self, keys: &[(&str, String)], summary: Option<&Datasets>) -> Result<()> {
        if self.group_rows > 0 {
            self.end_group().map_err(|error| failed(&self.target, error))?;
        }
        for (key, value) in keys {
            self.writer.append_key_value_metadata(KeyValue::new((*key).to_owned(), value.clone()));
        }
        self.writer.finish().map_err(|error| failed(&self.target, error))?;
        let has_keys = !keys.is_empty();
        complete(self.draft.file(), &self.sums, summary, has_keys).map_err(|error| error.at(&self.target))?;
        self.draft.sync()?;
        self.draft.replace()
    }
}

/// Replaces the footer of a file by one with the checksums of what is before it, and the summary of its rows; where
/// it has other keys, also with a digest.
fn complete(file: &File, sums: &[Vec<u64>], summary: Option<&Datasets>, has_keys: bool) -> Result<()> {
    let mut tails = TailReader::default();
    let tail = tails.read_file(file)?;
    let footer = tail.footer()?;
    let sums = chunk_sums::encode(&footer, sums, &mut |extent| {
        let mut bytes = vec![0; (extent.end - extent.start) as usize];
        let read = platform::read_at(file, &mut bytes, extent.start).map_err(Error::pathless)?;
        if read < bytes.len() {
            Err(corrupt("the file became shorter while it was written"))
        } else {
            Ok(bytes)
        }
    })?;
    let mut keys = vec![(CHUNKS_KEY, sums)];
    match summary.map(|summary| embedded::write(summary, &footer)) {
        Some(Ok(of_summary)) => keys.extend(of_summary),
        Some(Err(error)) if error.kind != ErrorKind::Argument => return Err(error),
        _ => {}
    }
    // Without a summary there is no sketch that ends with the digest.
    if has_keys && keys.len() == 1 {
        keys.push((DIGEST_KEY, digest::reserve("")));
    }
    let mut end = encode(&footer, &keys);
    let length = u32::try_from(end.len()).unwrap_or(u32::MAX);
    end.extend_from_slice(&length.to_le_bytes());
    end.extend_from_slice(MAGIC);
    let start = tail.identity.size - tail.bytes().len() as u64 - 8;
    platform::write_at(file, &end, start).map_err(Error::pathless)
}

fn failed(path: &Path, error: parquet::errors::ParquetError) -> Error {
    match error {
        parquet::errors::ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::io(path, *source),
            Err(source) => Error::new(ErrorKind::Argument, source.to_string()).at(path),
        },
        other => Error::new(ErrorKind::Argument, format!("cannot be written as Parquet: {other}")).at(path),
    }
}
