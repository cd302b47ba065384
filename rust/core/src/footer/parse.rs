//! A footer in slices: the fields of Parquet's `FileMetaData` that this package needs.
//!
//! Field numbers: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use twox_hash::XxHash3_64;

use super::thrift::{BINARY, Fault, LIST, Reader, SET, STRUCT};
use crate::base::error::{Error, ErrorKind, Result, corrupt};

pub(super) const FIELD_SCHEMA: i16 = 2;
const FIELD_NUM_ROWS: i16 = 3;
pub(super) const FIELD_ROW_GROUPS: i16 = 4;
pub(super) const FIELD_KEY_VALUES: i16 = 5;
pub(super) const FIELD_CREATED_BY: i16 = 6;
const FIELD_ENCRYPTION: i16 = 8;

/// The parsed outline of one footer; everything but the outline stays undecoded bytes.
pub struct Footer<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// Rows in the file.
    pub num_rows: u64,
    /// Row groups in the file.
    pub num_row_groups: u64,
    /// Program and version that wrote the file, where it says.
    pub created_by: Option<&'a str>,
    pub(super) fields: Vec<Field<'a>>,
    pub(super) key_values: Vec<KeyValue<'a>>,
}

pub(super) struct Field<'a> {
    pub(super) id: i16,
    pub(super) kind: u8,
    /// The value's bytes, without the field header.
    pub(super) bytes: &'a [u8],
}

pub(super) struct KeyValue<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
    /// The whole struct, to be copied as it is.
    pub(super) bytes: &'a [u8],
}

impl<'a> Footer<'a> {
    /// Parses the bytes between the last page or index and the footer's length.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let outline = Outline::read(&mut reader).map_err(|fault| {
            corrupt(format!("the footer is damaged: {fault}, at its byte {}", reader.position()))
        })?;
        if outline.is_encrypted {
            return Err(Error::new(
                ErrorKind::Encrypted,
                "the columns are encrypted; decrypt the file to summarise it",
            ));
        }
        if reader.position() != bytes.len() {
            let (length, end) = (bytes.len(), reader.position());
            return Err(corrupt(format!("the footer is said to have {length} bytes and ends after {end}")));
        }
        let num_rows = outline.num_rows.and_then(|rows| u64::try_from(rows).ok());
        match (num_rows, outline.num_row_groups) {
            (Some(num_rows), Some(num_row_groups))
                if outline.fields.iter().any(|field| field.id == FIELD_SCHEMA) =>
            {
                Ok(Self {
                    bytes,
                    num_rows,
                    num_row_groups,
                    created_by: outline.created_by,
                    fields: outline.fields,
                    key_values: outline.key_values,
                })
            }
            _ => Err(corrupt("the footer has no schema, no row groups or no valid number of rows")),
        }
    }

    /// The value of a key; the last one where a key comes twice, as Arrow reads it.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let found = self.key_values.iter().rev().find(|pair| pair.key == key.as_bytes())?;
        std::str::from_utf8(found.value?).ok()
    }

    /// Leaves out some keys, from now on.
    pub fn forget(&mut self, keys: &[&str]) {
        self.key_values.retain(|pair| !keys.iter().any(|key| key.as_bytes() == pair.key));
    }

    /// All keys with their values, in file order; a value that is no text is left out.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.key_values.iter().filter_map(|pair| {
            Some((std::str::from_utf8(pair.key).ok()?, std::str::from_utf8(pair.value?).ok()?))
        })
    }

    /// The bytes of a field.
    pub(super) fn field(&self, id: i16) -> Option<&'a [u8]> {
        self.fields.iter().find(|field| field.id == id).map(|field| field.bytes)
    }

    /// A hash of the schema's bytes: files with equal fingerprints have equal columns.
    pub fn schema_fingerprint(&self) -> u64 {
        XxHash3_64::oneshot(self.field(FIELD_SCHEMA).unwrap_or_default())
    }
}

/// What was found, before it is known to be enough.
#[derive(Default)]
struct Outline<'a> {
    num_rows: Option<i64>,
    num_row_groups: Option<u64>,
    created_by: Option<&'a str>,
    is_encrypted: bool,
    fields: Vec<Field<'a>>,
    key_values: Vec<KeyValue<'a>>,
}

impl<'a> Outline<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut outline = Self::default();
        let mut id = 0;
        loop {
            let (next, kind) = reader.field(id)?;
            if kind == 0 {
                return Ok(outline);
            }
            id = next;
            let start = reader.position();
            match (id, kind) {
                (FIELD_NUM_ROWS, 4..=6) => outline.num_rows = Some(reader.int()?),
                (FIELD_ROW_GROUPS, LIST) => outline.num_row_groups = Some(row_groups(reader)?),
                (FIELD_KEY_VALUES, LIST | SET) => outline.key_values = key_values(reader)?,
                (FIELD_CREATED_BY, BINARY) => outline.created_by = std::str::from_utf8(reader.binary()?).ok(),
                _ => reader.skip(kind)?,
            }
            outline.is_encrypted |= id == FIELD_ENCRYPTION;
            outline.fields.push(Field { id, kind, bytes: reader.since(start) });
        }
    }
}

fn row_groups(reader: &mut Reader<'_>) -> Result<u64, Fault> {
    let (length, kind) = reader.list()?;
    if length > 0 && kind != STRUCT {
        return Err("its row groups are no structs");
    }
    (0..length).try_for_each(|_| reader.skip_element(kind))?;
    Ok(length)
}

fn key_values<'a>(reader: &mut Reader<'a>) -> Result<Vec<KeyValue<'a>>, Fault> {
    let (length, kind) = reader.list()?;
    if length > 0 && kind != STRUCT {
        return Err("its key-value pairs are no structs");
    }
    (0..length).map(|_| key_value(reader)).collect()
}

fn key_value<'a>(reader: &mut Reader<'a>) -> Result<KeyValue<'a>, Fault> {
    let start = reader.position();
    let (mut key, mut value) = (None, None);
    let mut id = 0;
    loop {
        let (next, kind) = reader.field(id)?;
        id = next;
        match (id, kind) {
            (_, 0) => break,
            (1, BINARY) => key = Some(reader.binary()?),
            (2, BINARY) => value = Some(reader.binary()?),
            _ => reader.skip(kind)?,
        }
    }
    let key = key.ok_or("it has a value without a key")?;
    Ok(KeyValue { key, value, bytes: reader.since(start) })
}
