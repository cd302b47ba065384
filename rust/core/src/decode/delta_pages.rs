//! Pages of delta-encoded texts say themselves how many lengths they hold, and decoders allocate that many.
//!
//! Encodings: <https://github.com/apache/parquet-format/blob/master/Encodings.md>. No writer of this package uses
//! them.

use parquet::basic::Encoding;
use parquet::column::page::Page;

use super::page_limits::ChunkBytes;
use super::pages;
use crate::base::error::{Error, Result, corrupt};
use crate::footer::layout::{Chunk, Leaf};

/// Checks that the pages of a chunk, whose headers were checked, hold no more lengths than values.
pub fn check(bytes: &ChunkBytes<'_>, leaf: &Leaf, chunk: &Chunk) -> Result<()> {
    pages::visit(bytes, leaf, chunk, &mut |page| check_page(page, leaf).map(|()| true))
}

fn check_page(page: &Page, leaf: &Leaf) -> Result<()> {
    let (values, encoding, num_values) = match page {
        Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, .. } => {
            let mut left = &buf[..];
            for (most, of) in
                [(leaf.max_repetition, *rep_level_encoding), (leaf.max_definition, *def_level_encoding)]
            {
                left = after_levels(left, most, of, *num_values).ok_or_else(cut)?;
            }
            (left, *encoding, *num_values)
        }
        Page::DataPageV2 { buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
            let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
            (buf.get(levels..).ok_or_else(cut)?, *encoding, *num_values)
        }
        Page::DictionaryPage { .. } => return Ok(()),
    };
    let lists = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(()),
    };
    let mut left = values;
    for _ in 0..lists {
        let (count, rest) = after_numbers(left, u64::from(num_values)).ok_or_else(cut)?;
        if count > u64::from(num_values) {
            return Err(corrupt(format!("a page of {num_values} values says that it holds {count}")));
        }
        left = rest;
    }
    Ok(())
}

fn cut() -> Error {
    corrupt("a page ends inside the lengths of its values")
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
