//! Which files count: journal or segment, compaction or inputs, copies that went apart.

#![allow(clippy::unwrap_used, missing_docs)]

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use n4w_core::collect::{Caching, collect};
use n4w_core::compact::compact;
use n4w_core::files::{self, Open};
use n4w_core::mappings::Cell;
use n4w_core::progress::Progress;
use n4w_core::recover::{Scope, recover};
use n4w_core::segments::{Name, judge};
use n4w_core::writer::{Options, Writer};

const RUN: &str = "2026-01-01_Run_0123456789ab";
const FOLDER: &str = "wheat_01234567";
const OPTIONS: Options =
    Options { is_durable: true, rows: 1_000, bytes: 1 << 20, age: Duration::from_secs(60) };

fn writer(root: &Path) -> Writer {
    Writer::open(root, RUN, "wheat", FOLDER, OPTIONS).unwrap()
}

fn write(writer: &mut Writer, rows: usize) {
    for row in 0..rows {
        let cells = vec![
            (Cow::Borrowed("metric"), Cell::Text("rmse".into())),
            (Cow::Borrowed("val_score"), Cell::Float(row as f64)),
        ];
        writer.write(cells, Vec::new()).unwrap();
    }
    writer.flush().unwrap();
}

fn sealed(root: &Path, rows: usize) -> Name {
    let mut writer = writer(root);
    write(&mut writer, rows);
    writer.close(&Progress::default()).unwrap();
    writer.name().clone()
}

fn count(root: &Path, open: Open) -> u64 {
    let collected = collect(root, open, Caching::Off, &Progress::default()).unwrap();
    assert!(collected.errors.is_empty(), "{:?}", collected.errors);
    collected.datasets.values().map(n4w_core::summary::Accumulator::rows).sum()
}

fn names(root: &Path) -> Vec<String> {
    files::names_in(&folder(root)).unwrap()
}

fn folder(root: &Path) -> PathBuf {
    root.join("predictions").join(FOLDER)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else if !target.exists() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Journals of sealed segments: no longer needed, and only too young to be removed.
fn remove_journals(root: &Path) {
    for name in names(root).iter().filter(|name| n4w_core::segments::is_journal(name)) {
        fs::remove_file(folder(root).join(name)).unwrap();
    }
}

#[test]
fn a_journal_counts_until_it_is_sealed() {
    let root = tempfile::tempdir().unwrap();
    let mut writer = writer(root.path());
    write(&mut writer, 3);
    assert_eq!((count(root.path(), Open::Counted), count(root.path(), Open::LeftOut)), (3, 0));
    writer.close(&Progress::default()).unwrap();
    assert_eq!((count(root.path(), Open::Counted), count(root.path(), Open::LeftOut)), (3, 3));
    assert_eq!(names(root.path()), [writer.name().journal(), writer.name().sealed()]);
}

#[test]
fn an_empty_writer_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    writer(root.path()).close(&Progress::default()).unwrap();
    assert!(names(root.path()).is_empty());
}

#[test]
fn a_journal_that_goes_on_after_its_copy_was_sealed_wins_and_is_sealed_again() {
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut writer = writer(root.path());
    write(&mut writer, 3);
    copy(root.path(), other.path());
    let report = recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
    assert_eq!(report.sealed.len(), 1);
    write(&mut writer, 4);
    let journal = writer.name().journal();
    fs::copy(folder(root.path()).join(&journal), folder(other.path()).join(&journal)).unwrap();
    assert_eq!((count(other.path(), Open::Counted), count(other.path(), Open::LeftOut)), (7, 3));
    recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
    assert_eq!((count(other.path(), Open::Counted), count(other.path(), Open::LeftOut)), (7, 7));
    assert_eq!(count(root.path(), Open::Counted), 7);
}

