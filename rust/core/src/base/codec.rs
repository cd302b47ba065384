//! Numbers and texts as bytes, little-endian, for caches and sketches; every length is checked against what is there.

use super::error::{Result, corrupt};

/// Appends values to bytes.
#[derive(Default)]
pub struct ByteWriter {
    /// What was written.
    pub bytes: Vec<u8>,
}

/// Takes values from bytes.
#[derive(Clone)]
pub struct ByteReader<'a> {
    rest: &'a [u8],
}

/// Appends a number, seven bits a byte.
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl ByteWriter {
    /// A varint.
    pub fn int(&mut self, value: u64) {
        write_varint(&mut self.bytes, value);
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Length and UTF-8.
    pub fn text(&mut self, text: &str) {
        self.int(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// A 64-bit float, by its bits.
    pub(crate) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Present or not, then the value.
    pub(crate) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bytes.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
}

impl<'a> ByteReader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// So many bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| corrupt("the sketch ends inside a value"))?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or_else(|| corrupt("the sketch ends inside a value"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// The bytes that are left.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A varint.
    #[inline]
    pub fn int(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(corrupt("the sketch has a number without end"))
    }

    /// A varint that counts items of at least `size` bytes each, which must be there.
    #[inline]
    pub fn count(&mut self, size: usize) -> Result<usize> {
        let count = self.int()?;
        if count > (self.rest.len() / size) as u64 {
            return Err(corrupt("the sketch announces more than it holds"));
        }
        Ok(count as usize)
    }

    /// Eight bytes.
    #[inline]
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Length and UTF-8.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str> {
        let length = self.count(1)?;
        std::str::from_utf8(self.bytes(length)?)
            .map_err(|_| corrupt("the sketch has a text that is not UTF-8"))
    }

    /// A 64-bit float, by its bits.
    #[inline]
    pub(crate) fn f64(&mut self) -> Result<f64> {
        self.u64().map(f64::from_bits)
    }

    /// Whether there is a value, then the value.
    #[inline]
    pub(crate) fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(corrupt("the sketch has a flag that is neither 0 nor 1")),
        }
    }
}
