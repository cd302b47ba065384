//! What was hashed, for as long as the stat of a file tells that its content is the same.
//!
//! The key is the file itself (device, inode, size, times), not its path. A file that changed less
//! than two seconds before it was read may change again without a trace, so it is hashed each time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::folder::{self, Content, Member};
use super::{Algorithm, ContentHash, quick, stream};
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::base::progress::Progress;
use crate::fs::cache_file;
use crate::fs::stat::{self, FileKey, Identity};

const MAGIC: &[u8; 4] = b"N4AH";
/// Another layout: ignored.
const VERSION: u8 = 1;
/// More entries are not kept; the newest stay.
const MOST: usize = 1 << 18;
const FILE: &str = "hashes.bin";

/// A full hash and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The hash.
    pub hash: ContentHash,
    /// Bytes of the file, or of all files of the folder.
    pub size: u64,
    /// Whether it is of a folder.
    pub is_folder: bool,
    /// Bytes that had to be read for it.
    pub bytes_read: u64,
}

/// What is known of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Known {
    /// When it was read last, ns since 1970.
    read_at: i64,
    quick: Option<[u8; 8]>,
    blake3: Option<[u8; 32]>,
    sha256: Option<[u8; 32]>,
}

impl Known {
    fn full(&mut self, algorithm: Algorithm) -> &mut Option<[u8; 32]> {
        match algorithm {
            Algorithm::Blake3 => &mut self.blake3,
            Algorithm::Sha256 => &mut self.sha256,
        }
    }
}

type Entries = HashMap<FileKey, Known>;

/// Hashes by file, shared between threads, kept between processes.
#[derive(Debug, Default)]
pub struct HashCache {
    /// The files it is kept in, the better place first.
    places: Vec<PathBuf>,
    entries: Mutex<(Entries, bool)>,
}

impl HashCache {
    /// What earlier processes kept for a workspace.
    pub fn of(root: &Path) -> Self {
        Self::load(&if cache_file::is_ours(root) { cache_file::places(root) } else { Vec::new() })
    }

    /// What earlier processes kept in the first of these folders that has it; nothing where that is
    /// damaged or of another version.
    pub fn load(folders: &[PathBuf]) -> Self {
        let places: Vec<_> = folders.iter().map(|folder| folder.join(FILE)).collect();
        let entries = places.iter().find_map(|file| read(file)).unwrap_or_default();
        Self { places, entries: Mutex::new((entries, false)) }
    }

    /// Keeps what was added, beside what other processes kept meanwhile. A cache that cannot be
    /// written is no failure.
    pub fn save(&self) {
        let entries = {
            let mut guard = self.lock();
            if !std::mem::take(&mut guard.1) {
                return;
            }
            for (key, known) in self.places.iter().find_map(|file| read(file)).unwrap_or_default() {
                guard.0.entry(key).or_insert(known);
            }
            if guard.0.len() > MOST {
                let mut newest: Vec<_> = guard.0.drain().collect();
                newest.sort_unstable_by_key(|(key, known)| (-known.read_at, *key));
                newest.truncate(MOST);
                guard.0.extend(newest);
            }
            encode(&guard.0)
        };
        self.places.iter().any(|file| cache_file::write(file, &entries).is_ok());
    }

    /// The fingerprint of a file or folder, read where the cache does not know it.
    pub fn fingerprint(&self, path: &Path, algorithm: Algorithm, progress: &Progress) -> Result<Fingerprint> {
        let stat = path.metadata().map_err(|error| Error::io(path, error))?;
        if !stat.is_dir() {
            let key = stat::file_key(&stat);
            let (bytes, size, bytes_read) = self.full(path, key, algorithm, progress)?;
            return Ok(Fingerprint {
                hash: ContentHash { algorithm, bytes },
                size,
                is_folder: false,
                bytes_read,
            });
        }
        for _ in 0..2 {
            let members = folder::members(path)?;
            let one = |member: &Member| self.member(member, algorithm, progress);
            let (hashes, read): (Vec<_>, Vec<_>) =
                members.par_iter().map(one).collect::<Result<Vec<_>>>()?.into_iter().unzip();
            let bytes_read = read.iter().sum();
            if bytes_read == 0 || folder::members(path)? == members {
                return Ok(Fingerprint {
                    hash: ContentHash { algorithm, bytes: folder::combine(&members, &hashes, algorithm) },
                    size: folder::size(&members),
                    is_folder: true,
                    bytes_read,
                });
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "changed while it was read, twice; try again when it is finished",
        )
        .at(path))
    }

    /// The other hashes of a folder: as if the names of its files stood in another normal form. It may have been
    /// recorded before it went through a system that changed them. None for a file.
    pub fn other_forms(
        &self,
        path: &Path,
        algorithm: Algorithm,
        progress: &Progress,
    ) -> Result<Vec<ContentHash>> {
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let members = folder::members(path)?;
        if members.iter().all(|member| member.name.is_ascii()) {
            return Ok(Vec::new());
        }
        let one = |member: &Member| self.member(member, algorithm, progress).map(|(hash, _)| hash);
        let hashes = members.par_iter().map(one).collect::<Result<Vec<_>>>()?;
        let forms = folder::combine_forms(&members, &hashes, algorithm).into_iter();
        Ok(forms.map(|bytes| ContentHash { algorithm, bytes }).collect())
    }

