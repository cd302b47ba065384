//! Prediction files that are kept open, and files that must still be those that were listed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use crate::base::error::{Error, Result};
use crate::fs::stat::{self, Identity};
use crate::fs::{File, platform};

/// More files are not kept open: a process may have no more than some thousand.
pub(super) const MOST_HELD: usize = 256;

/// Files that a reader holds open, by path.
type Held = HashMap<PathBuf, (Identity, Weak<File>)>;

static HELD: Mutex<Option<Held>> = Mutex::new(None);

pub(super) fn hold(path: &Path, identity: Identity, file: File) -> Arc<File> {
    let file = Arc::new(file);
    with_held(|held| {
        if held.len() > 2 * MOST_HELD {
            held.retain(|_, (_, file)| file.strong_count() > 0);
        }
        held.insert(path.to_path_buf(), (identity, Arc::downgrade(&file)));
    });
    file
}

/// `None` where a fork has left the lock taken for good: then nothing is held.
fn with_held<T>(work: impl FnOnce(&mut Held) -> T) -> Option<T> {
    for _ in 0..10_000 {
        if let Ok(mut held) = HELD.try_lock() {
            return Some(work(held.get_or_insert_default()));
        }
        std::thread::yield_now();
    }
    None
}

/// Opens a file that must still be the one that was listed.
pub fn open_same(path: &Path, identity: Identity) -> Result<File> {
    let held = with_held(|held| held.get(path).filter(|(of, _)| *of == identity)?.1.upgrade());
    if let Some(file) = held.flatten().and_then(|file| file.try_clone().ok()) {
        return Ok(file);
    }
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
    if stat::identity(&metadata) == identity {
        return Ok(file);
    }
    // For who lists again, as if it were gone.
    let error = std::io::Error::new(std::io::ErrorKind::NotFound, "the file changed while it was read");
    Err(Error::io(path, error))
}
