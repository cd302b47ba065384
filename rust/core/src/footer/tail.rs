//! Reading the last bytes of files.

use std::io;
use std::path::Path;

use super::parse::Footer;
use crate::base::error::{Error, ErrorKind, Result};
use crate::fs::stat::{self, Identity};
use crate::fs::{File, platform};

/// First and last bytes of a Parquet file.
pub const MAGIC: &[u8; 4] = b"PAR1";
const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";
/// Length and magic after the footer.
const TRAILER: usize = 8;
/// What is read of the first file: more than the footer of most with their summary, one read on any disk.
const FIRST_READ: usize = 32 * 1024;
/// The least that is read of others: more than the footer of a small file.
const LEAST_READ: usize = 16 * 1024;

/// Reads tails, reusing one buffer and the length of the last footer as a guess for the next.
pub struct TailReader {
    buffer: Vec<u8>,
    guess: usize,
}

/// The footer's bytes of one file, and the identity of the file that they were read from.
pub struct Tail<'a> {
    /// Of the open file, so that a file replaced meanwhile is not mistaken for this one.
    pub identity: Identity,
    bytes: &'a [u8],
}

impl Default for TailReader {
    fn default() -> Self {
        Self { buffer: Vec::new(), guess: FIRST_READ }
    }
}

impl TailReader {
    /// Opens `path` and reads its footer: one read for an ordinary footer, a second for a larger one.
    pub fn read(&mut self, path: &Path) -> Result<Tail<'_>> {
        let file = platform::open(path).map_err(|error| Error::io(path, error))?;
        self.read_file(&file).map_err(|error| error.at(path))
    }

    /// Reads the footer of an open file.
    pub fn read_file(&mut self, file: &File) -> Result<Tail<'_>> {
        let metadata = file.metadata().map_err(Error::pathless)?;
        if metadata.is_dir() {
            return Err(Error::pathless(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        if !metadata.is_file() {
            return Err(Error::new(ErrorKind::NotParquet, "not a regular file (a pipe, socket or device)"));
        }
        let identity = stat::identity(&metadata);
        let size = identity.size;
        if size == 0 {
            return Err(Error::new(ErrorKind::Truncated, "the file is empty (0 bytes)"));
        }
        let first = self.guess.min(usize::try_from(size).unwrap_or(usize::MAX));
        self.fill(file, first, size)?;
        let Some((_, trailer)) = self.buffer.split_last_chunk::<TRAILER>() else {
            return Err(Error::new(ErrorKind::NotParquet, format!("not a Parquet file: only {size} bytes")));
        };
        let [l0, l1, l2, l3, magic @ ..] = *trailer;
        match &magic {
            MAGIC => {}
            MAGIC_ENCRYPTED => {
                return Err(Error::new(
                    ErrorKind::Encrypted,
                    "the footer is encrypted; decrypt the file to summarise it",
                ));
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::NotParquet,
                    format!("not a Parquet file, or cut off: the last 4 bytes are {magic:02x?}, not PAR1"),
                ));
            }
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let needed = length + TRAILER;
        // A file begins with the magic as well, before any page.
        if (needed + MAGIC.len()) as u64 > size {
            return Err(Error::new(
                ErrorKind::Truncated,
                format!("the footer is said to be {length} bytes long in a file of {size} bytes"),
            ));
        }
        if needed > self.buffer.len() {
            self.fill(file, needed, size)?;
        }
        self.guess = LEAST_READ.max(needed + needed / 32);
        let end = self.buffer.len() - TRAILER;
        Ok(Tail { identity, bytes: &self.buffer[end - length..end] })
    }

    fn fill(&mut self, file: &File, count: usize, size: u64) -> Result<()> {
        // The buffer only grows, so that nothing is zeroed for a file like the last one.
        self.buffer.resize(count, 0);
        let read = platform::read_at(file, &mut self.buffer, size - count as u64).map_err(Error::pathless)?;
        if read < count {
            return Err(Error::new(ErrorKind::Truncated, "the file became shorter while it was read"));
        }
        Ok(())
    }
}

impl<'a> Tail<'a> {
    /// The undecoded footer.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Parses the footer's outline.
    pub fn footer(&self) -> Result<Footer<'a>> {
        Footer::parse(self.bytes)
    }
}