    /// The fingerprint where nothing has to be read for it.
    pub fn known(&self, path: &Path, algorithm: Algorithm) -> Result<Option<Fingerprint>> {
        let stat = path.metadata().map_err(|error| Error::io(path, error))?;
        let mut guard = self.lock();
        let mut look_up = |key| guard.0.get_mut(&key).and_then(|known| *known.full(algorithm));
        let (bytes, size) = if stat.is_dir() {
            let members = folder::members(path)?;
            let hashes = members.iter().map(|member| match &member.content {
                Content::File(key) | Content::Inside(key) => look_up(*key),
                Content::Link(target) => Some(folder::digest(target, algorithm)),
            });
            let Some(hashes) = hashes.collect::<Option<Vec<_>>>() else { return Ok(None) };
            (folder::combine(&members, &hashes, algorithm), folder::size(&members))
        } else {
            let Some(bytes) = look_up(stat::file_key(&stat)) else { return Ok(None) };
            (bytes, stat.len())
        };
        let hash = ContentHash { algorithm, bytes };
        Ok(Some(Fingerprint { hash, size, is_folder: stat.is_dir(), bytes_read: 0 }))
    }

    /// The quick hash of a file, or of the largest file of a folder (none in an empty one), and how
    /// many bytes were read for it.
    pub fn quick(&self, path: &Path, progress: &Progress) -> Result<Option<([u8; 8], u64)>> {
        let stat = path.metadata().map_err(|error| Error::io(path, error))?;
        if stat.is_dir() {
            let members = folder::members(path)?;
            return folder::largest(&members).map_or(Ok(None), |member| self.quick(&member.path, progress));
        }
        if let Some(quick) = self.get(stat::file_key(&stat)).quick {
            return Ok(Some((quick, 0)));
        }
        let read = quick::hash(path, progress)?;
        self.add(read.key, read.read_at, |known| known.quick = Some(read.value));
        Ok(Some((read.value, quick::cost(read.key.identity.size))))
    }

    fn member(&self, member: &Member, algorithm: Algorithm, progress: &Progress) -> Result<([u8; 32], u64)> {
        match &member.content {
            Content::File(key) | Content::Inside(key) => {
                self.full(&member.path, *key, algorithm, progress).map(|(hash, _, read)| (hash, read))
            }
            Content::Link(target) => Ok((folder::digest(target, algorithm), 0)),
        }
    }

    /// Hash, size and bytes read of one file whose stat gave `key`.
    fn full(
        &self,
        path: &Path,
        key: FileKey,
        algorithm: Algorithm,
        progress: &Progress,
    ) -> Result<([u8; 32], u64, u64)> {
        progress.check()?;
        if let Some(hash) = *self.get(key).full(algorithm) {
            progress.read(key.identity.size);
            return Ok((hash, key.identity.size, 0));
        }
        let read = stream::hash(path, algorithm, progress)?;
        self.add(read.key, read.read_at, |known| *known.full(algorithm) = Some(read.value));
        let size = read.key.identity.size;
        Ok((read.value, size, size))
    }

    fn get(&self, key: FileKey) -> Known {
        self.lock().0.get(&key).copied().unwrap_or_default()
    }

    fn add(&self, key: FileKey, read_at: i64, set: impl FnOnce(&mut Known)) {
        if key.identity.settled_at(read_at) {
            let mut guard = self.lock();
            let known = guard.0.entry(key).or_default();
            known.read_at = read_at;
            set(known);
            guard.1 = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Entries, bool)> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Option<Entries> {
    decode(&cache_file::read_file(file).ok()?).ok()
}

fn encode(entries: &Entries) -> Vec<u8> {
    let mut out = ByteWriter::default();
    out.bytes.extend(MAGIC);
    out.bytes.push(VERSION);
    out.int(entries.len() as u64);
    for (FileKey { device, identity }, known) in entries {
        out.u64(*device);
        identity.encode(&mut out);
        out.u64(known.read_at as u64);
        let parts = [known.quick.as_ref().map(<[u8; 8]>::as_slice)]
            .into_iter()
            .chain([known.blake3.as_ref(), known.sha256.as_ref()].map(|hash| hash.map(<[u8; 32]>::as_slice)));
        let start = out.bytes.len();
        out.bytes.push(0);
        for (bit, part) in parts.enumerate() {
            if let Some(part) = part {
                out.bytes[start] |= 1 << bit;
                out.bytes.extend(part);
            }
        }
    }
    let checksum = XxHash3_64::oneshot(&out.bytes);
    out.u64(checksum);
    out.bytes
}

fn decode(bytes: &[u8]) -> Result<Entries> {
    let mut reader = cache_file::checked(bytes)?;
    if reader.bytes(MAGIC.len())? != MAGIC || reader.byte()? != VERSION {
        return Err(corrupt("another version"));
    }
    let count = reader.count(49)?;
    let mut entries = Entries::with_capacity(count);
    for _ in 0..count {
        let device = reader.u64()?;
        let identity = Identity::decode(&mut reader)?;
        let read_at = reader.u64()? as i64;
        let parts = reader.byte()?;
        entries.insert(
            FileKey { device, identity },
            Known {
                read_at,
                quick: part(&mut reader, parts & 1)?,
                blake3: part(&mut reader, parts & 2)?,
                sha256: part(&mut reader, parts & 4)?,
            },
        );
    }
    Ok(entries)
}

fn part<const N: usize>(reader: &mut ByteReader<'_>, is_there: u8) -> Result<Option<[u8; N]>> {
    if is_there == 0 {
        return Ok(None);
    }
    let bytes = reader.bytes(N)?;
    Ok(bytes.try_into().ok())
}
