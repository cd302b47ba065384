//! What one folder of records says, for as long as the stat of its files is unchanged.

use std::collections::HashMap;
use std::sync::Arc;

use super::entry::Entry;
use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::fs::platform::Folder;
use crate::fs::stat::{self, Identity};
use crate::yaml;
use crate::yaml::tree::Tree;

/// Whether an error is one of the file's content, which stays for as long as that does.
pub fn is_cacheable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::Schema | ErrorKind::Version)
}

/// What one folder says: that of a run, or that of a configuration of nirs4all 0.6.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// Relative to the workspace.
    pub(crate) path: String,
    /// Of each file that it is made of, in order.
    pub(crate) stats: Vec<Option<Identity>>,
    /// When they were read, ns since 1970.
    pub(crate) read_at: i64,
    pub(crate) entry: Option<Arc<Entry>>,
    pub(crate) errors: Vec<FileError>,
}

impl Unit {
    pub(crate) fn is_unchanged(&self, stats: &[Option<Identity>]) -> bool {
        self.stats == stats && self.is_settled()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.stats.iter().flatten().all(|stat| stat.settled_at(self.read_at))
            && self.errors.iter().all(|error| is_cacheable(error.kind))
    }
}

pub(crate) type Known = HashMap<String, Arc<Unit>>;

/// Reads folders of records, or remembers them.
pub(super) struct UnitReader<'a> {
    pub(crate) folder: Folder,
    pub(crate) known: &'a Known,
}

impl UnitReader<'_> {
    /// What a folder said before, where its files are unchanged; else what they say now, and then true. `None`
    /// where the first of its files is missing. A file of its own has no name in it.
    pub(crate) fn unit<const N: usize>(
        &self,
        path: &str,
        files: [&str; N],
        read: impl FnOnce([Snapshot; N], &mut Unit),
    ) -> Option<(Arc<Unit>, bool)> {
        let read_at = now_ns();
        let below = |file: &str| if file.is_empty() { path.to_owned() } else { format!("{path}/{file}") };
        if let Some(unit) = self.known.get(path)
            && unit.is_unchanged(&files.map(|file| self.folder.identity(&below(file))))
        {
            return Some((unit.clone(), false));
        }
        let snapshots = files.map(|file| Snapshot::read(&self.folder, &below(file)));
        if snapshots[0].bytes.as_ref().is_err_and(FileError::is_vanished) {
            return None;
        }
        let stats = snapshots.iter().map(|snapshot| snapshot.stat).collect();
        let mut unit = Unit { path: path.to_owned(), stats, read_at, entry: None, errors: Vec::new() };
        let is_refused = snapshots[0].bytes.as_ref().is_err_and(|error| error.kind == ErrorKind::Io);
        // A file of its own is to blame itself.
        let is_folder = files.iter().any(|file| !file.is_empty());
        let searched = if is_refused && is_folder { self.folder.search(path) } else { Ok(()) };
        match searched {
            // The folder is to blame, not each of its files.
            Err(error) => unit.errors.push(FileError::new(path, &Error::pathless(error))),
            Ok(()) => read(snapshots, &mut unit),
        }
        Some((Arc::new(unit), true))
    }
}

/// A file of a unit, as it was at one moment.
pub(crate) struct Snapshot {
    /// Of a regular file that could be opened.
    stat: Option<Identity>,
    pub(crate) bytes: Result<Vec<u8>>,
}

impl Snapshot {
    fn read(folder: &Folder, below: &str) -> Self {
        let opened = folder.open_file(below).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((metadata, file)) => {
                let stat = stat::identity(&metadata);
                Self { stat: Some(stat), bytes: yaml::bytes_of(&file, stat.size) }
            }
            Err(error) => Self { stat: None, bytes: Err(Error::pathless(error)) },
        }
    }

    /// The mapping that it holds.
    pub(crate) fn tree(self) -> Result<Tree> {
        yaml::parse(&self.bytes?)
    }
}
