//! Writing summaries into the footers of files that lack a trusted one.

use std::path::Path;

use rayon::prelude::*;

use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::file_names::Name;
use crate::base::progress::Progress;
use crate::footer::{TailReader, splice};
use crate::fs::{atomic, platform};
use crate::reading::files::{self, Listing};
use crate::reading::scan;
use crate::segment::live_keys::{LIVE_KEYS, LiveKeys};
use crate::segment::live_set::Open;
use crate::summary::embedded::{self, Embedded};

/// What happened to one file.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It had a trusted summary and was left alone.
    Kept,
    /// It was published anew with a summary, for this reason.
    Written(String),
    /// It was left as it was.
    Failed(FileError),
}

/// What happened to each prediction file of a workspace, in name order.
///
/// Files are handled in parallel within the current thread pool; each is published atomically and
/// durably, or left as it was. Files that dead processes left behind are removed first.
pub fn rebuild(root: &Path, progress: &Progress) -> Result<Vec<(String, Outcome)>> {
    let Listing { files: names, errors, .. } = files::list(root, Open::LeftOut)?;
    let mut folders: Vec<_> =
        names.iter().filter_map(|name| Some(files::path_of(root, name).parent()?.to_path_buf())).collect();
    folders.dedup();
    folders.iter().try_for_each(|folder| atomic::sweep(folder))?;
    progress.expect(names.len());
    let failed = errors.into_iter().map(|error| Ok((error.path.clone(), Outcome::Failed(error))));
    let mut outcomes: Vec<Result<(String, Outcome)>> = names
        .into_par_iter()
        .map_init(TailReader::default, |tails, name| {
            let outcome = rebuild_file(&files::path_of(root, &name), tails)
                .unwrap_or_else(|error| Outcome::Failed(FileError::new(&name, &error)));
            progress.step()?;
            Ok((name, outcome))
        })
        .collect();
    outcomes.extend(failed);
    outcomes.into_iter().collect()
}

/// Adds a summary to one file, unless it has one that can be trusted.
///
/// A symbolic link stays: the file that it points to is published anew. Rows that name no dataset
/// belong to the one that the link is named after.
pub fn rebuild_file(path: &Path, tails: &mut TailReader) -> Result<Outcome> {
    let unnamed = scan::dataset_of(path);
    let path = path.canonicalize().map_err(|error| Error::io(path, error))?;
    match try_rebuild(&path, &unnamed, tails) {
        // Another process published the file meanwhile, perhaps with a summary: look again, once.
        Err(error) if error.kind == ErrorKind::Conflict => try_rebuild(&path, &unnamed, tails),
        result => result,
    }
}

fn try_rebuild(path: &Path, unnamed: &str, tails: &mut TailReader) -> Result<Outcome> {
    let mut file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let tail = tails.read_file(&file).map_err(|error| error.at(path))?;
    let mut footer = tail.footer().map_err(|error| error.at(path))?;
    let reason = match embedded::read(&footer) {
        Ok(Embedded::Trusted(sketch)) => match sketch.datasets() {
            Ok(_) => return Ok(Outcome::Kept),
            Err(error) => error.message,
        },
        Ok(Embedded::Untrusted(reason)) => reason,
        Ok(Embedded::Newer(reason)) => {
            return Err(Error::new(
                ErrorKind::Schema,
                format!("{reason}; it is not overwritten, update nirs4all-workspace"),
            )
            .at(path));
        }
        // Rebuilding is how such a disagreement is settled in favour of the table.
        Err(error) if error.kind == ErrorKind::Metric => error.message,
        Err(error) => return Err(error.at(path)),
    };
    // A new digest would prove what the old one refutes.
    let live_keys = LiveKeys::of(&footer, Name::of_path(path).as_ref()).map_err(|error| error.at(path))?;
    if live_keys == LiveKeys::default() {
        footer.forget(&LIVE_KEYS);
    }
    let again = file.try_clone().map_err(|error| Error::io(path, error))?;
    let datasets = scan::scan(path, again, unnamed)?;
    let keys = embedded::write(&datasets, &footer).map_err(|error| error.at(path))?;
    splice(path, &mut file, &tail, &footer, &keys)?;
    Ok(Outcome::Written(reason))
}
