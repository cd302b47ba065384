//! Which files count: journal or segment, compaction or inputs, copies that went apart.

#![allow(clippy::unwrap_used, missing_docs)]

use n4w_core::fs::folders;
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use n4w_core::base::file_names::Name;
use n4w_core::base::progress::Progress;
use n4w_core::footer::digest;
use n4w_core::footer::{TailReader, splice};
use n4w_core::reading::collect::{Caching, collect};
use n4w_core::segment::live_set::Open;
use n4w_core::segment::resolve::resolve_live;
use n4w_core::summary::embedded::SKETCH_KEY;
use n4w_core::upkeep::compact::compact;
use n4w_core::upkeep::recover::{Scope, recover};
use n4w_core::write::mappings::Cell;
use n4w_core::write::writer::{Options, Writer};

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
    folders::names_in(&folder(root)).unwrap()
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
    for name in names(root).iter().filter(|name| n4w_core::base::file_names::is_journal(name)) {
        fs::remove_file(folder(root).join(name)).unwrap();
    }
}

#[test]
fn a_journal_counts_until_it_is_sealed() {
    let root = tempfile::tempdir().unwrap();
    let mut writer = writer(root.path());
    write(&mut writer, 3);
    assert_eq!((count(root.path(), Open::Live), count(root.path(), Open::LeftOut)), (3, 0));
    writer.close(&Progress::default()).unwrap();
    assert_eq!((count(root.path(), Open::Live), count(root.path(), Open::LeftOut)), (3, 3));
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
    assert_eq!((count(other.path(), Open::Live), count(other.path(), Open::LeftOut)), (7, 3));
    recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
    assert_eq!((count(other.path(), Open::Live), count(other.path(), Open::LeftOut)), (7, 7));
    assert_eq!(count(root.path(), Open::Live), 7);
}

#[test]
fn a_compaction_counts_in_place_of_what_it_merged() {
    let root = tempfile::tempdir().unwrap();
    let inputs = [sealed(root.path(), 2), sealed(root.path(), 3)];
    assert!(compact(root.path(), RUN, None, &Progress::default()).unwrap().is_empty(), "journals are there");
    remove_journals(root.path());
    let done = compact(root.path(), RUN, None, &Progress::default()).unwrap();
    assert_eq!((done.len(), done[0].rows, done[0].inputs.len()), (1, 5, 2));
    assert_eq!(count(root.path(), Open::Live), 5);
    let live_set = resolve_live(&folder(root.path()), names(root.path()));
    assert_eq!((live_set.files.len(), live_set.replaced.len(), live_set.diverged.len()), (1, 2, 0));
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
    assert_eq!(count(root.path(), Open::Live), 9);
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
    assert_eq!((count(root.path(), Open::Live), count(other.path(), Open::Live)), (31, 6));
    copy(other.path(), root.path());
    // Without places in them, the smaller one does not count; its own input is still there, so nothing of it is lost.
    for name in names(root.path()).iter().filter(|name| is_compaction(name)) {
        forget_places(&folder(root.path()).join(name));
    }
    assert_eq!(count(root.path(), Open::Live), 36);
    let live_set = resolve_live(&folder(root.path()), names(root.path()));
    assert_eq!((live_set.files.len(), live_set.diverged.len()), (2, 1));
}

fn is_compaction(file: &str) -> bool {
    Name::of(file).is_some_and(|name| name.is_compaction())
}

/// Makes a compaction what earlier versions wrote.
fn forget_places(path: &Path) {
    let mut source = fs::File::open(path).unwrap();
    let mut tails = TailReader::default();
    let tail = tails.read_file(&source).unwrap();
    let footer = tail.footer().unwrap();
    let mut json: serde_json::Value = serde_json::from_str(footer.get("n4a_replaces").unwrap()).unwrap();
    for entry in json.as_object_mut().unwrap().values_mut().filter_map(|entry| entry.as_object_mut()) {
        assert!(entry.remove("first").is_some() && entry.remove("rows").is_some());
    }
    // The digest is that of the footer as it is then.
    let sketch = digest::reserve(digest::text_of(footer.get(SKETCH_KEY).unwrap()));
    let keys = [("n4a_replaces", json.to_string()), ("n4a_results", "{}".to_owned()), (SKETCH_KEY, sketch)];
    splice(path, &mut source, &tail, &footer, &keys).unwrap();
}

