//! The headers of Parquet pages, which announce what a decoder allocates.
//!
//! Field numbers: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use super::thrift::{Fault, Reader, STRUCT, each_field};

/// What kind of page a header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Values, or their places in the dictionary, with their levels.
    Data,
    /// A page of data whose levels are not compressed.
    DataV2,
    /// Values that data pages refer to.
    Dictionary,
    /// Another page, which readers pass over.
    Other,
}

/// What a page's header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// What follows.
    pub kind: Kind,
    /// Bytes of the page once it is decompressed.
    pub uncompressed: u64,
    /// Bytes of the page in the file.
    pub compressed: u64,
    /// Values, nulls among them.
    pub num_values: u64,
    /// How the values are encoded, as Parquet numbers encodings.
    pub encoding: i64,
    /// Bytes of levels that are not compressed.
    pub level_bytes: u64,
    /// Rows, where the header says how many.
    pub num_rows: Option<u64>,
}

/// A header that no page can have.
const NEGATIVE: Fault = "a page announces a number below 0 or beyond 31 bits";
const INCOMPLETE: Fault = "a page's header lacks what its kind of page needs";

impl PageHeader {
    /// Reads a header from the bytes that begin with it, and says how many bytes it has.
    pub fn read(bytes: &[u8]) -> Result<(Self, u64), Fault> {
        let mut reader = Reader::new(bytes);
        let (mut kind, mut sizes) = (None, [None; 2]);
        // Number of values, of nulls, of rows; encoding; bytes of levels of both kinds.
        let (mut data, mut dictionary, mut data_v2) = (None, None, None);
        each_field(&mut reader, |reader, id, kind_of| {
            match (id, kind_of) {
                (1, 4..=6) => kind = Some(reader.int()?),
                (2, 4..=6) => sizes[0] = Some(reader.int()?),
                (3, 4..=6) => sizes[1] = Some(reader.int()?),
                (5, STRUCT) => data = Some(numbers(reader, 2)?),
                (7, STRUCT) => dictionary = Some(numbers(reader, 2)?),
                (8, STRUCT) => data_v2 = Some(numbers(reader, 6)?),
                _ => reader.skip(kind_of)?,
            }
            Ok(())
        })?;
        let [Some(uncompressed), Some(compressed)] = sizes else { return Err(INCOMPLETE) };
        let (uncompressed, compressed) = (count(uncompressed)?, count(compressed)?);
        let (kind, found) = match kind.ok_or(INCOMPLETE)? {
            0 => (Kind::Data, data.ok_or(INCOMPLETE)?),
            2 => (Kind::Dictionary, dictionary.ok_or(INCOMPLETE)?),
            3 => (Kind::DataV2, data_v2.ok_or(INCOMPLETE)?),
            _ => (Kind::Other, [Some(0); 6]),
        };
        let number = |place: usize| found[place].ok_or(INCOMPLETE);
        let mut header = Self {
            kind,
            uncompressed,
            compressed,
            num_values: count(number(0)?)?,
            encoding: 0,
            level_bytes: 0,
            num_rows: None,
        };
        if kind == Kind::DataV2 {
            if count(number(1)?)? > header.num_values {
                return Err("a page announces more nulls than values");
            }
            header.num_rows = Some(count(number(2)?)?);
            header.encoding = number(3)?;
            header.level_bytes = count(number(4)?)? + count(number(5)?)?;
        } else {
            header.encoding = number(1)?;
        }
        Ok((header, reader.position() as u64))
    }
}

/// The first fields of a struct that are integers.
fn numbers(reader: &mut Reader<'_>, fields: usize) -> Result<[Option<i64>; 6], Fault> {
    let mut found = [None; 6];
    each_field(reader, |reader, id, kind| {
        match (usize::try_from(id), kind) {
            (Ok(id @ 1..=6), 4..=6) if id <= fields => found[id - 1] = Some(reader.int()?),
            _ => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(found)
}

fn count(number: i64) -> Result<u64, Fault> {
    // Readers that take 32 bits of a longer number would see another one.
    i32::try_from(number).ok().and_then(|number| u64::try_from(number).ok()).ok_or(NEGATIVE)
}
