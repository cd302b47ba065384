//! How the Parquet decoder reads a file: by place, so that threads can share it.

use std::io::Read;

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::fs::{File, platform};

/// A file of which whole column chunks are in memory, where whole ones are read.
pub struct Chunks {
    pub(super) file: File,
    length: u64,
    pub(super) loaded: Vec<(u64, Bytes)>,
}

impl Chunks {
    /// An open file of this length.
    pub fn of(file: File, length: u64) -> Self {
        Self { file, length, loaded: Vec::new() }
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn fetch(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            let message = format!("bytes {start} to {start} + {length} lie beyond the end of the file");
            return Err(ParquetError::EOF(message));
        }
        let mut buffer = vec![0; length];
        if platform::read_at(&self.file, &mut buffer, start)? < length {
            return Err(ParquetError::EOF("the file became shorter".to_owned()));
        }
        Ok(buffer.into())
    }

    fn held(&self, start: u64) -> Option<Bytes> {
        let (begin, bytes) = self
            .loaded
            .iter()
            .find(|(begin, bytes)| (*begin..*begin + bytes.len() as u64).contains(&start))?;
        Some(bytes.slice((start - begin) as usize..))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        if let Some(bytes) = self.held(start) {
            return Ok(Box::new(bytes.reader()));
        }
        let file = self.file.try_clone()?;
        Ok(Box::new(std::io::BufReader::with_capacity(1024, At { file, place: start })))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        match self.held(start).filter(|bytes| bytes.len() >= length) {
            Some(bytes) => Ok(bytes.slice(..length)),
            None => self.fetch(start, length),
        }
    }
}

/// Reads on from a place, whatever else reads the file.
struct At {
    file: File,
    place: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = platform::read_at(&self.file, buffer, self.place)?;
        self.place += count as u64;
        Ok(count)
    }
}