#[test]
fn of_compactions_that_overlap_each_writers_rows_count_once() {
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shared = sealed(root.path(), 1);
    remove_journals(root.path());
    copy(root.path(), other.path());
    for (folder, rows) in [(root.path(), &[10, 20][..]), (other.path(), &[5])] {
        for rows in rows {
            sealed(folder, *rows);
        }
        remove_journals(folder);
        assert_eq!(compact(folder, RUN, None, &Progress::default()).unwrap().len(), 1);
        for name in names(folder).iter().filter(|name| !is_compaction(name)) {
            fs::remove_file(self::folder(folder).join(name)).unwrap();
        }
    }
    copy(other.path(), root.path());
    assert_eq!(count(root.path(), Open::Live), 36);
    let live_set = resolve_live(&folder(root.path()), names(root.path()));
    assert_eq!((live_set.files.len(), live_set.diverged.len(), live_set.hidden.len()), (2, 0, 1));
    assert_eq!(live_set.overlapping.len(), 1);
    assert_eq!(live_set.overlapping[0].1, shared.writer);
    // Merged again they are one file without the rows that were there twice.
    let done = compact(root.path(), RUN, None, &Progress::default()).unwrap();
    assert_eq!((done.len(), done[0].rows), (1, 36));
    assert_eq!(count(root.path(), Open::Live), 36);
    let live_set = resolve_live(&folder(root.path()), names(root.path()));
    assert_eq!((live_set.files.len(), live_set.replaced.len(), live_set.hidden.len()), (1, 2, 0));
}

/// Rows of a result that is checkpointed with them, at a time.
fn checkpoint(root: &Path, result: &str, rows: usize, status: &str, time: &str) -> Name {
    let mut writer = writer(root);
    write_result(&mut writer, result, rows);
    let text = format!(r#"{{"id": "{result}", "status": "{status}", "completed_at": "{time}"}}"#);
    writer.checkpoint(&[(result, &text)]).unwrap();
    writer.close(&Progress::default()).unwrap();
    writer.name().clone()
}

fn write_result(writer: &mut Writer, result: &str, rows: usize) {
    for _ in 0..rows {
        writer
            .write(vec![(Cow::Borrowed("result_id"), Cell::Text(result.to_owned().into()))], Vec::new())
            .unwrap();
    }
}

#[test]
fn of_two_checkpoints_of_a_result_one_has_live_rows() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let count = || count(root, Open::Live);
    checkpoint(root, "r1", 2, "failed", "2026-01-01T00:00:01");
    assert_eq!(count(), 2);
    checkpoint(root, "r1", 3, "done", "2026-01-01T00:00:03");
    assert_eq!(count(), 3, "done comes before failed");
    checkpoint(root, "r1", 4, "done", "2026-01-01T00:00:02");
    assert_eq!(count(), 4, "of two that are done the earlier one wins");
    checkpoint(root, "r2", 7, "done", "2026-01-01T00:00:02");
    assert_eq!(count(), 11, "another result is no matter");
    let live_set = resolve_live(&folder(root), names(root));
    assert_eq!((live_set.hidden.len(), live_set.lost.len()), (2, 2));
    assert!(live_set.lost.iter().all(|lost| lost.result == "r1"));
    remove_journals(root);
    // Nothing goes from the disk, and what counts is the same without the lists of results.
    let done = compact(root, RUN, None, &Progress::default()).unwrap();
    assert_eq!((done.len(), done[0].rows), (1, 16));
    for name in names(root).iter().filter(|name| !is_compaction(name)) {
        fs::remove_file(folder(root).join(name)).unwrap();
    }
    fs::remove_dir_all(root.join("runs")).unwrap();
    assert_eq!(count(), 11);
    assert_eq!(resolve_live(&folder(root), names(root)).lost.len(), 2);
}

