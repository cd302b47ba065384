//! Files of the cache.

use std::borrow::Cow;
use std::path::PathBuf;

use n4w_core::reading::cache;
use pyo3::prelude::*;

#[pyfunction]
pub fn read_cache(py: Python<'_>, root: PathBuf, file: &str) -> Option<Cow<'static, [u8]>> {
    py.detach(|| cache::read_any(&root, file)).map(Cow::Owned)
}

#[pyfunction]
pub fn write_cache(py: Python<'_>, root: PathBuf, file: &str, content: &[u8]) {
    py.detach(|| cache::write_any(&root, file, content));
}
