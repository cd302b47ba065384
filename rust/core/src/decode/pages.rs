//! The pages of a column chunk, decompressed one after another.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, Type as Physical, ZstdLevel};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::{ColumnDescriptor, ColumnPath, Type};

use super::chunks::Chunks;
use super::page_limits::ChunkBytes;
use crate::base::error::{Error, Result, corrupt, guarded, unreadable};
use crate::footer::layout::{Chunk, Leaf};

/// Hands out the pages of a chunk of texts, whose headers were checked, for as long as `take` says to go on.
pub fn visit(
    bytes: &ChunkBytes<'_>,
    leaf: &Leaf,
    chunk: &Chunk,
    take: &mut dyn FnMut(&Page) -> Result<bool>,
) -> Result<()> {
    let mut all = |mut pages: Box<dyn PageReader>| {
        while let Some(page) = pages.get_next_page().map_err(unreadable)? {
            if !take(&page)? {
                break;
            }
        }
        Ok(())
    };
    let length = chunk.pages.end - chunk.pages.start;
    guarded("the pages", || match *bytes {
        ChunkBytes::Whole(bytes) => all(Box::new(reader(Bytes::copy_from_slice(bytes), leaf, chunk, 0)?)),
        ChunkBytes::InFile(file, start) => {
            let file = file.try_clone().map_err(Error::pathless)?;
            all(Box::new(reader(Chunks::of(file, start + length), leaf, chunk, start)?))
        }
    })
}

/// Bytes of the longest text in the dictionary of a chunk of texts; 0 where there is none.
pub fn longest_in_dictionary(bytes: &ChunkBytes<'_>, leaf: &Leaf, chunk: &Chunk) -> Result<u64> {
    let mut longest = 0;
    visit(bytes, leaf, chunk, &mut |page| {
        let Page::DictionaryPage { buf, num_values, .. } = page else { return Ok(false) };
        let mut left = &buf[..];
        for _ in 0..*num_values {
            let cut = || corrupt("the dictionary page ends inside a value");
            let (length, rest) = left.split_first_chunk::<4>().ok_or_else(cut)?;
            let length = u32::from_le_bytes(*length);
            longest = longest.max(u64::from(length));
            left = rest.get(length as usize..).ok_or_else(cut)?;
        }
        Ok(false)
    })?;
    Ok(longest)
}

/// The pages of a chunk that begins at a place.
fn reader<R: parquet::file::reader::ChunkReader + 'static>(
    bytes: R,
    leaf: &Leaf,
    chunk: &Chunk,
    start: u64,
) -> Result<SerializedPageReader<R>> {
    let made = || {
        let kind = Type::primitive_type_builder("values", Physical::BYTE_ARRAY).build()?;
        let levels = |most: u32| i16::try_from(most).unwrap_or(i16::MAX);
        let (definition, repetition) = (levels(leaf.max_definition), levels(leaf.max_repetition));
        let path = ColumnPath::from("values");
        let column = Arc::new(ColumnDescriptor::new(Arc::new(kind), definition, repetition, path));
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let metadata = ColumnChunkMetaData::builder(column)
            .set_compression_codec(codec(chunk.codec)?.into())
            .set_data_page_offset(number(start))
            .set_total_compressed_size(number(chunk.pages.end - chunk.pages.start))
            .set_total_uncompressed_size(number(chunk.uncompressed))
            .set_num_values(number(chunk.num_values))
            .build()?;
        SerializedPageReader::new(Arc::new(bytes), &metadata, 0, None)
    };
    made().map_err(unreadable)
}

fn codec(number: i64) -> Result<Compression, ParquetError> {
    Ok(match number {
        0 => Compression::UNCOMPRESSED,
        1 => Compression::SNAPPY,
        2 => Compression::GZIP(GzipLevel::default()),
        4 => Compression::BROTLI(BrotliLevel::default()),
        5 => Compression::LZ4,
        6 => Compression::ZSTD(ZstdLevel::default()),
        7 => Compression::LZ4_RAW,
        other => return Err(ParquetError::NYI(format!("compression {other}"))),
    })
}
