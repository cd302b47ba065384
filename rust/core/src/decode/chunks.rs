//! How the Parquet decoder reads a file: by place, so that threads can share it.

use std::fs::File;
use std::io::Read;

use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::chunk_checks::FileChecks;
use crate::base::error::unreadable;
use crate::fs::platform;

/// A column chunk is read as a whole up to this length.
const LOADED_BYTES: u64 = 16 << 20;

/// A file of which whole column chunks are in memory, where whole ones are read.
pub struct Chunks {
    file: File,
    length: u64,
    loaded: Vec<(u64, Bytes)>,
}

impl Chunks {
    /// An open file of this length.
    pub fn of(file: File, length: u64) -> Self {
        Self { file, length, loaded: Vec::new() }
    }

    /// Reads the column chunks of a row group that are asked for, but for very long ones, and checks all of
    /// them.
    pub fn load(
        &mut self,
        number: usize,
        group: &RowGroupMetaData,
        mask: &ProjectionMask,
        checks: &FileChecks,
    ) -> crate::Result<()> {
        for (leaf, column) in group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf))
        {
            let (start, length) = column.byte_range();
            if length > LOADED_BYTES {
                checks.check(&self.file, &[(number, leaf)])?;
                continue;
            }
            let bytes = self.fetch(start, length as usize).map_err(unreadable)?;
            if *checks.pages((number, leaf)) == (start..start + length) {
                checks.check_bytes(number, leaf, &bytes)?;
            } else {
                checks.check(&self.file, &[(number, leaf)])?;
            }
            self.loaded.push((start, bytes));
        }
        Ok(())
    }

    /// Checks the column chunks of a row group that are asked for.
    pub fn check(&self, number: usize, mask: &ProjectionMask, checks: &FileChecks) -> crate::Result<()> {
        let asked = (0..checks.leaves()).filter(|leaf| mask.leaf_included(*leaf));
        checks.check(&self.file, &asked.map(|leaf| (number, leaf)).collect::<Vec<_>>())
    }

    fn fetch(&self, start: u64, length: usize) -> Result<Bytes> {
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

/// Reads on from a place, whoever else reads the file.
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