#[test]
fn rows_of_an_open_segment_are_hidden_where_another_writer_finished_their_result() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let mut open = writer(root);
    write_result(&mut open, "r1", 2);
    open.flush().unwrap();
    assert_eq!(count(root, Open::Live), 2);
    checkpoint(root, "r1", 3, "done", "2026-01-01T00:00:02");
    assert_eq!((count(root, Open::Live), count(root, Open::LeftOut)), (3, 3));
    // It is finished here too, and earlier.
    open.checkpoint(&[("r1", r#"{"id": "r1", "completed_at": "2026-01-01T00:00:01"}"#)]).unwrap();
    assert_eq!((count(root, Open::Live), count(root, Open::LeftOut)), (2, 3));
    open.close(&Progress::default()).unwrap();
    assert_eq!((count(root, Open::Live), count(root, Open::LeftOut)), (2, 2));
}

#[test]
fn what_files_said_is_kept_for_as_long_as_they_are_unchanged() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::write(root.join("workspace.yaml"), "format_version: 2\n").unwrap();
    let first = checkpoint(root, "r1", 2, "done", "2026-01-01T00:00:01");
    let second = checkpoint(root, "r1", 3, "done", "2026-01-01T00:00:02");
    remove_journals(root);
    let old = std::time::SystemTime::now() - Duration::from_secs(60);
    for name in [&first, &second] {
        let file = fs::File::options().write(true).open(folder(root).join(name.sealed())).unwrap();
        file.set_modified(old).unwrap();
    }
    std::thread::sleep(Duration::from_millis(2_100));
    for _ in 0..3 {
        assert_eq!(count(root, Open::Live), 2);
    }
    let kept = root.join(".cache").join("live.bin");
    assert!(kept.exists());
    for damage in [&b""[..], b"no cache"] {
        fs::write(&kept, damage).unwrap();
        assert_eq!(count(root, Open::Live), 2);
    }
    fs::remove_file(folder(root).join(first.sealed())).unwrap();
    assert_eq!(count(root, Open::Live), 3);
}

#[test]
fn files_of_a_run_in_the_trash_do_not_count() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path(), 2);
    fs::create_dir_all(root.path().join(".trash").join(RUN)).unwrap();
    assert_eq!(count(root.path(), Open::Live), 0);
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
    assert_eq!(count(other.path(), Open::Live), 5);
    recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
    assert_eq!(count(other.path(), Open::Live), 5);
    // Where it goes on, it counts and what was merged of it does not.
    write(&mut writer, 4);
    let earlier = tempfile::tempdir().unwrap();
    copy(other.path(), earlier.path());
    for folder in [other.path(), earlier.path()] {
        fs::copy(self::folder(root.path()).join(&journal), self::folder(folder).join(&journal)).unwrap();
    }
    let live_set = resolve_live(&folder(other.path()), names(other.path()));
    assert_eq!((live_set.journals.len(), live_set.errors.len(), live_set.hidden.len()), (1, 0, 1));
    assert_eq!((count(other.path(), Open::Live), count(other.path(), Open::LeftOut)), (9, 5));
    for _ in 0..2 {
        recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
        assert_eq!((count(other.path(), Open::Live), count(other.path(), Open::LeftOut)), (9, 9));
    }
    remove_journals(other.path());
    assert_eq!(compact(other.path(), RUN, None, &Progress::default()).unwrap()[0].rows, 9);
    assert_eq!(count(other.path(), Open::Live), 9);
    // Of a compaction that does not say whose rows are where, what the journal holds beyond is sealed apart.
    let other = earlier;
    for name in names(other.path()).iter().filter(|name| is_compaction(name)) {
        forget_places(&folder(other.path()).join(name));
    }
    let live_set = resolve_live(&folder(other.path()), names(other.path()));
    assert_eq!((live_set.journals.len(), live_set.errors.len()), (0, 1));
    for _ in 0..2 {
        recover(other.path(), &Scope::default(), &Progress::default()).unwrap();
        assert_eq!(count(other.path(), Open::Live), 9);
    }
}
