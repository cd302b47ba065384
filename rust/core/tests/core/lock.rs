//! Locks: which file is locked, and which is removed.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::time::Duration;

use n4w_core::base::error::{ErrorKind, Result};
use n4w_core::fs::lock::{self, Lock, ONE_TRY};

fn take(path: &std::path::Path) -> Result<Lock> {
    Lock::take(path, ONE_TRY, &mut || Ok(()))
}

#[test]
fn a_file_that_is_no_longer_there_is_not_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.lock");
    drop(take(&path).unwrap());
    let old = lock::open_existing(&path).unwrap().unwrap();
    fs::remove_file(&path).unwrap();
    assert!(!lock::lock_file(&old, &path, ONE_TRY).unwrap(), "its name is gone");
    let new = take(&path).unwrap();
    assert!(!lock::lock_file(&old, &path, ONE_TRY).unwrap(), "its name is another file's");
    assert!(lock::is_held(&path).unwrap());
    assert_eq!(take(&path).unwrap_err().kind, ErrorKind::LockTimeout);
    drop((old, new));
    assert!(!lock::is_held(&path).unwrap());
    assert!(lock::open_existing(&folder.path().join("b.lock")).unwrap().is_none());
}

#[test]
fn only_the_file_that_is_held_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.lock");
    let names = || fs::read_dir(folder.path()).unwrap().count();
    let first = take(&path).unwrap();
    assert_eq!(names(), 2, "the lock and its holder");
    fs::remove_file(&path).unwrap();
    let second = take(&path).unwrap();
    first.remove();
    assert_eq!(names(), 2);
    assert!(lock::is_held(&path).unwrap());
    second.remove();
    assert_eq!(names(), 0);
    assert!(!lock::is_held(&path).unwrap());
}

#[test]
fn an_error_of_the_check_ends_a_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.lock");
    let _held = take(&path).unwrap();
    let mut asked = 0;
    let waited = Lock::take(&path, Duration::from_secs(600), &mut || {
        asked += 1;
        if asked < 5 { Ok(()) } else { Err(n4w_core::Error::new(ErrorKind::Interrupted, "interrupted")) }
    });
    assert_eq!(waited.unwrap_err().kind, ErrorKind::Interrupted);
    assert_eq!(asked, 5);
}
