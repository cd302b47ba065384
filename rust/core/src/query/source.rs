//! The rows of one prediction file, read by row group and column, and as little of it as can be.
//!
//! What a footer says is parsed once and cached, by path and identity, for as long as there is room.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::Type as Physical;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::filter::ColumnBounds;
use super::handles::open_same;
use crate::base::clock::now_ns;
use crate::base::error::{Result, corrupt, guarded, unreadable};
use crate::decode::batches::batch_rows;
use crate::decode::chunk_checks::FileChecks;
use crate::decode::chunks::Chunks;
use crate::footer::{Tail, TailReader};
use crate::fs::stat::Identity;
use crate::types;

/// Rows of a batch at most.
pub const BATCH: usize = 65_536;
/// Bytes of parsed footers that are cached, about.
const CACHED_BYTES: usize = 64 << 20;

/// A Parquet file whose footer was parsed.
pub struct Source {
    /// Its path.
    pub path: PathBuf,
    /// When the footer was read.
    pub identity: Identity,
    /// Place of the first row of each row group, and the number of all rows.
    pub starts: Vec<u64>,
    /// What is known of its column chunks.
    checks: Arc<FileChecks>,
    /// As the columns are stored.
    plain: ArrowReaderMetadata,
    /// With texts as dictionaries where that is how they are stored.
    coded: ArrowReaderMetadata,
    /// With the places of pages, once they were asked for.
    paged: OnceLock<ArrowReaderMetadata>,
}

/// Parsed footers by path, each with the time of its last use, in uses.
#[derive(Default)]
struct FooterCache {
    sources: HashMap<PathBuf, (Arc<Source>, u64)>,
    bytes: usize,
    uses: u64,
}

static FOOTERS: Mutex<Option<FooterCache>> = Mutex::new(None);

impl Source {
    /// The file, which must be the one that has this identity.
    ///
    /// One that changed since it was listed is no longer there, as far as its reader is concerned.
    pub fn open(path: &Path, identity: Identity) -> Result<Arc<Self>> {
        Self::cached(path, identity, || {
            let file = open_same(path, identity)?;
            Self::parse(path, identity, &TailReader::default().read_file(&file)?)
        })
    }

    /// The file of this identity, whose tail was read.
    pub fn of_tail(path: &Path, identity: Identity, tail: &Tail<'_>) -> Result<Arc<Self>> {
        Self::cached(path, identity, || Self::parse(path, identity, tail))
    }

    fn cached(path: &Path, identity: Identity, parse: impl FnOnce() -> Result<Self>) -> Result<Arc<Self>> {
        // A fork may have left the lock taken for good: then nothing is cached.
        if let Ok(mut cache) = FOOTERS.try_lock() {
            let cache = cache.get_or_insert_default();
            cache.uses += 1;
            let uses = cache.uses;
            if let Some((source, used)) =
                cache.sources.get_mut(path).filter(|(source, _)| source.identity == identity)
            {
                *used = uses;
                return Ok(Arc::clone(source));
            }
        }
        let source = Arc::new(parse().map_err(|error| error.at(path))?);
        // A younger file may be edited again without its stat telling.
        let now = now_ns();
        if identity.settled_at(now)
            && let Ok(mut cache) = FOOTERS.try_lock()
        {
            cache.get_or_insert_default().insert(&source);
        }
        Ok(source)
    }

