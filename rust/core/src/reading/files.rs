//! The prediction files of a workspace.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::old_files;
use crate::base::error::{FileError, Result};
use crate::base::file_names::{Name, SUFFIX, is_of_predictions, is_prediction_file};
use crate::fs::{FileType, folders};
use crate::segment::file_results::Memory;
use crate::segment::hidden_rows::Hidden;
use crate::segment::live_set::Open;
use crate::segment::resolve;

/// A listing that took longer may have missed a file that was replaced meanwhile, and is repeated.
const SLOW_LISTING: Duration = Duration::from_secs(5);

/// What lies in a workspace.
#[derive(Debug, Default)]
pub struct Listing {
    /// Prediction files, relative to the workspace, in name order.
    pub files: Vec<String>,
    /// The rows of some of them that are not live; of all others every row is.
    pub hidden: HashMap<String, Arc<Hidden>>,
    /// Folders of `predictions` that could not be listed.
    pub errors: Vec<FileError>,
}

/// The prediction files of a workspace.
///
/// Files of nirs4all 0.6 lie in the root as `<dataset>.meta.parquet`, or deeper where that has slashes, segments of
/// format 2 in `predictions/<folder>/`. Hidden files are none; what is not live is left out, see
/// [`resolve::resolve_live`].
pub fn list(root: &Path, open: Open) -> Result<Listing> {
    for _ in 0..3 {
        let began = Instant::now();
        let listing = list_once(root, open)?;
        if began.elapsed() < SLOW_LISTING {
            return Ok(listing);
        }
    }
    list_once(root, open)
}

fn list_once(root: &Path, open: Open) -> Result<Listing> {
    let mut listing = Listing::default();
    let memory = Memory::of(root);
    let trash = folders::trashed(root, &mut listing.errors);
    let names = folders::entries(root)?;
    if names.iter().any(|(name, _)| name == "predictions") {
        let list = |folder: String| {
            let mut listing = Listing::default();
            listing.add_segments(root, &format!("predictions/{folder}"), &trash, open, &memory);
            listing
        };
        let folders = folders::folders(root, "predictions").into_names(&mut listing.errors);
        for folder in folders.into_par_iter().map(list).collect::<Vec<_>>() {
            listing.files.extend(folder.files);
            listing.hidden.extend(folder.hidden);
            listing.errors.extend(folder.errors);
        }
    }
    memory.store(None);
    listing.add_old(root, names);
    listing.files.sort_unstable();
    Ok(listing)
}

/// Those of [`list`] that lie in one folder: `predictions/<dataset>`, or all of nirs4all 0.6 (`""`).
pub fn list_folder(root: &Path, folder: &str, open: Open) -> Result<Listing> {
    let mut listing = Listing::default();
    if folder.is_empty() {
        listing.add_old(root, folders::entries(root)?);
    } else {
        let trash = folders::trashed(root, &mut listing.errors);
        let memory = Memory::of(root);
        listing.add_segments(root, folder, &trash, open, &memory);
        memory.store(Some(folder));
    }
    listing.files.sort_unstable();
    Ok(listing)
}

impl Listing {
    /// Adds the files of nirs4all 0.6, which lie in the workspace itself, or deeper.
    fn add_old(&mut self, root: &Path, names: Vec<(OsString, Option<FileType>)>) {
        let mut texts = Vec::with_capacity(names.len());
        for (name, _) in names {
            match name.into_string() {
                Ok(name) => texts.push(name),
                Err(name) if is_prediction_file(&name.to_string_lossy()) => {
                    self.errors.push(folders::no_utf8("", &name));
                }
                Err(_) => {}
            }
        }
        let deeper = old_files::deeper(root, &texts, SUFFIX, &mut self.errors);
        self.files.extend(deeper.into_iter().filter(|path| is_old(path)));
        self.files.extend(texts.into_iter().filter(|name| is_prediction_file(name)));
    }

    /// Adds what is live of a folder of `predictions`, runs in the trash left out.
    fn add_segments(
        &mut self,
        root: &Path,
        folder: &str,
        trash: &HashSet<String>,
        open: Open,
        memory: &Memory,
    ) {
        let is_deleted =
            |file: &str| !trash.is_empty() && Name::of(file).is_some_and(|name| trash.contains(&name.run_id));
        let names = folders::list(root, folder, is_of_predictions).into_names(&mut self.errors);
        let names = names.into_iter().filter(|file| is_of_predictions(file) && !is_deleted(file)).collect();
        let live_set = resolve::resolve_live_with(&root.join(folder), names, open, Some(memory));
        let journals = if open == Open::Live { live_set.journals } else { Vec::new() };
        let path = |file: String| format!("{folder}/{file}");
        self.files.extend(live_set.files.into_iter().chain(journals).map(path));
        self.hidden.extend(live_set.hidden.into_iter().map(|(file, hidden)| (path(file), hidden)));
        let errors = live_set.errors.into_iter();
        self.errors.extend(errors.map(|(file, error)| FileError::new(&path(file), &error)));
    }
}

/// The path of a listed file.
pub fn path_of(root: &Path, file: &str) -> PathBuf {
    root.join(file)
}

/// The prediction files of nirs4all 0.6, relative to the workspace, in name order.
pub fn list_old(root: &Path, errors: &mut Vec<FileError>) -> Vec<String> {
    old_files::list(root, SUFFIX, errors).into_iter().filter(|path| is_old(path)).collect()
}

/// Whether a path that ends as a prediction file's is that of one.
fn is_old(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(is_prediction_file)
}

/// The folders in `predictions`, in name order; what cannot be looked at there is added to the errors.
pub fn prediction_folders(root: &Path, errors: &mut Vec<FileError>) -> Vec<String> {
    folders::folders(root, "predictions").into_names(errors)
}

/// The names in a folder of `predictions`, likewise.
pub fn names_of_predictions(root: &Path, folder: &str, errors: &mut Vec<FileError>) -> Vec<String> {
    folders::list(root, &format!("predictions/{folder}"), is_of_predictions).into_names(errors)
}