#[test]
fn a_compaction_counts_in_place_of_what_it_merged() {
    let root = tempfile::tempdir().unwrap();
    let inputs = [sealed(root.path(), 2), sealed(root.path(), 3)];
    assert!(compact(root.path(), RUN, None, &Progress::default()).unwrap().is_empty(), "journals are there");
    remove_journals(root.path());
    let done = compact(root.path(), RUN, None, &Progress::default()).unwrap();
    assert_eq!((done.len(), done[0].rows, done[0].inputs.len()), (1, 5, 2));
    assert_eq!(count(root.path(), Open::Counted), 5);
    let judged = judge(&folder(root.path()), names(root.path()));
    assert_eq!((judged.files.len(), judged.replaced.len(), judged.diverged.len()), (1, 2, 0));
    // A third one, and the compaction itself is merged; a copy of all that came before changes nothing.
    let before = tempfile::tempdir().unwrap();
    copy(root.path(), before.path());
    sealed(root.path(), 4);
    remove_journals(root.path());
    for input in &inputs {
        fs::remove_file(folder(root.path()).join(input.sealed())).unwrap();
    }
    assert_eq!(compact(root.path(), RUN, None, &Progress::default()).unwrap()[0].rows, 9);
    copy(before.path(), root.path());
    assert_eq!(count(root.path(), Open::Counted), 9);
}

#[test]
fn of_compactions_that_went_apart_the_larger_counts() {
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sealed(root.path(), 1);
    remove_journals(root.path());
    copy(root.path(), other.path());
    for (folder, rows) in [(root.path(), &[10, 20][..]), (other.path(), &[5])] {
        for rows in rows {
            sealed(folder, *rows);
        }
        remove_journals(folder);
        assert_eq!(compact(folder, RUN, None, &Progress::default()).unwrap().len(), 1);
    }
    assert_eq!((count(root.path(), Open::Counted), count(other.path(), Open::Counted)), (31, 6));
    copy(other.path(), root.path());
    // The smaller one's own input is still there, so nothing of it is lost.
    assert_eq!(count(root.path(), Open::Counted), 36);
    let judged = judge(&folder(root.path()), names(root.path()));
    assert_eq!((judged.files.len(), judged.diverged.len()), (2, 1));
}

#[test]
fn files_of_a_run_in_the_trash_do_not_count() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path(), 2);
    fs::create_dir_all(root.path().join(".trash").join(RUN)).unwrap();
    assert_eq!(count(root.path(), Open::Counted), 0);
}

#[test]
fn a_living_writer_is_left_alone_and_a_dead_one_is_not() {
    let root = tempfile::tempdir().unwrap();
    let mut writer = writer(root.path());
    write(&mut writer, 2);
    let report = recover(root.path(), &Scope::default(), &Progress::default()).unwrap();
    assert_eq!((report.alive.len(), report.sealed.len()), (1, 0));
    assert_eq!(report.alive[0].owner.pid, std::process::id());
    drop(writer);
    let report = recover(root.path(), &Scope::default(), &Progress::default()).unwrap();
    assert_eq!((report.alive.len(), report.sealed.len(), report.findings.len()), (0, 1, 0));
    assert_eq!(recover(root.path(), &Scope::default(), &Progress::default()).unwrap().sealed.len(), 0);
    assert_eq!(count(root.path(), Open::LeftOut), 2);
}

#[test]
fn a_journal_that_comes_back_after_its_segment_was_compacted_counts_once() {
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut writer = writer(root.path());
    write(&mut writer, 3);
    copy(root.path(), other.path());
    recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
    sealed(other.path(), 2);
    remove_journals(other.path());
    compact(other.path(), RUN, None, &Progress::default()).unwrap();
    fs::remove_file(folder(other.path()).join(writer.name().sealed())).unwrap();
    // As it was, it is in the compaction.
    let journal = writer.name().journal();
    fs::copy(folder(root.path()).join(&journal), folder(other.path()).join(&journal)).unwrap();
    assert_eq!(count(other.path(), Open::Counted), 5);
    recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
    assert_eq!(count(other.path(), Open::Counted), 5);
    // What it holds beyond is sealed apart.
    write(&mut writer, 4);
    fs::copy(folder(root.path()).join(&journal), folder(other.path()).join(&journal)).unwrap();
    let judged = judge(&folder(other.path()), names(other.path()));
    assert_eq!((judged.journals.len(), judged.errors.len()), (0, 1));
    for _ in 0..2 {
        recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
        assert_eq!(count(other.path(), Open::Counted), 9);
    }
}
