//! The cache: what is stored comes back, what is damaged is as good as none.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use std::path::PathBuf;

use common::{METRICS, Rng, added, predictions};
use n4w_core::fs::stat::{Identity, RACY_NS};
use n4w_core::reading::cache::{self, Entries, Entry, FILES, SCANS, Seen, WHOLE};
use n4w_core::summary::Datasets;
use tempfile::TempDir;

fn entry(name: &str, seed: u64) -> Entry {
    let datasets = Datasets::from([(name.to_owned(), added(&predictions(seed, 30, &METRICS)))]);
    let identity = Identity { size: seed, mtime_ns: -5, ctime_ns: 7, inode: u64::MAX };
    let files = [format!("{name}.meta.parquet"), "ünïcode".to_owned()];
    let files = files.map(|file| Seen { file, identity, read_at: 1_700_000_000_000_000_000 });
    let scanned = vec![(format!("{name}.meta.parquet"), "no summary in the footer".to_owned())];
    Entry::new(files.into(), scanned, &datasets)
}

fn filled() -> Entries {
    ["wheat", "maize", "soil"]
        .into_iter()
        .zip(0..)
        .flat_map(|(name, seed)| entry(name, seed).by_name())
        .collect()
}

fn sorted(entries: &Entries) -> String {
    format!("{:?}", entries.iter().collect::<std::collections::BTreeMap<_, _>>())
}

fn stored() -> (TempDir, PathBuf, Vec<u8>) {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("workspace.yaml"), "").unwrap();
    cache::store(root.path(), FILES, &filled());
    let path = root.path().join(".cache").join(FILES);
    let bytes = std::fs::read(&path).unwrap();
    (root, path, bytes)
}

#[test]
fn what_is_stored_comes_back() {
    let (root, path, _) = stored();
    assert_eq!(sorted(&cache::load(root.path(), FILES)), sorted(&filled()));
    // Nothing but that file is written.
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    assert!(cache::load(root.path(), WHOLE).is_empty() && cache::load(root.path(), SCANS).is_empty());
    let datasets = filled()["wheat.meta.parquet"].datasets().unwrap();
    assert_eq!(datasets["wheat"].rows(), 30);
    cache::store(root.path(), FILES, &Entries::new());
    assert!(cache::load(root.path(), FILES).is_empty());
}

#[test]
fn no_cache_is_an_empty_one() {
    let root = tempfile::tempdir().unwrap();
    assert!(cache::load(root.path(), WHOLE).is_empty());
    assert!(cache::load(&root.path().join("none"), WHOLE).is_empty());
    std::fs::create_dir_all(root.path().join(".cache").join(WHOLE)).unwrap();
    assert!(cache::load(root.path(), WHOLE).is_empty());
}

#[test]
fn damage_is_as_good_as_no_cache() {
    let (root, path, bytes) = stored();
    let mut rng = Rng(1);
    let loads_empty = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        cache::load(root.path(), FILES).is_empty()
    };
    for length in (0..40).chain((40..bytes.len()).step_by(97)) {
        assert!(loads_empty(&bytes[..length]), "cut at {length}");
    }
    for _ in 0..500 {
        let mut changed = bytes.clone();
        let at = rng.below(changed.len());
        changed[at] ^= 1 << rng.below(8);
        assert!(loads_empty(&changed), "byte {at}");
    }
    for length in [0, 1, 8, 100, 10_000] {
        let garbage: Vec<u8> = (0..length).map(|_| rng.next() as u8).collect();
        assert!(loads_empty(&garbage));
    }
    assert!(!loads_empty(&bytes));
}

/// Content that nobody wrote, with a right checksum.
#[test]
fn made_up_content_never_panics() {
    let (root, path, bytes) = stored();
    let content = &bytes[..bytes.len() - 8];
    let mut rng = Rng(2);
    for _ in 0..2000 {
        let mut changed = content.to_vec();
        let at = rng.below(changed.len().min(400));
        changed[at] = *rng.pick(&[0, 1, 0x7F, 0x80, 0xFF]);
        changed.extend(twox_hash::XxHash3_64::oneshot(&changed).to_le_bytes());
        std::fs::write(&path, &changed).unwrap();
        cache::load(root.path(), FILES).values().for_each(|entry| drop(entry.datasets()));
    }
}

#[test]
fn a_damaged_state_is_none() {
    let mut entry = entry("wheat", 1);
    assert!(entry.datasets().is_some());
    entry.state.pop();
    assert!(entry.datasets().is_none());
    entry.state.extend([0, 0]);
    assert!(entry.datasets().is_none());
}

/// Whether the entry stands for these files as they are now.
fn is_of(entry: &Entry, now: &[Seen]) -> bool {
    let names: Vec<String> = now.iter().map(|seen| seen.file.clone()).collect();
    entry.is_of(&names, now.iter().map(|seen| Some(seen.identity)))
}

#[test]
fn an_entry_counts_for_the_same_files_that_were_old_enough() {
    let entry = entry("wheat", 1);
    assert!(is_of(&entry, &entry.files));
    let changed = |change: fn(&mut Seen)| {
        let mut files = entry.files.clone();
        change(&mut files[1]);
        is_of(&entry, &files)
    };
    assert!(!changed(|seen| seen.file.push('x')));
    assert!(!changed(|seen| seen.identity.size += 1));
    assert!(!changed(|seen| seen.identity.mtime_ns += 1));
    assert!(!changed(|seen| seen.identity.ctime_ns += 1));
    assert!(!changed(|seen| seen.identity.inode -= 1));
    assert!(!is_of(&entry, &entry.files[..1]));
    let names: Vec<String> = entry.files.iter().map(|seen| seen.file.clone()).collect();
    assert!(!entry.is_of(&names, [Some(entry.files[0].identity), None].into_iter()));
    for (age, settled) in [(0, false), (RACY_NS, false), (RACY_NS + 1, true), (-5, false)] {
        let mut young = entry.clone();
        young.files[0].identity.mtime_ns = young.files[0].read_at - age;
        assert_eq!(is_of(&young, &young.files), settled, "{age} ns old when read");
    }
}
