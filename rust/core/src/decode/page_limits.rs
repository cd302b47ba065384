//! What the headers of a column chunk's pages may announce, looked at before anything is decoded.
//!
//! A decoder allocates what a page's header announces: a few bytes that announce gigabytes must not reach it.

use std::borrow::Cow;

use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::footer::layout::{Chunk, Leaf};
use crate::footer::page_header::{Kind, PageHeader};
use crate::footer::thrift;
use crate::fs::{File, platform};

/// Largest page that is decoded.
pub const PAGE_BYTES: u64 = 256 << 20;
/// The limit of a page in a segment of an earlier version of this package, whose pages hold texts of any length.
pub const LANDED_PAGE_BYTES: u64 = i32::MAX as u64;
/// Longest header of a page.
const HEADER_BYTES: usize = 16 << 20;
/// What is read of a file at a time to find a header.
const WINDOW: usize = 4 << 10;
/// Values that a chunk may have however few its bytes are.
const FREE_VALUES: u64 = 1 << 24;
/// Values for each compressed byte beyond them.
const VALUES_PER_BYTE: u64 = 64;
/// Bytes that a page may have beyond those of its values.
const SLACK: u64 = 64 << 10;
/// What the levels of a value and its place in a dictionary need at most.
const OVERHEAD: u64 = 16;
/// Bytes that one column of a row group may become where it is decoded at once.
const EXPANDED: u64 = 1 << 30;

// Parquet's numbers for encodings.
const PLAIN_DICTIONARY: i64 = 2;
const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
const DELTA_BYTE_ARRAY: i64 = 7;
const RLE_DICTIONARY: i64 = 8;
/// Parquet's number for the type of texts.
pub const BYTE_ARRAY: i64 = 6;

/// The bytes of a column chunk, in memory or in a file.
pub enum ChunkBytes<'a> {
    /// All of them.
    Whole(&'a [u8]),
    /// From this place on in a file.
    InFile(&'a File, u64),
}

impl ChunkBytes<'_> {
    /// The bytes from a place on: at least so many of them, unless the chunk ends before.
    fn from(&self, place: u64, least: usize, length: u64) -> Result<Cow<'_, [u8]>> {
        match *self {
            Self::Whole(bytes) => Ok(Cow::Borrowed(&bytes[usize::try_from(place).unwrap_or(bytes.len())..])),
            Self::InFile(file, start) => {
                let count = usize::try_from(length - place).unwrap_or(usize::MAX).min(least);
                let mut window = vec![0; count];
                let read = platform::read_at(file, &mut window, start + place).map_err(Error::pathless)?;
                if read < count {
                    return Err(Error::new(ErrorKind::Truncated, "the file ends inside a column chunk"));
                }
                Ok(Cow::Owned(window))
            }
        }
    }
}

/// What the pages of a chunk can become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Bytes of its dictionary, with the length of each value: none is longer.
    pub dictionary: u64,
    /// Bytes of its longest page in which values share their beginnings: no such value is longer.
    pub shared: u64,
    /// Whether a page says itself how many values it holds, beside its header.
    pub counts_itself: bool,
    /// Whether a decoder of whole row groups would need far more memory than the chunk has bytes.
    pub is_expanding: bool,
}

/// Checks the headers of all pages of a chunk, in a row group of so many rows; an error says what is announced
/// and which limit it breaks.
pub fn walk(bytes: &ChunkBytes<'_>, leaf: &Leaf, chunk: &Chunk, rows: u64, limit: u64) -> Result<Walked> {
    let length = chunk.pages.end - chunk.pages.start;
    let mut walked = Walked::default();
    let compressed_limit = FREE_VALUES.saturating_add(length.saturating_mul(VALUES_PER_BYTE));
    if leaf.max_repetition == 0 {
        if chunk.num_values != rows {
            let values = chunk.num_values;
            return Err(corrupt(format!("the footer announces {values} values in {rows} rows")));
        }
        walked.is_expanding = rows > compressed_limit;
    } else if chunk.num_values > compressed_limit {
        // A row's values are decoded at once.
        let values = chunk.num_values;
        return Err(corrupt(format!("the footer announces {values} nested values in {length} bytes")));
    }
    let (mut place, mut values, mut uncompressed, mut expanded) = (0, 0, 0, 0_u64);
    while values < chunk.num_values {
        if place >= length {
            let announced = chunk.num_values;
            return Err(corrupt(format!("its pages hold {values} values, the footer announces {announced}")));
        }
        let (page, header) = header_at(bytes, place, length)?;
        let begin = place + header;
        page.check(leaf, chunk, limit, length - begin)
            .map_err(|message| corrupt(format!("the page at byte {place} of the chunk {message}")))?;
        match page.kind {
            Kind::Dictionary => walked.dictionary = walked.dictionary.max(page.uncompressed),
            Kind::Data | Kind::DataV2 => {
                values += page.num_values;
                if page.encoding == DELTA_BYTE_ARRAY {
                    walked.shared = walked.shared.max(page.uncompressed);
                    expanded = expanded.saturating_add(page.uncompressed.saturating_mul(page.num_values));
                }
                walked.counts_itself |= [DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY].contains(&page.encoding);
                if values > chunk.num_values || page.num_rows.is_some_and(|page_rows| page_rows > rows) {
                    let announced = chunk.num_values;
                    let message = format!(
                        "its pages announce {values} values and more, the footer {announced} in {rows} rows"
                    );
                    return Err(corrupt(message));
                }
            }
            Kind::Other => {}
        }
        uncompressed += page.uncompressed;
        place = begin + page.compressed;
    }
    walked.is_expanding |= expanded > EXPANDED || uncompressed > EXPANDED && uncompressed / 128 > length;
    Ok(walked)
}

