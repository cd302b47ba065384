//! What lies in the folders of a workspace. One that cannot be listed is one error beside what the others hold.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, FileType};
use std::io;
use std::path::Path;

use super::regular;
use crate::base::error::{Error, FileError, Result, corrupt};
use crate::base::file_names::TRASH;

/// Names in a folder, and what of it cannot be looked at.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Those that are UTF-8, sorted.
    pub names: Vec<String>,
    /// Relative to the workspace.
    pub errors: Vec<FileError>,
}

impl Names {
    /// The names; the errors go to others.
    pub fn into_names(self, errors: &mut Vec<FileError>) -> Vec<String> {
        add_errors(errors, self.errors);
        self.names
    }
}

/// Adds errors that are not there yet: several looks at one thing give equal errors.
pub fn add_errors(errors: &mut Vec<FileError>, more: impl IntoIterator<Item = FileError>) {
    for error in more {
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
}

/// The names in one of the folders that a workspace has (`runs`, `predictions/<folder>`), relative to it. None where
/// it is missing; where it is anything but a folder, or may not be searched, that is an error. Of names that are
/// no UTF-8 those are errors that `is_ours` of what can be read of them.
pub fn list(root: &Path, below: &str, is_ours: fn(&str) -> bool) -> Names {
    let (found, errors) = with_kinds(root, below, is_ours);
    Names { names: found.into_iter().map(|(name, _)| name).collect(), errors }
}

/// The names in a folder of a workspace, with what the listing says of the kind of each.
fn with_kinds(
    root: &Path,
    below: &str,
    is_ours: fn(&str) -> bool,
) -> (Vec<(String, Option<FileType>)>, Vec<FileError>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    match entries(&root.join(below)) {
        Err(error) => errors.extend(blame(root, below, &error)),
        Ok(entries) => {
            for (name, kind) in entries {
                match name.into_string() {
                    Ok(name) => found.push((name, kind)),
                    Err(name) if is_ours(&name.to_string_lossy()) => {
                        errors.push(no_utf8(below, &name));
                    }
                    Err(_) => {}
                }
            }
        }
    }
    found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    (found, errors)
}

/// What keeps a folder from being listed: itself, or the first on the way to it that cannot be searched. `None`
/// where one of them is missing.
pub(crate) fn blame(root: &Path, below: &str, error: &Error) -> Option<FileError> {
    let ends = below.match_indices('/').map(|(end, _)| end).chain([below.len()]);
    for part in ends.map(|end| &below[..end]) {
        let path = root.join(part);
        if let Err(error) = path.join(".").metadata() {
            let error = Error::pathless(regular::explained_folder(&path, error));
            return (!FileError::is_vanished(&error)).then(|| FileError::new(part, &error));
        }
    }
    (!FileError::is_vanished(error)).then(|| FileError::new(below, error))
}

/// The error of a file, or of the first folder on the way to it that cannot be searched.
pub(crate) fn error_of_file(root: &Path, below: &str, error: &Error) -> FileError {
    let folder = below.rsplit_once('/').and_then(|(folder, _)| {
        let is_searched = root.join(folder).join(".").metadata().is_ok();
        if is_searched { None } else { blame(root, folder, error) }
    });
    folder.unwrap_or_else(|| FileError::new(below, error))
}

/// The folders in one of the folders that a workspace has. Files among them are left alone; what is neither, or
/// cannot be looked at, is an error.
pub fn folders(root: &Path, below: &str) -> Names {
    let (names, errors) = with_kinds(root, below, |name| !name.starts_with('.'));
    let mut found = Names { names: Vec::with_capacity(names.len()), errors };
    for (name, kind) in names {
        let relative = join(below, &name);
        let error = match kind {
            Some(kind) if kind.is_dir() => None,
            Some(kind) if kind.is_file() && !looks_like_ours(&name) => continue,
            _ => match what_is(&root.join(&relative)) {
                Ok(What::Folder) => None,
                Ok(What::File) if looks_like_ours(&name) => {
                    Some(regular::not_a_folder(&root.join(&relative)))
                }
                Ok(_) => continue,
                Err(error) => Some(error),
            },
        };
        match error {
            None => found.names.push(name),
            Some(_) if name.starts_with('.') => {}
            Some(error) => found.errors.push(FileError::new(&relative, &Error::pathless(error))),
        }
    }
    found
}

/// The ids of the runs that are being deleted: those in the trash that are nowhere else.
pub fn trashed(root: &Path, errors: &mut Vec<FileError>) -> HashSet<String> {
    let names = list(root, TRASH, |_| false).into_names(errors).into_iter();
    names.filter(|name| root.join("runs").join(name).symlink_metadata().is_err()).collect()
}

/// What lies at a path, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Folder,
    File,
    /// It vanished.
    Nothing,
}

fn what_is(path: &Path) -> io::Result<What> {
    match path.metadata() {
        Ok(stat) if stat.is_dir() => Ok(What::Folder),
        Ok(stat) if stat.is_file() => Ok(What::File),
        Ok(_) => Err(regular::not_a_folder(path)),
        Err(error) => match regular::explained(path, error) {
            error if error.kind() == io::ErrorKind::NotFound => Ok(What::Nothing),
            error => Err(error),
        },
    }
}

/// Whether a name ends with the digits that those of our folders end with: one called so is no file of anybody else's.
fn looks_like_ours(name: &str) -> bool {
    let digits = name.rsplit('_').next().unwrap_or_default();
    matches!(digits.len(), 6 | 8 | 12) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The names in a folder. One that may be listed and not searched is an error at once: so would each of its files be.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(OsString, Option<FileType>)>> {
    let fail = |error| Error::io(folder, regular::explained_folder(folder, error));
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(fail)? {
        let entry = entry.map_err(fail)?;
        names.push((entry.file_name(), entry.file_type().ok()));
    }
    if !names.is_empty() {
        folder.join(".").symlink_metadata().map_err(fail)?;
    }
    Ok(names)
}

/// What lies in a folder, whatever it is called.
pub fn children(folder: &Path) -> Result<Vec<DirEntry>> {
    let entries = folder.read_dir().map_err(|error| Error::io(folder, error))?;
    entries.map(|entry| entry.map_err(|error| Error::io(folder, error))).collect()
}

/// The error of a name in a folder of a workspace.
pub fn no_utf8(below: &str, name: &OsStr) -> FileError {
    let error = corrupt("has a name that is no UTF-8, and was left out; rename it");
    FileError::new(&join(below, &shown(name)), &error)
}

fn join(below: &str, name: &str) -> String {
    if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") }
}

/// Stands for the byte 0 where a name is no UTF-8, the 255 after it for the others: among private characters, of
/// which no name that is UTF-8 has any reason to have one.
pub const FIRST_BYTE: u32 = 0x10_F000;

/// A name with a private character for each byte that is no UTF-8; `os.fsdecode` has a surrogate in its place.
#[cfg(unix)]
pub fn shown(name: &OsStr) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(FIRST_BYTE + u32::from(*byte))));
    }
    text
}

/// A name as it can be shown: names are no bytes here.
#[cfg(not(unix))]
pub fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// The names in a folder that are UTF-8, sorted; none where it is missing.
pub fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = match entries(folder) {
        Err(error) if FileError::is_vanished(&error) => Vec::new(),
        names => names?,
    };
    names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    Ok(names.into_iter().filter_map(|(name, _)| name.into_string().ok()).collect())
}
