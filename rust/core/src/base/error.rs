//! One error type: what happened, in which file, and what the user can do.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::special_files;

/// What went wrong, by the way a caller would react.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The operating system refused; the source says how.
    Io,
    /// The file does not end as a Parquet file does.
    NotParquet,
    /// The file ends before what it announces.
    Truncated,
    /// Bytes contradict each other or their checksum.
    Corrupt,
    /// The footer is encrypted.
    Encrypted,
    /// The columns are not what this package can read.
    Schema,
    /// A newer version of this package wrote it.
    Version,
    /// A metric's stored direction disagrees with the table, or no direction is known.
    Metric,
    /// Another process or thread changed the file meanwhile.
    Conflict,
    /// Another process holds a lock.
    LockTimeout,
    /// There is no such thing.
    NotFound,
    /// A value has a type that its column cannot hold.
    Type,
    /// The caller's argument makes no sense.
    Argument,
    /// The caller's signal handler asked to stop.
    Interrupted,
    /// This package, or a library that it uses, failed where it should not.
    Internal,
}

impl ErrorKind {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::Io,
        Self::NotParquet,
        Self::Truncated,
        Self::Corrupt,
        Self::Encrypted,
        Self::Schema,
        Self::Version,
        Self::Metric,
        Self::Conflict,
        Self::LockTimeout,
        Self::NotFound,
        Self::Type,
        Self::Argument,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The stable name that JSON answers carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::NotParquet => "not_parquet",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Encrypted => "encrypted",
            Self::Schema | Self::Version => "schema",
            Self::Metric => "metric",
            Self::Conflict => "conflict",
            Self::LockTimeout => "lock_timeout",
            Self::NotFound => "not_found",
            Self::Type => "type",
            Self::Argument => "argument",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }
}

/// An error with its kind, the file that it concerns and, for [`ErrorKind::Io`], its source.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.describe())]
pub struct Error {
    /// How a caller would react.
    pub kind: ErrorKind,
    /// The file concerned, where there is one.
    pub path: Option<PathBuf>,
    /// What happened, without the path.
    pub message: String,
    /// The operating system's own error.
    #[source]
    pub source: Option<io::Error>,
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that concerns no file yet.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, path: None, message: message.into(), source: None }
    }

    /// An error of the operating system. What is no file at all is no Parquet file either.
    pub fn io(path: &Path, source: io::Error) -> Self {
        let is_parquet = path.extension().is_some_and(|extension| extension == "parquet");
        let is_other = is_parquet && special_files::is_special(&source);
        Self {
            kind: if is_other { ErrorKind::NotParquet } else { ErrorKind::Io },
            path: Some(path.to_path_buf()),
            message: source.to_string(),
            source: Some(source),
        }
    }

    /// Whether what lies in a file is damaged or cut off.
    pub fn is_damage(&self) -> bool {
        matches!(self.kind, ErrorKind::Corrupt | ErrorKind::Truncated)
    }

    /// An error of the operating system, of a file whose path the caller knows.
    pub fn pathless(source: io::Error) -> Self {
        Self { path: None, ..Self::io(Path::new(""), source) }
    }

    /// The same error, saying which file it concerns unless it says so already.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        // Who reads an open file knows no path and says an empty one.
        if self.path.as_ref().is_none_or(|path| path.as_os_str().is_empty()) {
            self.path = Some(path.to_path_buf());
        }
        self
    }

    fn describe(&self) -> String {
        match &self.path {
            Some(path) => format!("{}: {}", path.display(), self.message),
            None => self.message.clone(),
        }
    }
}

/// Shorthand for the commonest kind.
pub(crate) fn corrupt(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

/// Calls a decoder, which may panic on bytes that no writer wrote; that is this file's fault alone. `what` it
/// reads is for people.
pub(crate) fn guarded<T>(what: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(corrupt(format!("cannot read {what}: the decoder gave up on damaged bytes"))))
}

/// Calls what should not panic; where it does, that is an error, of the file where it works on one.
pub fn caught<T>(path: Option<&Path>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said =
            panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let message = format!(
            "the native side failed ({}); what was acknowledged is kept, please report it",
            said.unwrap_or("no message")
        );
        let error = Error::new(ErrorKind::Internal, message);
        Err(match path {
            Some(path) => error.at(path),
            None => error,
        })
    })
}

/// One file that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// Relative to the workspace, with slashes.
    pub path: String,
    /// What happened.
    pub kind: ErrorKind,
    /// What happened, for people.
    pub message: String,
}

impl FileError {
    /// What happened to a file.
    pub fn new(path: &str, error: &Error) -> Self {
        Self { path: path.to_owned(), kind: error.kind, message: error.message.clone() }
    }

    /// Whether the file is no longer there.
    pub fn is_vanished(error: &Error) -> bool {
        let kind = error.source.as_ref().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::NotADirectory | io::ErrorKind::NotFound))
    }
}

/// What a decoder says of rows.
pub(crate) fn unreadable(error: impl std::fmt::Display) -> Error {
    corrupt(format!("cannot read the rows: {error}"))
}
