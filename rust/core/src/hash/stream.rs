//! One file: plain reads into reused buffers, on all cores.
//!
//! Plain reads, because a mapped file that is truncated kills the process. BLAKE3 is a binary
//! tree over the content: each thread reads and hashes subtrees of its own, while they are in its
//! processor's cache. SHA-256 is a chain: one thread hashes while another reads ahead.

use std::cell::RefCell;
use std::path::Path;

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root,
};
use sha2::{Digest, Sha256};

use super::Algorithm;
use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::special_files;
use crate::fs::stat::{self, FileKey};
use crate::fs::{File, platform};

/// What one thread hashes at a time: a power of two, as the subtrees of BLAKE3 are.
const LEAF: u64 = 4 << 20;
/// What is read at once: fits the cache of a core.
const BUFFER: usize = 256 << 10;
/// What is read ahead.
const AHEAD: usize = 4 << 20;

thread_local! {
    static BUFFERS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What was computed from a file, and of which state of it.
pub struct Read<T> {
    /// The result.
    pub value: T,
    /// The file, unchanged from before the first read to after the last.
    pub key: FileKey,
    /// When reading began, ns since 1970.
    pub read_at: i64,
}

/// Hashes the file at `path`, anew where it changed meanwhile.
pub fn hash(path: &Path, algorithm: Algorithm, progress: &Progress) -> Result<Read<[u8; 32]>> {
    read_unchanged(path, |file, size| match algorithm {
        Algorithm::Blake3 => blake3(file, size, progress),
        Algorithm::Sha256 => sha256(file, size, progress),
    })
}

/// Reads a file that stays as it is, and reads it once more where it did not.
///
/// Fails with [`ErrorKind::Conflict`] where it changed twice.
pub(super) fn read_unchanged<T>(path: &Path, read: impl Fn(&File, u64) -> Result<T>) -> Result<Read<T>> {
    let fail = |error| Error::io(path, error);
    for _ in 0..2 {
        let read_at = now_ns();
        let file = match platform::open(path) {
            Err(error) if special_files::is_special(&error) => {
                return Err(Error::new(ErrorKind::Argument, "is no regular file").at(path));
            }
            opened => opened.map_err(fail)?,
        };
        let stat = file.metadata().map_err(fail)?;
        let key = stat::file_key(&stat);
        match read(&file, stat.len()) {
            Ok(value) => {
                let is_key = |stat: std::io::Result<_>| stat.map(|stat| stat::file_key(&stat) == key);
                if is_key(file.metadata()).map_err(fail)? && is_key(path.metadata()).map_err(fail)? {
                    return Ok(Read { value, key, read_at });
                }
            }
            Err(error) if error.kind == ErrorKind::Conflict => {}
            Err(error) => return Err(error.at(path)),
        }
    }
    Err(Error::new(ErrorKind::Conflict, "changed while it was read, twice; try again when it is finished")
        .at(path))
}

/// Exactly so many bytes; fewer mean that the file is being truncated.
pub(super) fn fill(file: &File, buffer: &mut [u8], offset: u64) -> Result<()> {
    let count = platform::read_at(file, buffer, offset)
        .map_err(|error| Error { source: Some(error), ..Error::new(ErrorKind::Io, "cannot be read") })?;
    if count == buffer.len() { Ok(()) } else { Err(Error::new(ErrorKind::Conflict, "was truncated")) }
}

/// Hands the bytes from `start` to `end` over, piece by piece.
pub(super) fn pieces(
    file: &File,
    start: u64,
    end: u64,
    progress: &Progress,
    mut take: impl FnMut(&[u8]),
) -> Result<()> {
    BUFFERS.with_borrow_mut(|buffer| {
        let mut offset = start;
        while offset < end {
            progress.check()?;
            let length = (end - offset).min(BUFFER as u64) as usize;
            if buffer.len() < length {
                buffer.resize(length, 0);
            }
            fill(file, &mut buffer[..length], offset)?;
            take(&buffer[..length]);
            progress.read(length as u64);
            offset += length as u64;
        }
        Ok(())
    })
}

fn blake3(file: &File, size: u64, progress: &Progress) -> Result<[u8; 32]> {
    if size <= LEAF {
        let mut hasher = blake3::Hasher::new();
        pieces(file, 0, size, progress, |piece| {
            hasher.update(piece);
        })?;
        return Ok(hasher.finalize().into());
    }
    let (left, right) = halves(file, 0, size, progress)?;
    Ok(merge_subtrees_root(&left, &right, Mode::Hash).into())
}

/// The chaining values of the two subtrees below the node over these bytes.
fn halves(file: &File, start: u64, end: u64, progress: &Progress) -> Result<(ChainingValue, ChainingValue)> {
    let middle = start + left_subtree_len(end - start);
    let (left, right) = rayon::join(
        || subtree(file, start, middle, progress), //
        || subtree(file, middle, end, progress),
    );
    Ok((left?, right?))
}

fn subtree(file: &File, start: u64, end: u64, progress: &Progress) -> Result<ChainingValue> {
    if end - start > LEAF {
        let (left, right) = halves(file, start, end, progress)?;
        return Ok(merge_subtrees_non_root(&left, &right, Mode::Hash));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(start);
    pieces(file, start, end, progress, |piece| {
        hasher.update(piece);
    })?;
    Ok(hasher.finalize_non_root())
}

fn sha256(file: &File, size: u64, progress: &Progress) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    if size <= AHEAD as u64 {
        pieces(file, 0, size, progress, |piece| hasher.update(piece))?;
        return Ok(hasher.finalize().into());
    }
    let length = |offset: u64| size.saturating_sub(offset).min(AHEAD as u64) as usize;
    let (mut current, mut next) = (vec![0; AHEAD], vec![0; AHEAD]);
    fill(file, &mut current, 0)?;
    let mut offset = 0;
    while offset < size {
        progress.check()?;
        let ahead = offset + AHEAD as u64;
        let ((), read) = rayon::join(
            || hasher.update(&current[..length(offset)]),
            || fill(file, &mut next[..length(ahead)], ahead),
        );
        read?;
        progress.read(length(offset) as u64);
        std::mem::swap(&mut current, &mut next);
        offset = ahead;
    }
    Ok(hasher.finalize().into())
}
