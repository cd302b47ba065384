//! The prediction files of a workspace.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// What a prediction file's name ends with.
pub const SUFFIX: &str = ".meta.parquet";
/// Of results that were never finished; read on request only.
const PARTIAL_SUFFIX: &str = ".partial.meta.parquet";
/// A listing that took longer may have missed a file that was replaced meanwhile, and is repeated.
const SLOW_LISTING: Duration = Duration::from_secs(5);

/// One file that could not be used.
#[derive(Clone, Debug)]
pub struct FileError {
    /// Relative to the workspace, with slashes.
    pub path: String,
    /// What happened.
    pub kind: ErrorKind,
    /// What happened, for people.
    pub message: String,
}

impl FileError {
    /// What happened to a file.
    pub fn new(path: &str, error: &Error) -> Self {
        Self { path: path.to_owned(), kind: error.kind, message: error.message.clone() }
    }

    /// Whether the file is no longer there.
    pub fn is_vanished(error: &Error) -> bool {
        error.source.as_ref().is_some_and(|source| source.kind() == io::ErrorKind::NotFound)
    }
}

/// What lies in a workspace.
#[derive(Debug, Default)]
pub struct Listing {
    /// Prediction files, relative to the workspace, in name order.
    pub files: Vec<String>,
    /// Folders of `predictions` that could not be listed.
    pub errors: Vec<FileError>,
}

/// The prediction files of a workspace.
///
/// Files of nirs4all 0.6 lie in the root as `<dataset>.meta.parquet`, segments of format 2 in
/// `predictions/<folder>/`. Hidden files are none.
pub fn list(root: &Path) -> Result<Listing> {
    for _ in 0..3 {
        let began = Instant::now();
        let listing = list_once(root)?;
        if began.elapsed() < SLOW_LISTING {
            return Ok(listing);
        }
    }
    list_once(root)
}

fn list_once(root: &Path) -> Result<Listing> {
    let mut listing = Listing::default();
    for name in entries(root)? {
        if name == "predictions" {
            for folder in listing.inside(root, &name) {
                let folder = format!("{name}/{folder}");
                let inner = listing.inside(root, &folder);
                let files = inner.into_iter().filter(|file| is_prediction_file(file));
                listing.files.extend(files.map(|file| format!("{folder}/{file}")));
            }
        } else if is_prediction_file(&name) {
            listing.files.push(name);
        }
    }
    listing.files.sort_unstable();
    Ok(listing)
}

impl Listing {
    /// Names in a folder; none where it is a file or has just vanished, or where that is an error.
    fn inside(&mut self, root: &Path, folder: &str) -> Vec<String> {
        let kind = |error: &Error| error.source.as_ref().map(io::Error::kind);
        entries(&root.join(folder)).unwrap_or_else(|error| {
            if !matches!(kind(&error), Some(io::ErrorKind::NotADirectory | io::ErrorKind::NotFound)) {
                self.errors.push(FileError::new(folder, &error));
            }
            Vec::new()
        })
    }
}

/// The path of a listed file.
pub fn path_of(root: &Path, file: &str) -> PathBuf {
    root.join(file)
}

fn is_prediction_file(name: &str) -> bool {
    name.ends_with(SUFFIX) && !name.ends_with(PARTIAL_SUFFIX) && !name.starts_with('.')
}

/// Names in a folder; those that are no UTF-8 cannot be a prediction file's, which this package names.
fn entries(folder: &Path) -> Result<Vec<String>> {
    let fail = |error| Error::io(folder, error);
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(fail)? {
        names.extend(entry.map_err(fail)?.file_name().into_string());
    }
    Ok(names)
}
