//! A bounded piece of an order: the rows from a key on, up to a place where there is room no more.

use std::collections::HashMap;

use super::entry::Entry;
use super::file_snapshot::FileSnapshot;
use super::groups::Groups;
use super::keys::{Key, after};

/// The rows from a key on, up to a place where there is room no more.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    pub(super) lower: Key,
    /// What is not there any more, and all after it; `None` where all is there.
    pub(super) end: Option<Key>,
    /// What is known of each file, by name.
    pub(super) counts: HashMap<String, FileCounts>,
    pub(super) sum: Counts,
    /// Where it is the first: rows by key, if there are few keys.
    pub(super) groups: Option<Groups>,
    /// In the order of their keys.
    pub(super) entries: Vec<Entry>,
}

/// Rows of a file.
#[derive(Clone, Debug)]
pub(super) struct FileCounts {
    /// As it was read.
    pub(super) listed: FileSnapshot,
    /// Its place then.
    pub(super) place: u32,
    pub(super) counts: Counts,
    /// By key, in the first window of all rows that fit.
    pub(super) groups: Option<Groups>,
}

/// Rows of smaller keys than a window's first, with that key, and in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) below: u64,
    pub(super) equal: u64,
    pub(super) total: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.below += other.below;
        self.equal += other.equal;
        self.total += other.total;
    }
}

impl Window {
    /// The place after its last row.
    pub(super) fn until(&self) -> u64 {
        self.sum.below + if self.is_one_key() { self.sum.equal } else { self.entries.len() as u64 }
    }

    /// Whether its first key has more rows than there is room for.
    pub(super) fn is_one_key(&self) -> bool {
        self.end == Some(self.lower)
    }

    pub(super) fn contains(&self, place: u64) -> bool {
        place >= self.sum.below && (place < self.until() || self.end.is_none())
    }

    /// Where the window after it begins.
    pub(super) fn next(&self) -> Option<Key> {
        self.end.map(|end| if self.is_one_key() { after(end) } else { end })
    }

    /// The window of one key that has more rows than `ties`, where it is known how many have it.
    pub(super) fn one_key(&self, key: Key, ties: u64) -> Option<Self> {
        self.groups.as_ref().filter(|groups| groups.around(key).1 > ties)?;
        let mut window = Self { lower: key, end: Some(key), ..Self::default() };
        for (name, file) in &self.counts {
            let (below, equal) = file.groups.as_ref()?.around(key);
            let counts = Counts { below, equal, total: file.counts.total };
            window.sum.add(counts);
            window.counts.insert(name.clone(), FileCounts { counts, groups: None, ..file.clone() });
        }
        Some(window)
    }

    /// Its files that have rows of one key.
    pub(super) fn files_of(&self, key: Key) -> Vec<usize> {
        let has_rows = |file: &&FileCounts| file.counts.equal > 0;
        let mut files: Vec<usize> = if self.is_one_key() {
            self.counts.values().filter(has_rows).map(|file| file.place as usize).collect()
        } else {
            self.entries[self.group(key)].iter().map(|entry| entry.file as usize).collect()
        };
        files.sort_unstable();
        files.dedup();
        files
    }

    pub(super) fn group(&self, key: Key) -> std::ops::Range<usize> {
        let start = self.entries.partition_point(|entry| entry.key < key);
        start..self.entries.partition_point(|entry| entry.key <= key)
    }
}

/// The first rows that were offered, with the keys before some end.
pub(super) struct Collector {
    pub(super) entries: Vec<Entry>,
    pub(super) end: Option<Key>,
}

impl Collector {
    pub(super) fn shrink(&mut self, rows: usize) {
        if self.entries.len() > rows {
            let (_, first_out, _) = self.entries.select_nth_unstable_by_key(rows, |entry| entry.key);
            let end = first_out.key;
            self.end = Some(end);
            self.entries.retain(|entry| entry.key < end);
        }
    }
}
