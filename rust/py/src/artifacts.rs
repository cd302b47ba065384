//! Files named after their content.

use std::path::{Path, PathBuf};

use n4w_core::Error;
use n4w_core::fs::platform;
use n4w_core::write::artifacts;
use pyo3::prelude::*;

use crate::gate::{enter, to_py};

/// What is to be stored: bytes, or the path of a file.
#[derive(FromPyObject)]
pub enum Content {
    Bytes(Vec<u8>),
    Path(PathBuf),
}

#[pyfunction]
pub fn put_artifact(py: Python<'_>, root: PathBuf, content: Content, extension: &str) -> PyResult<String> {
    match content {
        Content::Bytes(bytes) => enter(py, 0, None, |progress| {
            artifacts::put(&root, &mut bytes.as_slice(), Path::new("artifact"), extension, progress)
        }),
        Content::Path(path) => {
            let opened = platform::open(&path).map_err(|error| Error::io(&path, error));
            let mut file = opened.map_err(|error| to_py(py, &error))?;
            enter(py, 0, None, |progress| artifacts::put(&root, &mut file, &path, extension, progress))
        }
    }
}
