//! Locks between processes: who may write, and whether whoever did is still alive.
//!
//! `flock` on POSIX and `LockFileEx` on Windows, which the kernel releases when their process dies.
//! Lock files are never deleted, so that two processes cannot hold locks on two files of one name;
//! who holds one stands in a sibling file that anybody may read.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::platform;
use crate::progress::Progress;
use crate::summary::report::now;
use crate::value::Value;

/// Between two tries of a lock that is held.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A lock that this process holds until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock at `path`, whose folder must exist, and says in its sibling file who holds it.
    ///
    /// Fails with [`ErrorKind::LockTimeout`], naming the holder, where it is held for all of `timeout`.
    pub fn take(path: &Path, timeout: Duration, progress: &Progress) -> Result<Self> {
        let file = until(timeout, || {
            progress.check()?;
            let file = open(path).map_err(|error| Error::io(path, error))?;
            Ok(try_exclusive(&file, path)?.then_some(file))
        })?
        .ok_or_else(|| held_by_other(path, timeout))?;
        // For people and other hosts: losing it loses no lock.
        let _ = std::fs::write(holder_path(path), Holder::this_process().to_value().to_json());
        Ok(Self { file })
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

/// Locks a file that is open already, under the same rules.
///
/// `false` where another process holds it for all of `timeout`, or where `path` names another file.
pub fn lock_file(file: &File, path: &Path, timeout: Duration) -> Result<bool> {
    until(timeout, || Ok(try_exclusive(file, path)?.then_some(()))).map(|locked| locked.is_some())
}

/// Whether some process holds the lock at `path`; without a file nobody does.
pub fn is_held(path: &Path) -> Result<bool> {
    let file = match platform::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io(path, error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(Error::io(path, error)),
    }
}

/// Repeats `attempt` until it gives something or the time is over.
fn until<T>(timeout: Duration, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let began = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        if let Some(got) = attempt()? {
            return Ok(Some(got));
        }
        let left = timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// `false` where it is held, or where the path names another file by now.
fn try_exclusive(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(platform::is_same_file(file, path)),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Error::io(path, error)),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn held_by_other(path: &Path, timeout: Duration) -> Error {
    let holder = holder(path).map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
    let message = format!(
        "is held by {holder} and was not released within {} s; wait for it or end it, then try again",
        timeout.as_secs_f64()
    );
    Error::new(ErrorKind::LockTimeout, message).at(path)
}

/// Who holds a lock, or held it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Name of the machine.
    pub host: String,
    /// Changes whenever the machine starts; empty where the system has none.
    pub boot_id: String,
    /// Process.
    pub pid: u32,
    /// ISO-8601, UTC.
    pub since: String,
}

impl Holder {
    /// This process, from now on.
    pub fn this_process() -> Self {
        Self { host: platform::host(), boot_id: platform::boot_id(), pid: std::process::id(), since: now() }
    }

    /// As files carry it.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("host", self.host.as_str().into()),
            ("boot_id", self.boot_id.as_str().into()),
            ("pid", u64::from(self.pid).into()),
            ("since", self.since.as_str().into()),
        ])
    }

    /// What [`Holder::to_value`] made.
    pub fn from_value(value: &serde_json::Value) -> Option<Self> {
        let text = |key: &str| Some(value.get(key)?.as_str()?.to_owned());
        Some(Self {
            host: text("host")?,
            boot_id: text("boot_id")?,
            pid: value.get("pid")?.as_u64().and_then(|pid| u32::try_from(pid).ok())?,
            since: text("since")?,
        })
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "process {} on {} (since {})", self.pid, self.host, self.since)
    }
}

/// Who holds the lock at `path`, or held it last, where that was written down.
pub fn holder(path: &Path) -> Option<Holder> {
    let text = std::fs::read_to_string(holder_path(path)).ok()?;
    Holder::from_value(&serde_json::from_str(&text).ok()?)
}

fn holder_path(path: &Path) -> PathBuf {
    path.with_extension("holder")
}
