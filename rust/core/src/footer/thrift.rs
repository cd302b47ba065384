//! The Thrift compact protocol, as far as Parquet footers need it: skipping and slicing, not decoding.
//!
//! Source: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use crate::base::codec::write_varint;

/// Deepest nesting of containers that is followed; Parquet's own schema needs fewer than ten.
const MAX_DEPTH: u32 = 32;

/// Why bytes cannot be read. Small, since every step of the reader may return it.
pub type Fault = &'static str;

/// The bytes end before the value does: where they are a part of more, more may help.
pub const ENDS: Fault = "it ends inside a value";
const ENDLESS: Fault = "it has a number without end";
const UNKNOWN: Fault = "it has an unknown Thrift type";
const NESTED: Fault = "it is nested too deeply";
const FIELD_ID: Fault = "it has a field id out of range";

// The types of the compact protocol that are told apart here, by their nibble.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
/// A binary or a string.
pub const BINARY: u8 = 8;
/// A list.
pub const LIST: u8 = 9;
/// A set, which lies in the bytes like a list.
pub const SET: u8 = 10;
const MAP: u8 = 11;
/// A struct.
pub const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// A position in the bytes of a Thrift struct.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The bytes from `start` to here.
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(ENDS)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn advance(&mut self, count: u64) -> Result<(), Fault> {
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(ENDS);
        }
        self.at += count as usize;
        Ok(())
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Fault> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7F);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ENDLESS)
    }

    #[inline]
    fn skip_varint(&mut self) -> Result<(), Fault> {
        if self.byte()? < 0x80 {
            return Ok(());
        }
        for _ in 1..10 {
            if self.byte()? < 0x80 {
                return Ok(());
            }
        }
        Err(ENDLESS)
    }

    /// A signed integer.
    pub fn int(&mut self) -> Result<i64, Fault> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The bytes of a binary or string.
    #[inline]
    pub fn binary(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.varint()?;
        let start = self.at;
        self.advance(length)?;
        Ok(self.since(start))
    }

    /// The next field of a struct, as its id and type; type 0 at the struct's end.
    ///
    /// `previous` is the id of the field before, 0 at first.
    #[inline]
    pub fn field(&mut self, previous: i16) -> Result<(i16, u8), Fault> {
        let header = self.byte()?;
        let (delta, kind) = (header >> 4, header & 0x0F);
        let id = match delta {
            0 if kind == 0 => 0,
            _ if kind == 0 => return Err(UNKNOWN),
            0 => i16::try_from(self.int()?).map_err(|_| FIELD_ID)?,
            delta => previous.checked_add(i16::from(delta)).ok_or(FIELD_ID)?,
        };
        Ok((id, kind))
    }

    /// The length and the element type of a list.
    #[inline]
    pub fn list(&mut self) -> Result<(u64, u8), Fault> {
        let header = self.byte()?;
        let length = match header >> 4 {
            15 => self.varint()?,
            length => u64::from(length),
        };
        Ok((length, header & 0x0F))
    }

    /// Skips the value of a field.
    #[inline]
    pub fn skip(&mut self, kind: u8) -> Result<(), Fault> {
        self.skip_field(kind, MAX_DEPTH)
    }

    /// Skips an element of a list.
    pub fn skip_element(&mut self, kind: u8) -> Result<(), Fault> {
        self.skip_value(kind, MAX_DEPTH)
    }

    #[inline]
    fn skip_field(&mut self, kind: u8, depth: u32) -> Result<(), Fault> {
        match kind {
            TRUE | FALSE => Ok(()), // a field's boolean stands in its header
            I16..=I64 => self.skip_varint(),
            BINARY => self.binary().map(drop),
            _ => self.skip_value(kind, depth),
        }
    }

    fn skip_value(&mut self, kind: u8, depth: u32) -> Result<(), Fault> {
        let depth = depth.checked_sub(1).ok_or(NESTED)?;
        match kind {
            TRUE | FALSE | BYTE => self.advance(1),
            I16..=I64 => self.skip_varint(),
            DOUBLE => self.advance(8),
            UUID => self.advance(16),
            BINARY => self.binary().map(drop),
            LIST | SET => {
                let (length, element) = self.list()?;
                match element {
                    I16..=I64 => (0..length).try_for_each(|_| self.skip_varint()),
                    BINARY => (0..length).try_for_each(|_| self.binary().map(drop)),
                    _ => (0..length).try_for_each(|_| self.skip_value(element, depth)),
                }
            }
            MAP => {
                let length = self.varint()?;
                let kinds = if length > 0 { self.byte()? } else { 0 };
                (0..length).try_for_each(|_| {
                    self.skip_value(kinds >> 4, depth)?;
                    self.skip_value(kinds & 0x0F, depth)
                })
            }
            STRUCT => loop {
                // Ids do not matter to what is skipped.
                let header = self.byte()?;
                if header == 0 {
                    return Ok(());
                }
                if header >> 4 == 0 {
                    self.skip_varint()?;
                }
                self.skip_field(header & 0x0F, depth)?;
            },
            _ => Err(UNKNOWN),
        }
    }
}

/// Hands out the fields of a struct, each with its id and type, whose value must be read or skipped.
pub fn each_field<'a>(
    reader: &mut Reader<'a>,
    mut take: impl FnMut(&mut Reader<'a>, i16, u8) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut id = 0;
    loop {
        let (next, kind) = reader.field(id)?;
        if kind == 0 {
            return Ok(());
        }
        id = next;
        take(reader, id, kind)?;
    }
}

/// Appends the header of field `id`, after field `previous`.
pub fn write_field(out: &mut Vec<u8>, previous: i16, id: i16, kind: u8) {
    match id.checked_sub(previous) {
        Some(delta @ 1..=15) => out.push((delta as u8) << 4 | kind),
        _ => {
            out.push(kind);
            let id = i64::from(id);
            write_varint(out, ((id << 1) ^ (id >> 63)) as u64);
        }
    }
}

/// Appends the header of a list.
pub fn write_list(out: &mut Vec<u8>, length: usize, kind: u8) {
    if length < 15 {
        out.push((length as u8) << 4 | kind);
    } else {
        out.push(0xF0 | kind);
        write_varint(out, length as u64);
    }
}

/// Appends a binary value.
pub fn write_binary(out: &mut Vec<u8>, value: &[u8]) {
    write_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}