    fn parse(path: &Path, identity: Identity, tail: &Tail<'_>) -> Result<Self> {
        // A decoder believes a footer that contradicts itself and reads other numbers than were written.
        let checks = FileChecks::of(path, tail.identity, &tail.footer()?)?;
        guarded("the rows", || {
            let metadata =
                Arc::new(ParquetMetaDataReader::decode_metadata(tail.bytes()).map_err(unreadable)?);
            if metadata.file_metadata().schema_descr().num_columns() != checks.leaves() {
                return Err(corrupt("the footer has columns of no known kind"));
            }
            let plain = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new())
                .map_err(unreadable)?;
            types::check(plain.schema())?;
            let options = ArrowReaderOptions::new().with_schema(coded_schema(plain.schema(), &metadata));
            let coded = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options)
                .unwrap_or_else(|_| plain.clone());
            let mut starts = vec![0];
            for group in metadata.row_groups() {
                let rows =
                    u64::try_from(group.num_rows()).map_err(|_| corrupt("a row group has negative rows"))?;
                starts.push(starts.last().copied().unwrap_or(0) + rows);
            }
            let (path, paged) = (path.to_path_buf(), OnceLock::new());
            Ok(Self { path, identity, starts, checks, plain, coded, paged })
        })
    }

    /// The columns, as they are stored.
    pub fn schema(&self) -> &SchemaRef {
        self.plain.schema()
    }

    /// The value of a key of its footer; the last one where a key comes twice.
    pub fn key(&self, key: &str) -> Option<&str> {
        let pairs = self.plain.metadata().file_metadata().key_value_metadata()?;
        pairs.iter().rev().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// How many row groups there are.
    pub fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    /// What the statistics of a row group say of a column.
    pub fn known(&self, group: usize, column: &str) -> ColumnBounds {
        let metadata = self.plain.metadata();
        let descriptor = metadata.file_metadata().schema_descr();
        let place =
            (0..descriptor.num_columns()).find(|&leaf| descriptor.column(leaf).path().parts() == [column]);
        match place {
            None if self.schema().field_with_name(column).is_err() => ColumnBounds::Always(None),
            None => ColumnBounds::Nothing,
            Some(leaf) => match known(metadata.row_group(group), leaf) {
                // Bytes are answered as other texts than those that statistics compare.
                ColumnBounds::Always(Some(_)) | ColumnBounds::Texts(..) if !self.is_text(column) => {
                    ColumnBounds::Nothing
                }
                known => known,
            },
        }
    }

    fn is_text(&self, column: &str) -> bool {
        self.schema().column_with_name(column).is_some_and(|(_, field)| match field.data_type() {
            DataType::Dictionary(_, values) => values.is_string(),
            kind => kind.is_string(),
        })
    }

    /// The rows of a row group, these columns of it, in batches of up to [`BATCH`]; texts as dictionaries
    /// where they are stored so.
    pub fn read_group(
        &self,
        group: usize,
        columns: &[&str],
        take: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        self.read_slice(group, None, columns, take)
    }

    /// Hands out some rows of a row group, by their places in it.
    pub fn read_slice(
        &self,
        group: usize,
        range: Option<std::ops::Range<usize>>,
        columns: &[&str],
        take: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let all = self.starts[group + 1] - self.starts[group];
        let expected = range.as_ref().map_or(all, |range| range.len() as u64);
        let selection = range.map(|range| {
            let all = usize::try_from(all).unwrap_or(usize::MAX);
            RowSelection::from_consecutive_ranges(std::iter::once(range), all)
        });
        let metadata = if selection.is_some() { self.paged()? } else { &self.coded };
        let mut rows = 0;
        self.read(metadata, group, columns, selection, &mut |batch| {
            rows += batch.num_rows() as u64;
            take(batch)
        })?;
        if rows == expected {
            return Ok(());
        }
        let message =
            format!("the footer announces {expected} rows in row group {group}, which holds {rows}");
        Err(corrupt(message).at(&self.path))
    }

    /// Whether the footer says where pages lie.
    pub fn has_pages(&self) -> bool {
        let groups = self.plain.metadata().row_groups();
        groups.iter().all(|group| group.columns().iter().all(|column| column.offset_index_offset().is_some()))
    }

    /// Some rows of a row group, by their ascending places in it; only the pages are read that hold them.
    pub fn read_rows(&self, group: usize, rows: &[u32], columns: &[&str]) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        let selection = ranges(rows);
        let all = usize::try_from(self.starts[group + 1] - self.starts[group]).unwrap_or(usize::MAX);
        let selection = RowSelection::from_consecutive_ranges(selection.into_iter(), all);
        let metadata = self.paged()?;
        self.read(metadata, group, columns, Some(selection), &mut |batch| {
            batches.push(batch.clone());
            Ok(())
        })?;
        if batches.iter().map(RecordBatch::num_rows).sum::<usize>() == rows.len() {
            return Ok(batches);
        }
        Err(corrupt(format!("row group {group} does not hold all of its rows")).at(&self.path))
    }

    /// Whether the bloom filter of a row group's column leaves it possible that it holds a text.
    pub fn may_hold(&self, group: usize, column: &str, text: &str) -> Result<bool> {
        let descriptor = self.plain.metadata().file_metadata().schema_descr();
        let place =
            (0..descriptor.num_columns()).find(|&leaf| descriptor.column(leaf).path().parts() == [column]);
        let Some(leaf) = place else { return Ok(false) };
        let column = self.plain.metadata().row_group(group).column(leaf);
        if column.bloom_filter_offset().is_none() || column.column_type() != Physical::BYTE_ARRAY {
            return Ok(true);
        }
        let file = open_same(&self.path, self.identity)?;
        let read = guarded("the rows", || {
            self.checks.check_filter(&file, (group, leaf))?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
                Chunks::of(file, self.identity.size),
                self.plain.clone(),
            );
            builder.get_row_group_column_bloom_filter(group, leaf).map_err(unreadable)
        });
        Ok(read.map_err(|error| error.at(&self.path))?.is_none_or(|filter| filter.check(text)))
    }

    fn paged(&self) -> Result<&ArrowReaderMetadata> {
        if let Some(paged) = self.paged.get() {
            return Ok(paged);
        }
        let file = open_same(&self.path, self.identity)?;
        let read = guarded("the rows", || {
            self.checks.check_index(&file)?;
            let metadata = self.plain.metadata().as_ref().clone();
            let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
                .with_offset_index_policy(PageIndexPolicy::Optional);
            let chunks = Chunks::of(file, self.identity.size);
            reader.read_page_indexes(&chunks).map_err(unreadable)?;
            let metadata = reader.finish().map_err(unreadable)?;
            if !has_good_pages(&metadata) {
                // Damaged, or of a writer that leaves gaps: without it, more is read.
                return Ok(self.plain.clone());
            }
            ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new()).map_err(unreadable)
        });
        let paged = read.map_err(|error| error.at(&self.path))?;
        Ok(self.paged.get_or_init(|| paged))
    }

    fn read(
        &self,
        metadata: &ArrowReaderMetadata,
        group: usize,
        columns: &[&str],
        selection: Option<RowSelection>,
        take: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let schema = metadata.schema();
        let wanted: Vec<usize> = columns.iter().filter_map(|column| schema.index_of(column).ok()).collect();
        let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
        let mut chunks = Chunks::of(open_same(&self.path, self.identity)?, self.identity.size);
        let read = || {
            if selection.is_none() {
                chunks.load(group, metadata.metadata().row_group(group), &mask, &self.checks)?;
            } else {
                chunks.check(group, &mask, &self.checks)?;
            }
            let rows = batch_rows(&self.checks, chunks.file(), group, &mask, schema, BATCH)?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata.clone());
            let mut builder =
                builder.with_projection(mask).with_row_groups(vec![group]).with_batch_size(rows);
            if let Some(selection) = selection {
                builder = builder.with_row_selection(selection);
            }
            for batch in builder.build().map_err(unreadable)? {
                take(&batch.map_err(unreadable)?)?;
            }
            Ok(())
        };
        guarded("the rows", read).map_err(|error| error.at(&self.path))
    }
}

