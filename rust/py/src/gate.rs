//! The one way into the core for work that takes time.

use n4w_core::base::special_files;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use n4w_core::base::error::caught;
use n4w_core::base::progress::Progress;
use n4w_core::base::threads;
use n4w_core::{Error, ErrorKind, Result};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;

/// How often a waiting call looks for signals and reports progress.
const TICK: Duration = Duration::from_millis(50);

/// Runs `work` without the GIL in a pool of `threads` threads (0: one per core).
///
/// Meanwhile signals are answered and `report(done, total)` is called, if given; an exception from
/// either stops the work and is raised.
pub fn enter<T: Send>(
    py: Python<'_>,
    threads: usize,
    report: Option<&Py<PyAny>>,
    work: impl FnOnce(&Progress) -> Result<T> + Send,
) -> PyResult<T> {
    let whole = |progress: &Progress, deliver: &(dyn Fn(T) + Sync)| work(progress).map(deliver);
    enter_early(py, threads, report, whole, |_, value| Ok(value))
}

/// The way in for work that hands its answer over before it is done; `convert` makes Python objects of it
/// meanwhile. Returns when both are done.
pub fn enter_early<T: Send, R: Send>(
    py: Python<'_>,
    threads: usize,
    report: Option<&Py<PyAny>>,
    work: impl FnOnce(&Progress, &(dyn Fn(T) + Sync)) -> Result<()> + Send,
    convert: impl FnOnce(Python<'_>, T) -> PyResult<R> + Send,
) -> PyResult<R> {
    let progress = Progress::default();
    let waited = py.detach(|| {
        threads::run_beside(
            threads,
            |deliver| caught(None, || work(&progress, deliver)),
            |result| {
                let mut raised = None;
                loop {
                    match result.recv_timeout(TICK) {
                        Ok(result) => {
                            break Python::attach(|py| match (result, raised) {
                                (_, Some(error)) => Err(error),
                                (Err(error), _) => Err(to_py(py, &error)),
                                (Ok(value), _) => convert(py, value),
                            });
                        }
                        Err(RecvTimeoutError::Disconnected) => {
                            let died = Error::new(ErrorKind::Corrupt, "a worker thread died");
                            break Python::attach(|py| Err(raised.unwrap_or_else(|| to_py(py, &died))));
                        }
                        Err(RecvTimeoutError::Timeout) => {
                            if raised.is_none()
                                && let Err(error) = Python::attach(|py| tick(py, report, &progress))
                            {
                                progress.stop();
                                raised = Some(error);
                            }
                        }
                    }
                }
            },
        )
    });
    let value = waited.map_err(|error| to_py(py, &error))??;
    if let Some(report) = report {
        report.call1(py, progress.now())?;
    }
    Ok(value)
}

/// Runs `work`, which mostly waits, in this thread and without the GIL; between two tries it calls what it is
/// given, which answers signals. An exception of their handlers ends it and is raised.
pub fn wait<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&mut dyn FnMut() -> Result<()>) -> Result<T> + Send,
) -> PyResult<T> {
    let mut raised = None;
    let result = py.detach(|| {
        let mut looked = Instant::now();
        work(&mut || {
            if looked.elapsed() < TICK {
                return Ok(());
            }
            looked = Instant::now();
            Python::attach(|py| tick(py, None, &Progress::default())).map_err(|error| {
                raised = Some(error);
                Error::new(ErrorKind::Interrupted, "interrupted")
            })
        })
    });
    match raised {
        Some(error) => Err(error),
        None => result.map_err(|error| to_py(py, &error)),
    }
}

/// Runs short work without the GIL, on the file of this path where it is of one.
pub fn detached<T: Send>(
    py: Python<'_>,
    path: Option<&Path>,
    work: impl FnOnce() -> Result<T> + Send,
) -> PyResult<T> {
    py.detach(|| caught(path, work)).map_err(|error| to_py(py, &error))
}

fn tick(py: Python<'_>, report: Option<&Py<PyAny>>, progress: &Progress) -> PyResult<()> {
    py.check_signals()?;
    if let Some(report) = report {
        report.call1(py, progress.now())?;
    }
    Ok(())
}

/// The Python exception for an error of the core.
pub fn to_py(py: Python<'_>, error: &Error) -> PyErr {
    // Bytes that are no UTF-8 are what `os.fsdecode` makes of them.
    let path = error.path.as_ref().map(|path| path.as_os_str().to_os_string());
    let class = match error.kind {
        ErrorKind::Io => return os_error(py, error, path),
        ErrorKind::Type => return PyTypeError::new_err(shown(py, error)),
        ErrorKind::Argument => return PyValueError::new_err(shown(py, error)),
        ErrorKind::Interrupted => return PyKeyboardInterrupt::new_err(()),
        ErrorKind::NotParquet | ErrorKind::Truncated | ErrorKind::Corrupt | ErrorKind::Encrypted => {
            "CorruptFileError"
        }
        ErrorKind::Schema => "SchemaError",
        ErrorKind::Version => "UnsupportedVersionError",
        ErrorKind::Metric => "UnknownMetricError",
        ErrorKind::Conflict => "ConflictError",
        ErrorKind::LockTimeout => "LockTimeoutError",
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::Internal => "WorkspaceError",
    };
    let made = py
        .import("nirs4all_workspace.exceptions")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((error.message.as_str(), path)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// `OSError` chooses its subclass by the number, so that `except FileNotFoundError` works.
fn os_error(py: Python<'_>, error: &Error, path: Option<OsString>) -> PyErr {
    let number = error.source.as_ref().and_then(|source| {
        special_files::number_of(source).or(match source.kind() {
            std::io::ErrorKind::IsADirectory => Some(21),
            _ => None,
        })
    });
    let message = error.message.split(" (os error").next().unwrap_or_default().to_owned();
    match (number, path) {
        (Some(number), Some(path)) => PyOSError::new_err((number, message, path)),
        (Some(number), None) => PyOSError::new_err((number, message)),
        (None, _) => PyOSError::new_err(shown(py, error)),
    }
}

/// The text of an error for people: names in it may hold what a terminal would obey.
fn shown(py: Python<'_>, error: &Error) -> String {
    let text = error.to_string();
    let show = |text: &str| {
        py.import("nirs4all_workspace.display")?.getattr("shown")?.call1((text,))?.extract::<String>()
    };
    show(&text).unwrap_or(text)
}

/// A path as it is meant now, as [`nirs4all_workspace._io.paths.absolute`] makes it: one rule for both sides.
pub fn absolute(py: Python<'_>, path: PathBuf) -> PyResult<PathBuf> {
    if path.is_absolute() && !path.components().any(|part| part == std::path::Component::ParentDir) {
        return Ok(path);
    }
    // As a text: Python's paths take an empty one for the working directory.
    py.import("nirs4all_workspace._io.paths")?.getattr("absolute")?.call1((path.into_os_string(),))?.extract()
}