/// The header at a place, and how many bytes it has.
fn header_at(bytes: &ChunkBytes<'_>, place: u64, length: u64) -> Result<(PageHeader, u64)> {
    let mut window = WINDOW;
    loop {
        let found = bytes.from(place, window, length)?;
        match PageHeader::read(&found) {
            Ok(read) => return Ok(read),
            Err(thrift::ENDS) if window < HEADER_BYTES && (found.len() as u64) < length - place => {
                window *= 4;
            }
            Err(fault) => {
                let message =
                    format!("the header of the page at byte {place} of the chunk is damaged: {fault}");
                return Err(corrupt(message));
            }
        }
    }
}

impl PageHeader {
    /// Whether a page can be what it announces, in a chunk of which so many bytes are left.
    fn check(&self, leaf: &Leaf, chunk: &Chunk, limit: u64, left: u64) -> Result<(), String> {
        let Self { uncompressed, compressed, num_values, .. } = *self;
        if compressed > left {
            return Err(format!("announces {compressed} bytes, and its chunk has {left} more"));
        }
        if uncompressed > limit {
            return Err(format!(
                "announces {uncompressed} bytes decompressed, more than the limit of {limit}"
            ));
        }
        if uncompressed > chunk.uncompressed {
            let all = chunk.uncompressed;
            return Err(format!("announces {uncompressed} bytes decompressed, and its whole chunk {all}"));
        }
        if self.level_bytes > compressed.min(uncompressed) {
            return Err(format!("announces {} bytes of levels in {compressed}", self.level_bytes));
        }
        if uncompressed > most_of(chunk.codec, compressed) {
            return Err(format!("announces {uncompressed} bytes decompressed from {compressed}"));
        }
        let is_coded = [PLAIN_DICTIONARY, RLE_DICTIONARY].contains(&self.encoding);
        let needed = match self.kind {
            Kind::Other => return Ok(()),
            Kind::Dictionary => {
                let least = if leaf.physical == BYTE_ARRAY { 4 } else { leaf.width };
                // Eight booleans share a byte, and a value may have no bytes.
                let least = if leaf.physical == 0 { 0 } else { num_values.saturating_mul(least) };
                if least > uncompressed || num_values > uncompressed.saturating_mul(8).saturating_add(SLACK) {
                    return Err(format!("announces {num_values} values in {uncompressed} bytes"));
                }
                leaf.width
            }
            Kind::Data | Kind::DataV2 if is_coded => OVERHEAD,
            Kind::Data | Kind::DataV2 => leaf.width + OVERHEAD,
        };
        let is_bounded = leaf.physical != BYTE_ARRAY || is_coded && self.kind != Kind::Dictionary;
        if is_bounded && uncompressed > num_values.saturating_mul(needed).saturating_add(SLACK) {
            return Err(format!("announces {uncompressed} bytes decompressed for {num_values} values"));
        }
        Ok(())
    }
}

/// The most bytes that a codec can make of compressed ones.
fn most_of(codec: i64, compressed: u64) -> u64 {
    let times = match codec {
        0 => return compressed,
        // Two bytes of place and length copy up to 64; LZ4 counts in bytes of 255; deflate copies 258 by two bits.
        1 => 32,
        3 | 5 | 7 => 256,
        2 => 1_032,
        // A block of zstd has 4 bytes at least and 128 KiB at most.
        6 => 32_768,
        _ => return u64::MAX,
    };
    compressed.saturating_mul(times).saturating_add(SLACK)
}
