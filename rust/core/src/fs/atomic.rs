//! Files that readers see whole or not at all.
//!
//! A temporary file in the same folder is written, fsynced, renamed over the target (or created
//! exclusively), and the folder is fsynced. The temporary file is locked by its writer, so that
//! [`sweep`] can tell what a dead process left from what a living one is writing.

use std::fs::{File, Metadata};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::{Builder, NamedTempFile};

use super::platform;
use crate::base::error::{Error, ErrorKind, Result};

const TEMP_PREFIX: &str = ".n4w-";
const TEMP_SUFFIX: &str = ".tmp";

/// A file that is being written beside its target.
pub struct Draft {
    temp: NamedTempFile,
    target: PathBuf,
}

impl Draft {
    /// Begins a file that will be published as `target`.
    pub fn begin(target: &Path) -> Result<Self> {
        let folder = folder_of(target);
        let temp = temp_in(folder).map_err(|error| Error::io(target, error))?;
        // Where the file system has no locks, sweep finds none either and leaves the file alone.
        let _ = temp.as_file().try_lock();
        Ok(Self { temp, target: target.to_path_buf() })
    }

    /// The open temporary file.
    pub fn file(&mut self) -> &mut File {
        self.temp.as_file_mut()
    }

    /// Gives the draft the owner, as far as that is allowed, and the permissions of the file that it
    /// will replace.
    pub fn belong_like(&self, replaced: &Metadata) -> Result<()> {
        platform::set_owner_like(self.temp.as_file(), replaced);
        let file = self.temp.as_file();
        file.set_permissions(replaced.permissions()).map_err(|error| Error::io(&self.target, error))
    }

    /// Makes the content durable. Nothing is visible under the target's name yet.
    pub fn sync(&self) -> Result<()> {
        self.temp.as_file().sync_all().map_err(|error| Error::io(&self.target, error))
    }

    /// Replaces the target by the draft and makes the name durable.
    pub fn replace(self) -> Result<()> {
        let target = self.target;
        self.temp.persist(&target).map_err(|error| Error::io(&target, error.error))?;
        sync_entry(&target)
    }

    /// Publishes the draft under a name that is not taken, and makes the name durable.
    pub fn create(self) -> Result<()> {
        let target = self.target.clone();
        self.create_as(&target)
    }

    /// Publishes the draft under another name on the same file system, one that was learnt while writing.
    pub fn create_as(self, target: &Path) -> Result<()> {
        self.temp.persist_noclobber(target).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::new(ErrorKind::Conflict, "exists already").at(target),
            _ => Error::io(target, error.error),
        })?;
        sync_entry(target)
    }
}

/// A temporary file that others may read as far as the umask allows, like any file of a workspace.
///
/// It is opened here because the crate's own opening forgets the number of the system's error.
pub(crate) fn temp_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    Builder::new().prefix(TEMP_PREFIX).suffix(TEMP_SUFFIX).make_in(folder, platform::create_new)
}

/// Replaces `target` by `content`, durably: a reader sees the old or the new, whatever dies.
pub fn replace(target: &Path, content: &[u8]) -> Result<()> {
    written(target, content)?.replace()
}

/// Creates `target` with `content`, durably, or fails with [`ErrorKind::Conflict`] where it exists.
pub fn create(target: &Path, content: &[u8]) -> Result<()> {
    written(target, content)?.create()
}

fn written(target: &Path, content: &[u8]) -> Result<Draft> {
    let mut draft = Draft::begin(target)?;
    draft.file().write_all(content).map_err(|error| Error::io(target, error))?;
    draft.sync()?;
    Ok(draft)
}

/// A writer creates its file and then locks it; a file this young may be between the two.
const NEWBORN: Duration = Duration::from_secs(10);

/// The temporary files in `folder` whose writers are gone.
pub fn leftovers(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with(TEMP_PREFIX) && name.ends_with(TEMP_SUFFIX)) {
            continue;
        }
        let path = entry.path();
        let abandoned = platform::open(&path).is_ok_and(|file| {
            let Ok(stat) = file.metadata() else { return false };
            let age = stat.modified().ok().and_then(|time| time.elapsed().ok());
            stat.is_file() && age.is_some_and(|age| age > NEWBORN) && file.try_lock().is_ok()
        });
        if abandoned {
            found.push(path);
        }
    }
    Ok(found)
}

/// Removes the temporary files in `folder` whose writers are gone.
pub fn sweep(folder: &Path) -> Result<()> {
    for path in leftovers(folder)? {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes a folder and those above it where they are missing, durably.
pub fn make_folder(folder: &Path) -> Result<()> {
    match std::fs::create_dir(folder) {
        // A folder whose name may not last must not be found there by the next try.
        Ok(()) => sync_entry(folder).inspect_err(|_| drop(std::fs::remove_dir(folder))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !folder_of(folder).is_dir() => {
            make_folder(folder_of(folder))?;
            make_folder(folder)
        }
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(Error::io(folder, error)),
    }
}

/// Makes the entry of `target` in its folder durable.
pub fn sync_entry(target: &Path) -> Result<()> {
    let folder = folder_of(target);
    platform::sync_folder(folder).map_err(|error| Error::io(folder, error))
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Gives a complete folder its name, durably, or fails with [`ErrorKind::Conflict`] where it is taken.
///
/// Both names must lie on one file system; the folder is not empty, as a rename onto an empty one succeeds.
pub fn move_folder(from: &Path, to: &Path) -> Result<()> {
    platform::sync_folder(from).map_err(|error| Error::io(from, error))?;
    std::fs::rename(from, to).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::DirectoryNotEmpty => {
            Error::new(ErrorKind::Conflict, "exists already").at(to)
        }
        _ => Error::io(from, error),
    })?;
    sync_entry(to)?;
    if folder_of(from) == folder_of(to) { Ok(()) } else { sync_entry(from) }
}

/// Gives a file another name in its folder, durably.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| Error::io(from, error))?;
    sync_entry(from)
}

/// Removes a file; one that is gone already is no error.
pub fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, error)),
        _ => Ok(()),
    }
}
