//! Only regular files are opened: a pipe would wait for its other end, a device would do something else.
//!
//! Files are opened by [`super::platform`], without waiting, and looked at here once they are open, so that
//! what is asked is what is read.

use std::fs::{File, FileType};
use std::io;
use std::path::Path;

use crate::base::special_files::{EISDIR, ENOENT, ENOTDIR, ENXIO, told};

/// The file that was opened, if it is a regular one; else why it cannot be read.
pub fn opened(path: &Path, opened: io::Result<File>) -> io::Result<File> {
    let file = opened.map_err(|error| explained(path, error))?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() { Ok(file) } else { Err(refused(what(kind))) }
}

/// What the system said of a path, told more exactly: a link to nothing is there, and a socket cannot be opened.
///
/// Neither is told as something that is not there: a file that vanished is another thing.
pub fn explained(path: &Path, error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound && is_link(path) {
        return told("a link to what is not there", "file", ENOENT);
    }
    if error.raw_os_error() == Some(ENXIO)
        && let Ok(metadata) = path.metadata()
        && !metadata.is_file()
    {
        return refused(what(metadata.file_type()));
    }
    error
}

/// What the system said of a folder that cannot be listed: another thing in its place is there.
pub fn explained_folder(path: &Path, error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotADirectory if path.symlink_metadata().is_ok() => not_a_folder(path),
        io::ErrorKind::NotFound if is_link(path) => told("a link to what is not there", "folder", ENOENT),
        _ => error,
    }
}

/// The error of what is a file, or a pipe, where a folder should be.
pub fn not_a_folder(path: &Path) -> io::Error {
    let special = path
        .metadata()
        .ok()
        .map(|metadata| metadata.file_type())
        .filter(|kind| !kind.is_file() && !kind.is_dir());
    told(special.map_or("a file", what), "folder", ENOTDIR)
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}

fn refused(what: &'static str) -> io::Error {
    let number = if what == FOLDER { EISDIR } else { ENXIO };
    told(what, "file", number)
}

const FOLDER: &str = "a folder";

#[cfg(unix)]
fn what(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_dir() => FOLDER,
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn what(kind: FileType) -> &'static str {
    if kind.is_dir() { FOLDER } else { "a device" }
}
