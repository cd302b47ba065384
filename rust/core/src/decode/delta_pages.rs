//! Pages of delta-encoded texts say themselves how many lengths they hold, and decoders allocate that many.
//!
//! Encodings: <https://github.com/apache/parquet-format/blob/master/Encodings.md>. No writer of this package uses
//! them.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, Type as Physical, ZstdLevel};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::{ColumnDescriptor, ColumnPath, Type};

use super::chunks::Chunks;
use super::page_limits::ChunkBytes;
use crate::base::error::{Error, Result, corrupt, guarded, unreadable};
use crate::footer::layout::{Chunk, Leaf};

/// Checks that the pages of a chunk, whose headers were checked, hold no more lengths than values.
pub fn check(bytes: &ChunkBytes<'_>, leaf: &Leaf, chunk: &Chunk) -> Result<()> {
    let length = chunk.pages.end - chunk.pages.start;
    guarded("the pages", || match *bytes {
        ChunkBytes::Whole(bytes) => {
            let bytes = Bytes::copy_from_slice(bytes);
            check_pages(pages(bytes, leaf, chunk, 0)?, leaf)
        }
        ChunkBytes::InFile(file, start) => {
            let file = file.try_clone().map_err(Error::pathless)?;
            check_pages(pages(Chunks::of(file, start + length), leaf, chunk, start)?, leaf)
        }
    })
}

fn check_pages(mut pages: impl PageReader, leaf: &Leaf) -> Result<()> {
    while let Some(page) = pages.get_next_page().map_err(unreadable)? {
        let (values, encoding, num_values) = match &page {
            Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, .. } => {
                let mut left = &buf[..];
                for (most, of) in
                    [(leaf.max_repetition, *rep_level_encoding), (leaf.max_definition, *def_level_encoding)]
                {
                    left = after_levels(left, most, of, *num_values).ok_or_else(cut)?;
                }
                (left, *encoding, *num_values)
            }
            Page::DataPageV2 {
                buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, ..
            } => {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                (buf.get(levels..).ok_or_else(cut)?, *encoding, *num_values)
            }
            Page::DictionaryPage { .. } => continue,
        };
        let lists = match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => continue,
        };
        let mut left = values;
        for _ in 0..lists {
            let (count, rest) = after_numbers(left, u64::from(num_values)).ok_or_else(cut)?;
            if count > u64::from(num_values) {
                return Err(corrupt(format!("a page of {num_values} values says that it holds {count}")));
            }
            left = rest;
        }
    }
    Ok(())
}

fn cut() -> Error {
    corrupt("a page ends inside the lengths of its values")
}

/// The pages of a chunk that begins at a place.
fn pages<R: parquet::file::reader::ChunkReader + 'static>(
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

/// What follows the levels of a page of the first version.
fn after_levels(bytes: &[u8], most: u32, encoding: Encoding, values: u32) -> Option<&[u8]> {
    if most == 0 {
        return Some(bytes);
    }
    #[allow(deprecated, reason = "old files have them")]
    if encoding == Encoding::BIT_PACKED {
        let bits = u64::from(u32::BITS - most.leading_zeros()) * u64::from(values);
        return bytes.get(usize::try_from(bits.div_ceil(8)).ok()?..);
    }
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(u32::from_le_bytes(*length) as usize..)
}

/// How many delta-encoded numbers there are, and what follows them, where there are not more than `most`.
fn after_numbers(bytes: &[u8], most: u64) -> Option<(u64, &[u8])> {
    let mut left = bytes;
    let block = varint(&mut left)?;
    let minis = varint(&mut left)?;
    let count = varint(&mut left)?;
    varint(&mut left)?;
    if count > most {
        return Some((count, left));
    }
    let each = block.checked_div(minis).filter(|each| *each > 0)?;
    let mut values = count.saturating_sub(1);
    while values > 0 {
        varint(&mut left)?;
        let widths = left.get(..usize::try_from(minis).ok()?)?;
        left = &left[widths.len()..];
        for width in widths {
            if values == 0 {
                break;
            }
            let bytes = each.checked_mul(u64::from(*width))?.div_ceil(8);
            left = left.get(usize::try_from(bytes).ok()?..)?;
            values = values.saturating_sub(each);
        }
    }
    Some((count, left))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}
