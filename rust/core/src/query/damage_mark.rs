//! Which frames of open segments were given up when they were read last.
//!
//! A row's place in a journal counts the rows before it, those of frames that are given up left out. A disk can
//! lose a frame without a trace in the stat of its file: what was read tells.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use twox_hash::XxHash3_64;

use crate::segment::journal::Reading;

/// By path; journals without damage are left out.
static MARKS: Mutex<Option<HashMap<PathBuf, i64>>> = Mutex::new(None);

/// What is known of a journal: 0 where nothing in it is damaged.
pub fn of(path: &Path) -> i64 {
    with_marks(|marks| marks.get(path).copied()).flatten().unwrap_or(0)
}

/// Remembers what was given up in a journal, and gives its mark.
pub fn set(path: &Path, reading: &Reading) -> i64 {
    if reading.lost.is_empty() {
        with_marks(|marks| marks.remove(path));
        return 0;
    }
    let offsets: Vec<u8> = reading.lost.iter().flat_map(|lost| lost.offset.to_le_bytes()).collect();
    // Not 0, and no time of a change that is yet to come.
    let mark = (XxHash3_64::oneshot(&offsets) >> 1) as i64 | 1;
    with_marks(|marks| marks.insert(path.to_path_buf(), mark));
    mark
}

/// `None` where a fork has left the lock taken for good: then a damaged journal is read as one that changes.
fn with_marks<T>(work: impl FnOnce(&mut HashMap<PathBuf, i64>) -> T) -> Option<T> {
    for _ in 0..10_000 {
        if let Ok(mut marks) = MARKS.try_lock() {
            return Some(work(marks.get_or_insert_default()));
        }
        std::thread::yield_now();
    }
    None
}
