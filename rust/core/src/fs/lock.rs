//! Locks between processes: who may write, and whether an earlier holder is still alive.
//!
//! `flock` on POSIX and `LockFileEx` on Windows, which the kernel releases when their process dies.
//! Only who holds a lock removes its file, as the last thing before letting go; others compare path and
//! handle after locking, and try again where they got a file that is no longer there. Who holds one
//! stands in a sibling file that anybody may read.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::forks::OwnFile;
use super::platform;
use crate::base::clock::now;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::value::Value;

/// The timeout of who does not want to wait.
pub const ONE_TRY: Duration = Duration::ZERO;
/// However short its timeout, a lock is tried for so long: a look whether it is held takes it for an
/// instant.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(100);
/// Between two tries of a lock that is held.
const SHORTEST_PAUSE: Duration = Duration::from_micros(200);
/// Tries a lock until [`SHORTEST_PATIENCE`] is over.
const SHORT_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// Who looks follows a name that is given to one file after the other so often.
const MOST_REPLACED: usize = 100;

/// What a wait calls between two tries; an error ends it.
pub type Check<'a> = &'a mut dyn FnMut() -> Result<()>;

/// A lock that this process holds until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: OwnFile,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path`, whose folder must exist, and says in its sibling file who holds it.
    ///
    /// The calling thread waits. Fails with [`ErrorKind::LockTimeout`], naming the holder, where it is held
    /// for all of `timeout`, or for 100 ms where that is longer.
    pub fn take(path: &Path, timeout: Duration, check: Check<'_>) -> Result<Self> {
        let file = until(timeout, check, || {
            let file = open(path).map_err(|error| Error::io(path, error))?;
            Ok(try_exclusive(&file, path)?.then_some(file))
        })?
        .ok_or_else(|| held_by_other(path, timeout))?;
        // For people and other hosts: losing it loses no lock.
        let _ = say(&holder_path(path), &Holder::this_process().to_value().to_json());
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Lets go of the lock and removes its file, where what it guards is gone or over.
    ///
    /// It stays where it cannot be removed, and on systems that do not tell an open file from a new one of
    /// its name.
    pub fn remove(self) {
        if cfg!(unix) && platform::is_same_file(&self.file, &self.path) {
            // No other process can hold the lock before its file is gone.
            let _ = std::fs::remove_file(holder_path(&self.path));
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens a file that will be locked; `None` where there is none.
pub fn open_existing(path: &Path) -> Result<Option<OwnFile>> {
    // For writing: on a network drive no process can lock a file that is only read.
    let open = || platform::open_for_writing(path, false).or_else(|_| platform::open(path));
    match OwnFile::open(open) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, error)),
    }
}

/// Locks a file that is open already, under the same rules.
///
/// `false` where another process holds it for all of `timeout`, or where `path` names another file.
pub fn lock_file(file: &OwnFile, path: &Path, timeout: Duration) -> Result<bool> {
    let attempt = || Ok(try_exclusive(file, path)?.then_some(()));
    until(timeout, &mut || Ok(()), attempt).map(|locked| locked.is_some())
}

/// Whether some process holds the lock at `path`; without a file none does.
pub fn is_held(path: &Path) -> Result<bool> {
    for _ in 0..MOST_REPLACED {
        let file = match OwnFile::open(|| platform::open(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io(path, error)),
        };
        match file.try_lock_shared() {
            Ok(()) => {
                // For an instant only: others try to take it.
                let _ = file.unlock();
                if platform::is_same_file(&file, path) {
                    return Ok(false);
                }
            }
            Err(TryLockError::WouldBlock) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(Error::io(path, error)),
        }
    }
    Ok(false)
}

/// Repeats `attempt` until it gives something or the time is over.
fn until<T>(
    timeout: Duration,
    check: Check<'_>,
    mut attempt: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let began = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        if let Some(got) = attempt()? {
            return Ok(Some(got));
        }
        let waited = began.elapsed();
        let left = timeout.max(SHORTEST_PATIENCE).saturating_sub(waited);
        if left.is_zero() {
            return Ok(None);
        }
        check()?;
        std::thread::sleep(pause.min(left));
        let longest = if waited < SHORTEST_PATIENCE { SHORT_PAUSE } else { LONGEST_PAUSE };
        pause = (pause * 2).min(longest);
    }
}

/// `false` where it is held, or where the path names another file by now.
fn try_exclusive(file: &OwnFile, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(platform::is_same_file(file, path)),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Error::io(path, error)),
    }
}

fn open(path: &Path) -> io::Result<OwnFile> {
    OwnFile::open(|| platform::open_for_writing(path, true))
}

fn held_by_other(path: &Path, timeout: Duration) -> Error {
    let holder = holder(path).map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
    let message = format!(
        "is held by {holder} and was not released within {} s; wait for it or end it, then try again",
        timeout.max(SHORTEST_PATIENCE).as_secs_f64()
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
    let text = platform::read(&holder_path(path)).ok()?;
    Holder::from_value(&serde_json::from_slice(&text).ok()?)
}

fn say(path: &Path, text: &str) -> io::Result<()> {
    let file = platform::open_for_writing(path, true)?;
    file.set_len(0)?;
    platform::write_at(&file, text.as_bytes(), 0)
}

fn holder_path(path: &Path) -> PathBuf {
    path.with_extension("holder")
}
