//! Parquet files as this package writes them: drafts that grow batch by batch and are published whole.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::atomic::Draft;
use crate::error::{Error, ErrorKind, Result};
use crate::footer::{MAGIC, TailReader, encode};
use crate::platform;
use crate::summary::{Datasets, embedded};

/// Rows of a row group.
const GROUP_ROWS: usize = 65_536;
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

/// A Parquet file that nobody sees until it is published.
pub struct SegmentFile {
    draft: Draft,
    writer: ArrowWriter<File>,
    target: PathBuf,
    /// Rows written so far.
    pub rows: u64,
}

impl SegmentFile {
    /// Begins a segment of prediction rows.
    pub fn of_rows(target: &Path, schema: SchemaRef) -> Result<Self> {
        let mut properties = WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::None)
            .set_column_bloom_filter_enabled(ColumnPath::from("id"), true)
            .set_column_dictionary_enabled(ColumnPath::from("id"), false);
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
            crate::atomic::make_folder(folder)?;
        }
        let properties = properties
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_write_batch_size(PAGE_ROWS)
            .build();
        let mut draft = Draft::begin(target)?;
        let file = draft.file().try_clone().map_err(|error| Error::io(target, error))?;
        let writer =
            ArrowWriter::try_new(file, schema, Some(properties)).map_err(|error| failed(target, error))?;
        Ok(Self { draft, writer, target: target.to_path_buf(), rows: 0 })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|error| failed(&self.target, error))
    }

    /// Publishes the file, durably, with these keys and the summary of its rows in its footer.
    ///
    /// A summary that no footer can hold is left out: the rows are worth more than their summary.
    pub fn publish(mut self, keys: &[(&str, String)], summary: Option<&Datasets>) -> Result<()> {
        for (key, value) in keys {
            self.writer.append_key_value_metadata(KeyValue::new((*key).to_owned(), value.clone()));
        }
        self.writer.finish().map_err(|error| failed(&self.target, error))?;
        if let Some(summary) = summary {
            summarise(self.draft.file(), summary).map_err(|error| error.at(&self.target))?;
        }
        self.draft.sync()?;
        self.draft.replace()
    }
}

/// Replaces the footer of a file by one with the summary of its rows.
fn summarise(file: &File, summary: &Datasets) -> Result<()> {
    let mut tails = TailReader::default();
    let tail = tails.read_file(file)?;
    let footer = tail.footer()?;
    let keys = match embedded::write(summary, &footer) {
        Ok(keys) => keys,
        Err(error) if error.kind == ErrorKind::Argument => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut end = encode(&footer, &keys);
    let length = u32::try_from(end.len()).unwrap_or(u32::MAX);
    end.extend_from_slice(&length.to_le_bytes());
    end.extend_from_slice(MAGIC);
    let start = tail.identity.size - tail.bytes().len() as u64 - 8;
    platform::write_at(file, &end, start).map_err(|error| Error::io(Path::new(""), error))
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
