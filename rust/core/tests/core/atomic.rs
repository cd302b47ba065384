//! Files that are there whole or not at all.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use n4w_core::ErrorKind;
use n4w_core::fs::atomic::{Draft, create, leftovers, replace, sweep};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn replace_makes_and_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    replace(&path, b"one").unwrap();
    replace(&path, b"two, longer").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two, longer");
    assert_eq!(names(folder.path()), ["a.yaml"]);
}

#[test]
fn create_takes_a_name_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    create(&path, b"one").unwrap();
    let error = create(&path, b"two").unwrap_err();
    assert_eq!((error.kind, error.path.as_deref()), (ErrorKind::Conflict, Some(&*path)));
    assert_eq!(fs::read(&path).unwrap(), b"one");
    assert_eq!(names(folder.path()), ["a.yaml"]);
}

#[test]
fn of_many_creators_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let won: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|index| {
                let path = &path;
                scope.spawn(move || create(path, index.to_string().as_bytes()).is_ok().then_some(index))
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), won[0].to_string());
    assert_eq!(names(folder.path()), ["a.yaml"]);
}

#[test]
fn a_reader_sees_the_old_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    replace(&path, &vec![0; 100_000]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for value in 1..100u8 {
                replace(&path, &vec![value; 100_000 + usize::from(value)]).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let content = fs::read(&path).unwrap();
            assert!(content.iter().all(|&byte| byte == content[0]));
            assert_eq!(content.len(), 100_000 + usize::from(content[0]));
        }
    });
}

#[test]
fn failures_say_which_file_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none/a.yaml");
    let error = replace(&missing, b"").unwrap_err();
    assert_eq!((error.kind, error.path.as_deref()), (ErrorKind::Io, Some(&*missing)));
    assert_eq!(error.source.unwrap().kind(), std::io::ErrorKind::NotFound);
    let directory = folder.path().join("directory");
    fs::create_dir(&directory).unwrap();
    assert_eq!(replace(&directory, b"").unwrap_err().kind, ErrorKind::Io);
    assert!(create(&directory, b"").is_err());
    assert_eq!(names(folder.path()), ["directory"]);
}

#[test]
fn a_draft_is_invisible_until_it_is_published_and_gone_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let mut draft = Draft::begin(&path).unwrap();
    draft.file().write_all(b"content").unwrap();
    draft.sync().unwrap();
    assert!(!path.exists());
    assert!(names(folder.path())[0].starts_with(".n4w-"));
    drop(draft);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[cfg(unix)]
#[test]
fn published_files_are_as_readable_as_the_umask_allows() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    replace(&folder.path().join("ours"), b"").unwrap();
    fs::write(folder.path().join("theirs"), b"").unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("ours"), mode("theirs"));
}

fn aged(path: &Path, seconds: u64) -> File {
    let file = File::options().create(true).append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    file
}

#[test]
fn sweep_removes_only_what_the_dead_left() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    aged(&at(".n4w-dead.tmp"), 60);
    aged(&at(".n4w-young.tmp"), 2);
    let locked = aged(&at(".n4w-living.tmp"), 60);
    locked.lock().unwrap();
    let future = aged(&at(".n4w-future.tmp"), 0);
    future.set_modified(SystemTime::now() + Duration::from_secs(3600)).unwrap();
    for other in [".other.tmp", ".n4w-", "n4w-dead.tmp", ".n4w-dead.tmp.parquet", "wheat.meta.parquet"] {
        aged(&at(other), 60);
    }
    assert_eq!(leftovers(folder.path()).unwrap(), [at(".n4w-dead.tmp")]);
    let before = names(folder.path()).len();
    sweep(folder.path()).unwrap();
    assert!(!at(".n4w-dead.tmp").exists());
    assert_eq!(names(folder.path()).len(), before - 1);
    drop(locked);
    sweep(folder.path()).unwrap();
    assert!(!at(".n4w-living.tmp").exists());
    assert!(sweep(&at("none")).is_err());
}

#[test]
fn a_living_draft_survives_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let mut draft = Draft::begin(&path).unwrap();
    draft.file().write_all(b"content").unwrap();
    draft.file().set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    sweep(folder.path()).unwrap();
    draft.replace().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"content");
}

/// A folder of such a name is nobody's temporary file; it must not stop a rebuild.
#[test]
fn sweep_leaves_folders_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".n4w-folder.tmp");
    fs::create_dir(&path).unwrap();
    File::open(&path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    assert_eq!(leftovers(folder.path()).unwrap(), [""; 0].map(std::path::PathBuf::from));
    sweep(folder.path()).unwrap();
    assert!(path.exists());
}

/// Opening a pipe waits for its other end.
#[cfg(unix)]
#[test]
fn sweep_does_not_wait_for_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".n4w-pipe.tmp");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let (sender, receiver) = std::sync::mpsc::channel();
    let root = folder.path().to_owned();
    std::thread::spawn(move || sender.send(sweep(&root).is_ok()));
    let answer = receiver.recv_timeout(Duration::from_secs(5));
    if answer.is_err() {
        // Lets the thread go.
        drop(File::options().write(true).open(&path));
    }
    assert_eq!(answer, Ok(true));
}
