//! What a check finds.

use std::path::Path;

use crate::base::error::{Error, FileError, Result};
use crate::decode::chunk_checks::FileChecks;
use crate::footer::TailReader;
use crate::fs::platform;

/// The kinds of findings beside those of errors; append-only.
pub const KINDS: [&str; 13] = [
    "dangling",
    "diverged",
    "incomplete",
    "interrupted",
    "lacking",
    "leftover",
    "outgrown",
    "overlapping",
    "partial",
    "repeated",
    "torn",
    "unreadable",
    "untrusted_summary",
];

/// One thing that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The file concerned, relative to the workspace.
    pub path: String,
    /// A problem, or only worth a note.
    pub is_problem: bool,
    /// One of [`KINDS`], or the kind of an error.
    pub kind: &'static str,
    /// What it is and what can be done.
    pub message: String,
}

impl From<FileError> for Finding {
    fn from(error: FileError) -> Self {
        Self { path: error.path, is_problem: true, kind: error.kind.name(), message: error.message }
    }
}

/// Checks all bytes of a file before its footer.
pub(crate) fn check_whole(path: &Path) -> Result<()> {
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let checked = TailReader::default().read_file(&file).and_then(|tail| {
        let checks = FileChecks::of(path, tail.identity, &tail.footer()?)?;
        checks.check_all(&file)
    });
    checked.map_err(|error| error.at(path))
}
