//! Files of the cache.

use n4w_core::fs::cache_file;
use std::borrow::Cow;
use std::path::PathBuf;

use pyo3::prelude::*;

#[pyfunction]
pub fn read_cache(py: Python<'_>, root: PathBuf, file: &str) -> Option<Cow<'static, [u8]>> {
    py.detach(|| cache_file::read_any(&root, file)).map(Cow::Owned)
}

#[pyfunction]
pub fn write_cache(py: Python<'_>, root: PathBuf, file: &str, content: &[u8]) {
    py.detach(|| cache_file::write_any(&root, file, content));
}
