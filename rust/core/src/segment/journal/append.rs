//! A journal that this process writes, and what declares its writer dead.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use twox_hash::XxHash3_64;

use super::format::{CHECKSUM, FRAME_MAGIC, HEAD, Kind};
use super::header::Header;
use super::position::Position;
use crate::base::clock;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::value::Value;
use crate::fs::forks::OwnFile;
use crate::fs::lock::{self, Holder};
use crate::fs::{atomic, platform, stat};

/// A journal is created and then locked; no other process may lock it for longer.
const LOCKING: Duration = Duration::from_secs(5);

/// A journal that this process writes, locked until it is dropped.
pub struct Appender {
    /// Its path.
    pub path: PathBuf,
    /// What its header says.
    pub header: Header,
    /// The open file.
    pub file: OwnFile,
    /// The end of what was appended successfully.
    pub position: Position,
}

impl Appender {
    /// Makes a journal that was not there, locked, with its header written but not yet durable.
    pub fn create(path: &Path, header: Header) -> Result<Self> {
        let fail = |error| Error::io(path, error);
        let bytes = header.encode_checked()?;
        let file = OwnFile::open(|| platform::create_new(path)).map_err(fail)?;
        let made = (|| {
            if !lock::lock_file(&file, path, LOCKING)? {
                return Err(Error::new(ErrorKind::Conflict, "was taken by another process").at(path));
            }
            platform::write_at(&file, &bytes, 0).map_err(fail)?;
            Ok(Position { offset: bytes.len() as u64, ..Position::default() })
        })();
        match made {
            Ok(position) => Ok(Self { path: path.to_path_buf(), header, file, position }),
            Err(error) => {
                // Nothing in it was acknowledged.
                let _ = atomic::remove_if_there(path);
                Err(error)
            }
        }
    }

    /// Appends frames as one write; after an error the file is not to be appended to again.
    ///
    /// They are durable only after a sync of the file.
    pub fn append(&mut self, frames: &[(Kind, Vec<u8>)]) -> Result<Position> {
        let seed = self.header.seed();
        let mut position = self.position;
        let mut bytes =
            Vec::with_capacity(frames.iter().map(|(_, payload)| payload.len() + HEAD + CHECKSUM).sum());
        for (kind, payload) in frames {
            let start = bytes.len();
            bytes.extend_from_slice(FRAME_MAGIC);
            bytes.extend_from_slice(&[*kind as u8, 0, 0, 0]);
            bytes.extend_from_slice(&position.frames.to_le_bytes());
            bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
            let checksum = XxHash3_64::oneshot_with_seed(seed, &bytes[start..]);
            bytes.extend_from_slice(&checksum.to_le_bytes());
            bytes.extend_from_slice(payload);
            position.checksum = XxHash3_64::oneshot_with_seed(seed ^ checksum, payload);
            bytes.extend_from_slice(&position.checksum.to_le_bytes());
            position.frames += 1;
        }
        platform::write_at(&self.file, &bytes, self.position.offset)
            .map_err(|error| Error::io(&self.path, error))?;
        position.offset += bytes.len() as u64;
        Ok(position)
    }

    /// Fails with [`ErrorKind::Conflict`] where this writer was declared dead: its path names another
    /// file or none, or a fence stands beside it.
    pub fn check_alive(&self) -> Result<()> {
        let reason = if is_fenced(&self.path) {
            "this writer was declared dead and its journal recovered"
        } else if !platform::is_same_file(&self.file, &self.path) {
            "the journal of this writer was moved or removed"
        } else {
            return Ok(());
        };
        let message = format!("{reason}; what was acknowledged is kept, start a new writer for the rest");
        Err(Error::new(ErrorKind::Conflict, message).at(&self.path))
    }

    /// Forgets what was written beyond the last acknowledged frame, as far as that still works.
    pub fn cut_back(&self) {
        let _ = self.file.set_len(self.position.offset);
    }
}

/// What declares the writer of a journal dead.
pub fn fence_path(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".fence");
    PathBuf::from(name)
}

/// What a damaged journal is called that is kept after all that can be read of it was sealed.
pub fn corrupt_path(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".corrupt");
    PathBuf::from(name)
}

/// Declares the writer of a journal dead, durably: its next flush raises.
pub fn fence(journal: &Path) -> Result<()> {
    let path = fence_path(journal);
    let inode = inode_of(journal);
    let about = Value::map([
        ("declared_at", clock::now().as_str().into()),
        ("by", Holder::this_process().to_value()),
        ("inode", inode.map(|inode| inode.to_string()).as_deref().into()),
    ]);
    match atomic::create(&path, about.to_json().as_bytes()) {
        Err(error) if error.kind == ErrorKind::Conflict && is_fenced(journal) => Ok(()),
        Err(error) if error.kind == ErrorKind::Conflict => atomic::replace(&path, about.to_json().as_bytes()),
        result => result,
    }
}

/// Whether a fence stands beside a journal that was made for this file. One that came with a copied folder names
/// another file; on a network drive, where hosts may number files differently, and where it names none, it counts.
pub fn is_fenced(journal: &Path) -> bool {
    let path = fence_path(journal);
    let text = match platform::read(&path) {
        Ok(text) => text,
        Err(error) => return error.kind() != std::io::ErrorKind::NotFound && path.exists(),
    };
    let named = serde_json::from_slice::<serde_json::Value>(&text).ok();
    let named = named.as_ref().and_then(|json| json.get("inode")?.as_str()?.parse::<u64>().ok());
    let Some((named, own)) = named.zip(inode_of(journal)) else { return true };
    named == own || platform::is_network_drive(&path)
}

/// The number of a file, where its file system has numbers.
fn inode_of(path: &Path) -> Option<u64> {
    stat::identity_of(path).ok().map(|identity| identity.inode).filter(|&inode| inode != 0)
}

/// Renames a damaged journal, which nothing that was kept so before is lost by; gives its new name.
pub fn keep_corrupt(path: &Path) -> Result<OsString> {
    let mut aside = corrupt_path(path);
    for number in 2..1_000 {
        if !aside.exists() {
            break;
        }
        let mut name = OsString::from(path.as_os_str());
        name.push(format!(".{number}.corrupt"));
        aside = PathBuf::from(name);
    }
    atomic::rename(path, &aside)?;
    atomic::remove_if_there(&fence_path(path))?;
    Ok(aside.file_name().unwrap_or_default().to_owned())
}
