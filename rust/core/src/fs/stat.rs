//! What a stat tells of a file: which it is, and in which state.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use super::regular;
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::Result;

/// What tells a file from another and from its own past: the key of every cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Identity {
    /// Bytes.
    pub size: u64,
    /// Last change of content, ns since 1970.
    pub mtime_ns: i64,
    /// Last change of content or attributes, ns since 1970; 0 where the system has none.
    pub ctime_ns: i64,
    /// Number of the file within its device; 0 where the system has none.
    pub inode: u64,
}

impl Identity {
    /// Whether the file was last changed at least [`RACY_NS`] before `at_ns`.
    ///
    /// A younger file may be edited again within the same tick of the file system's clock, which no
    /// stat can show (git calls such entries racily clean).
    pub fn settled_at(&self, at_ns: i64) -> bool {
        self.mtime_ns.max(self.ctime_ns) < at_ns.saturating_sub(RACY_NS)
    }

    /// Its numbers, in the order in which files of the cache have them.
    pub fn numbers(&self) -> [u64; 4] {
        [self.size, self.mtime_ns as u64, self.ctime_ns as u64, self.inode]
    }

    /// The identity of these [`Self::numbers`].
    pub fn of_numbers([size, mtime_ns, ctime_ns, inode]: [u64; 4]) -> Self {
        Self { size, mtime_ns: mtime_ns as i64, ctime_ns: ctime_ns as i64, inode }
    }

    /// Appends it to a file of the cache.
    pub(crate) fn encode(&self, out: &mut ByteWriter) {
        self.numbers().into_iter().for_each(|number| out.u64(number));
    }

    /// What [`Self::encode`] wrote.
    pub(crate) fn decode(reader: &mut ByteReader<'_>) -> Result<Self> {
        Ok(Self::of_numbers([reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?]))
    }

    /// Appends whether there is one, then that.
    pub(crate) fn encode_if_any(identity: Option<&Self>, out: &mut ByteWriter) {
        out.maybe(identity, |out, identity| identity.encode(out));
    }

    /// What [`Self::encode_if_any`] wrote.
    pub(crate) fn decode_if_any(reader: &mut ByteReader<'_>) -> Result<Option<Self>> {
        reader.maybe(Self::decode)
    }
}

/// A file among all files of this machine, at one state of its content: the key of cached hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileKey {
    /// The device that the file lies on; 0 where the system has none.
    pub device: u64,
    /// The file on that device.
    pub identity: Identity,
}

#[cfg(unix)]
/// The key that a stat gave.
pub fn file_key(metadata: &Metadata) -> FileKey {
    FileKey { device: std::os::unix::fs::MetadataExt::dev(metadata), identity: identity(metadata) }
}

#[cfg(not(unix))]
/// The key that a stat gave.
pub fn file_key(metadata: &Metadata) -> FileKey {
    FileKey { device: 0, identity: identity(metadata) }
}

/// The coarsest clock of a common file system (FAT writes times in steps of two seconds).
pub const RACY_NS: i64 = 2_000_000_000;

#[cfg(unix)]
/// The identity that a stat gave.
pub fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    let ns = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    Identity {
        size: metadata.size(),
        mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
        ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
    }
}

#[cfg(not(unix))]
/// The identity that a stat gave.
pub fn identity(metadata: &Metadata) -> Identity {
    let mtime = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok().map(|age| age.as_nanos() as i64));
    Identity { size: metadata.len(), mtime_ns: mtime.unwrap_or(0), ctime_ns: 0, inode: 0 }
}

/// The stat of what a path names; a link to nothing is told as one.
pub fn metadata(path: &Path) -> io::Result<Metadata> {
    path.metadata().map_err(|error| regular::explained(path, error))
}

/// The stat of what a path names, links followed.
pub fn stat(path: &Path) -> io::Result<Metadata> {
    std::fs::metadata(path)
}

/// The identity of what a path names.
pub fn identity_of(path: &Path) -> io::Result<Identity> {
    stat(path).map(|metadata| identity(&metadata))
}

/// The key of what a path names.
pub fn key_of(path: &Path) -> io::Result<FileKey> {
    stat(path).map(|metadata| file_key(&metadata))
}
