//! What was read from footers, kept between processes.
//!
//! The cache is never data: a missing, corrupt or older file is ignored and written anew, and an entry
//! counts only where the stat of every file that it stands for is unchanged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Result, corrupt};
use crate::fs::cache_file::{VERSION, checked, finish, places, read_file, write_any};
use crate::fs::stat::Identity;
use crate::summary::{Accumulator, Datasets, SketchReader, embedded};

const MAGIC: &[u8; 4] = b"N4AC";

/// A file and its identity when it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Relative to the workspace.
    pub file: String,
    /// From the open file.
    pub identity: Identity,
    /// When it was read, ns since 1970.
    pub read_at: i64,
}

/// What some files say together.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// In name order.
    pub files: Vec<Seen>,
    /// The files among them that had no trusted summary, with the reason.
    pub scanned: Vec<(String, String)>,
    /// Encoded [`Datasets`].
    pub state: Vec<u8>,
}

/// Entries by the name of their first file.
pub type Entries = HashMap<String, Entry>;

/// What an unchanged workspace says: one entry for all of its files.
pub const WHOLE: &str = "summary.bin";
/// The summary without quartiles, where none were asked for yet.
pub const RANKINGS: &str = "rankings.bin";
/// What each file says, so that only the files that changed are opened again.
pub const FILES: &str = "files.bin";
/// What files say that had to be scanned, so that a neighbour's change scans no file again.
pub const SCANS: &str = "scans.bin";

impl Entry {
    /// Encodes what `files` say.
    pub fn new(files: Vec<Seen>, scanned: Vec<(String, String)>, datasets: &Datasets) -> Self {
        let mut writer = ByteWriter::default();
        writer.datasets(datasets);
        Self { files, scanned, state: writer.bytes }
    }

    /// The entry by the name of its first file.
    pub fn by_name(self) -> Entries {
        let name = self.files.first().map(|seen| seen.file.clone());
        name.into_iter().zip(std::iter::once(self)).collect()
    }

    /// Whether these are, by their stat, the files that were read, and were old enough then to tell.
    pub fn is_of(&self, names: &[String], identities: impl Iterator<Item = Option<Identity>>) -> bool {
        self.files.len() == names.len()
            && self.files.iter().zip(names).zip(identities).all(|((seen, name), identity)| {
                seen.file == *name
                    && identity == Some(seen.identity)
                    && seen.identity.settled_at(seen.read_at)
            })
    }

    /// The state, unless it is damaged or ranks a metric otherwise than the table does by now.
    pub fn datasets(&self) -> Option<Datasets> {
        let mut reader = SketchReader::new(&self.state);
        Self::read(&mut reader).filter(|_| reader.is_at_end())
    }

    /// The state of all files, by dataset and together.
    pub fn all(&self) -> Option<(Datasets, Accumulator)> {
        let mut reader = SketchReader::new(&self.state);
        let datasets = Self::read(&mut reader)?;
        let whole = reader.accumulator().ok()?;
        reader.is_at_end().then_some((datasets, whole))
    }

    fn read(reader: &mut SketchReader<'_>) -> Option<Datasets> {
        let mut datasets = Datasets::new();
        reader.merge_datasets(&mut datasets).ok()?;
        (!embedded::table_disagrees(&datasets)).then_some(datasets)
    }
}

/// Reads one file of the cache; nothing where there is none that can be used.
pub fn load(root: &Path, file: &str) -> Entries {
    let read = |folder: PathBuf| read_file(&folder.join(file)).ok().and_then(|bytes| decode(&bytes).ok());
    places(root).into_iter().find_map(read).unwrap_or_default()
}

/// Writes one file of the cache where that is allowed; a cache that cannot be written is no failure.
pub fn store(root: &Path, file: &str, entries: &Entries) {
    write_any(root, file, &encode(entries));
}

fn encode(entries: &Entries) -> Vec<u8> {
    let size = entries.values().map(|entry| entry.state.len() + SEEN * (1 + entry.files.len())).sum();
    let mut writer = begin(entries.len(), size);
    for Entry { files, scanned, state } in entries.values() {
        write_entry(&mut writer, files, scanned, state);
    }
    finish(writer)
}

/// The bytes of a file of the cache with one entry: what all files say, by dataset and together.
pub fn encode_whole(
    files: &[Seen],
    scanned: &[(String, String)],
    datasets: &Datasets,
    whole: &Accumulator,
) -> Vec<u8> {
    let mut state = ByteWriter::default();
    state.datasets(datasets);
    state.accumulator(whole);
    let mut writer = begin(1, state.bytes.len() + SEEN * (1 + files.len()));
    write_entry(&mut writer, files, scanned, &state.bytes);
    finish(writer)
}

/// About as many bytes are written for a file.
const SEEN: usize = 128;

/// Begins a file of about so many bytes: growing by steps would copy all of it several times.
fn begin(entries: usize, size: usize) -> ByteWriter {
    let mut writer = ByteWriter::default();
    writer.bytes.reserve(size);
    writer.bytes.extend_from_slice(MAGIC);
    writer.text(VERSION);
    writer.int(entries as u64);
    writer
}

fn write_entry(writer: &mut ByteWriter, files: &[Seen], scanned: &[(String, String)], state: &[u8]) {
    writer.int(files.len() as u64);
    for seen in files {
        writer.text(&seen.file);
        seen.identity.encode(writer);
        writer.u64(seen.read_at as u64);
    }
    writer.int(scanned.len() as u64);
    for (file, reason) in scanned {
        writer.text(file);
        writer.text(reason);
    }
    writer.int(state.len() as u64);
    writer.bytes.extend_from_slice(state);
}

fn decode(bytes: &[u8]) -> Result<Entries> {
    let mut reader = checked(bytes)?;
    if reader.bytes(MAGIC.len())? != MAGIC || reader.text()? != VERSION {
        return Err(corrupt("another version"));
    }
    let mut entries = Entries::new();
    for _ in 0..reader.count(3)? {
        let entry = decode_entry(&mut reader)?;
        if let Some(first) = entry.files.first() {
            entries.insert(first.file.clone(), entry);
        }
    }
    Ok(entries)
}

fn decode_entry(reader: &mut ByteReader<'_>) -> Result<Entry> {
    let count = reader.count(41)?;
    let files = (0..count).map(|_| {
        Ok(Seen {
            file: reader.text()?.to_owned(),
            identity: Identity::decode(reader)?,
            read_at: reader.u64()? as i64,
        })
    });
    let files = files.collect::<Result<_>>()?;
    let count = reader.count(2)?;
    let scanned = (0..count).map(|_| Ok((reader.text()?.to_owned(), reader.text()?.to_owned())));
    let scanned = scanned.collect::<Result<_>>()?;
    let length = reader.count(1)?;
    Ok(Entry { files, scanned, state: reader.bytes(length)?.to_vec() })
}
