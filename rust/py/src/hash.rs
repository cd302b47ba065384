//! Fingerprints of files and folders.

use std::path::PathBuf;
use std::sync::Arc;

use n4w_core::base::progress::Progress;
use n4w_core::hash::{self, Algorithm, Fingerprint, quick};
use pyo3::prelude::*;

use crate::gate::{absolute, enter, to_py};

/// Hash, bytes, whether it is a folder, bytes read.
type Found = (String, u64, bool, u64);

fn found(fingerprint: Fingerprint) -> Found {
    (fingerprint.hash.to_string(), fingerprint.size, fingerprint.is_folder, fingerprint.bytes_read)
}

fn algorithm(py: Python<'_>, name: &str) -> PyResult<Algorithm> {
    name.parse().map_err(|error| to_py(py, &error))
}

#[pyfunction]
#[pyo3(signature = (path, algorithm="blake3", *, threads=0))]
pub fn hash_file(py: Python<'_>, path: PathBuf, algorithm: &str, threads: usize) -> PyResult<String> {
    let (algorithm, path) = (self::algorithm(py, algorithm)?, absolute(py, path)?);
    let fingerprint = enter(py, threads, None, |progress| hash::hash_path(&path, algorithm, progress))?;
    Ok(fingerprint.hash.to_string())
}

#[pyfunction]
pub fn quick_hash(py: Python<'_>, path: PathBuf) -> PyResult<Option<String>> {
    let path = absolute(py, path)?;
    let quick = py.detach(|| hash::HashCache::default().quick(&path, &Progress::default()));
    Ok(quick.map_err(|error| to_py(py, &error))?.map(|(quick, _)| quick::show(quick)))
}

#[pyfunction]
pub fn content_size(py: Python<'_>, path: PathBuf) -> PyResult<(u64, bool)> {
    py.detach(|| hash::size(&path)).map_err(|error| to_py(py, &error))
}

#[pyfunction]
pub fn has_trusted_ctime(path: PathBuf) -> bool {
    n4w_core::fs::platform::has_trusted_ctime(&path)
}

/// What was hashed before, by the stat of files.
#[pyclass(frozen)]
pub struct HashCache {
    pub inner: Arc<hash::HashCache>,
}

#[pymethods]
impl HashCache {
    #[new]
    fn new(root: PathBuf) -> Self {
        Self { inner: Arc::new(hash::HashCache::of(&root)) }
    }

    fn known(&self, py: Python<'_>, path: PathBuf, algorithm: &str) -> PyResult<Option<Found>> {
        let algorithm = self::algorithm(py, algorithm)?;
        let known = py.detach(|| self.inner.known(&path, algorithm));
        Ok(known.map_err(|error| to_py(py, &error))?.map(found))
    }

    #[pyo3(signature = (path, algorithm="blake3", progress=None, *, threads=0))]
    fn fingerprint(
        &self,
        py: Python<'_>,
        path: PathBuf,
        algorithm: &str,
        progress: Option<Py<PyAny>>,
        threads: usize,
    ) -> PyResult<Found> {
        let algorithm = self::algorithm(py, algorithm)?;
        let is_reported = progress.is_some();
        let work = |progress: &Progress| {
            if is_reported {
                progress.expect_bytes(hash::size(&path)?.0);
            }
            self.inner.fingerprint(&path, algorithm, progress)
        };
        enter(py, threads, progress.as_ref(), work).map(found)
    }

    #[pyo3(signature = (path, algorithm="blake3"))]
    fn other_forms(&self, py: Python<'_>, path: PathBuf, algorithm: &str) -> PyResult<Vec<String>> {
        let algorithm = self::algorithm(py, algorithm)?;
        let forms = enter(py, 0, None, |progress| self.inner.other_forms(&path, algorithm, progress))?;
        Ok(forms.iter().map(ToString::to_string).collect())
    }

    fn quick(&self, py: Python<'_>, path: PathBuf) -> PyResult<(Option<String>, u64)> {
        let quick = py.detach(|| self.inner.quick(&path, &Progress::default()));
        let quick = quick.map_err(|error| to_py(py, &error))?;
        Ok(quick.map_or((None, 0), |(quick, read)| (Some(quick::show(quick)), read)))
    }

    fn save(&self, py: Python<'_>) {
        py.detach(|| self.inner.save());
    }
}
