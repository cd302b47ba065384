//! Files named after their content.

use std::fs::File;
use std::path::{Path, PathBuf};

use n4w_core::{Error, artifacts};
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
            let mut file = File::open(&path).map_err(|error| to_py(py, &Error::io(&path, error)))?;
            enter(py, 0, None, |progress| artifacts::put(&root, &mut file, &path, extension, progress))
        }
    }
}