impl FooterCache {
    fn insert(&mut self, source: &Arc<Source>) {
        // Three sets of columns, and the places of pages, which come to about as much.
        let bytes = |source: &Source| 4 * source.plain.metadata().memory_size();
        if let Some((old, _)) = self.sources.insert(source.path.clone(), (Arc::clone(source), self.uses)) {
            self.bytes -= bytes(&old);
        }
        self.bytes += bytes(source);
        if self.bytes <= CACHED_BYTES {
            return;
        }
        let mut uses: Vec<u64> = self.sources.values().map(|(_, used)| *used).collect();
        uses.sort_unstable();
        let middle = uses.get(uses.len() / 2).copied().unwrap_or(0);
        self.sources.retain(|path, (_, used)| *used > middle || *path == source.path);
        self.bytes = self.sources.values().map(|(source, _)| bytes(source)).sum();
    }
}

/// Texts as dictionaries where their pages have one; else hashing every value would cost more than it spares.
fn coded_schema(schema: &SchemaRef, metadata: &ParquetMetaData) -> SchemaRef {
    let descriptor = metadata.file_metadata().schema_descr();
    let is_coded = |name: &str| {
        (0..descriptor.num_columns()).any(|leaf| {
            let column = descriptor.column(leaf);
            column.path().parts() == [name]
                && column.physical_type() == Physical::BYTE_ARRAY
                && metadata
                    .row_groups()
                    .iter()
                    .all(|group| group.column(leaf).dictionary_page_offset().is_some())
        })
    };
    let fields = schema.fields().iter().map(|field| {
        let texts = match field.data_type() {
            DataType::Dictionary(_, values) => values.as_ref(),
            other => other,
        };
        let is_text = matches!(texts, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        if is_text && is_coded(field.name()) {
            let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(Field::clone(field).with_data_type(kind))
        } else if is_text && matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8) {
            // Views into the pages: nothing is copied.
            Arc::new(Field::clone(field).with_data_type(DataType::Utf8View))
        } else {
            Arc::clone(field)
        }
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn known(group: &RowGroupMetaData, leaf: usize) -> ColumnBounds {
    let Some(statistics) = group.column(leaf).statistics() else { return ColumnBounds::Nothing };
    let nulls = statistics.null_count_opt();
    if nulls == Some(group.num_rows() as u64) {
        return ColumnBounds::Always(None);
    }
    match statistics {
        Statistics::ByteArray(texts) if !statistics.is_min_max_deprecated() => {
            let text = |bytes: Option<&[u8]>| Some(std::str::from_utf8(bytes?).ok()?.to_owned());
            match (text(statistics.min_bytes_opt()), text(statistics.max_bytes_opt())) {
                (Some(low), Some(high)) if low == high && nulls == Some(0) => {
                    if texts.min_is_exact() && texts.max_is_exact() {
                        ColumnBounds::Always(Some(low))
                    } else {
                        ColumnBounds::Nothing
                    }
                }
                (Some(low), Some(high)) if low <= high => ColumnBounds::Texts(low, high, nulls != Some(0)),
                _ => ColumnBounds::Nothing,
            }
        }
        Statistics::Double(numbers) => bounds(numbers.min_opt().copied(), numbers.max_opt().copied()),
        Statistics::Float(numbers) => bounds(
            numbers.min_opt().map(|&low| f64::from(low)),
            numbers.max_opt().map(|&high| f64::from(high)),
        ),
        _ => ColumnBounds::Nothing,
    }
}

fn bounds(low: Option<f64>, high: Option<f64>) -> ColumnBounds {
    match (low, high) {
        // A writer that took NaN for a bound did not compare.
        (Some(low), Some(high)) if low <= high => ColumnBounds::Numbers(low, high),
        _ => ColumnBounds::Nothing,
    }
}

/// Whether the places of pages are possible: one after the other, in bytes and in rows.
fn has_good_pages(metadata: &ParquetMetaData) -> bool {
    metadata.row_groups().iter().enumerate().all(|(number, group)| {
        let index = metadata.page_index_for_row_group(number);
        group.columns().iter().enumerate().all(|(leaf, column)| {
            let Some(pages) = index.page_locations(leaf) else { return true };
            let (start, length) = column.byte_range();
            let (mut offset, mut row) = (column.data_page_offset(), -1);
            let are_next = pages.iter().enumerate().all(|(number, page)| {
                let is_next = page.offset == offset
                    && page.compressed_page_size > 0
                    && page.first_row_index > row
                    && (number > 0 || page.first_row_index == 0);
                offset += i64::from(page.compressed_page_size);
                row = page.first_row_index;
                is_next
            });
            are_next && (pages.is_empty() || row < group.num_rows() && offset as u64 == start + length)
        })
    })
}

fn ranges(rows: &[u32]) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for &row in rows {
        let row = row as usize;
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}
