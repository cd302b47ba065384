//! All files of a tree by size.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use n4w_core::base::value::Value;
use n4w_core::hash::{ContentHash, quick};
use n4w_core::index::{self, Refresh, Stage, Wanted};
use n4w_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;

use crate::convert::{Converter, errors_value};
use crate::gate::{absolute, enter, to_py};
use crate::hash::HashCache;

/// Files by size, quick hash and full hash.
#[pyclass(frozen, module = "nirs4all_workspace")]
pub struct FileIndex {
    inner: index::FileIndex,
    threads: usize,
}

#[pymethods]
impl FileIndex {
    #[new]
    #[pyo3(signature = (root, hashes=None, *, threads=0))]
    fn new(py: Python<'_>, root: PathBuf, hashes: Option<&HashCache>, threads: usize) -> PyResult<Self> {
        let root = absolute(py, root)?;
        let hashes = hashes.map(|hashes| Arc::clone(&hashes.inner));
        let inner = enter(py, threads, None, |progress| index::FileIndex::open(&root, hashes, progress))?;
        Ok(Self { inner, threads })
    }

    #[getter]
    fn root(&self) -> OsString {
        self.inner.root().into()
    }

    #[getter]
    fn errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Converter::new(py).object(&errors_value(&self.inner.errors()))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (OsString,)) {
        (slf.get_type().into_any(), (slf.get().root(),))
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    #[pyo3(signature = (*, files=true))]
    fn refresh(&self, py: Python<'_>, files: bool) -> PyResult<()> {
        if !files && py.detach(|| self.inner.refresh_files_only()) {
            return Ok(());
        }
        let refresh = if files { Refresh::Files } else { Refresh::Folders };
        enter(py, self.threads, None, |progress| self.inner.refresh(refresh, progress))
    }

    #[pyo3(signature = (*, hash=None, size=None, quick=None, progress=None))]
    fn find(
        &self,
        py: Python<'_>,
        hash: Option<&str>,
        size: Option<u64>,
        quick: Option<&str>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Vec<OsString>> {
        let wanted = wanted(hash, size, quick, None).map_err(|error| to_py(py, &error))?;
        let found = enter(py, self.threads, progress.as_ref(), |progress| {
            let found = self.inner.search(&wanted, true, progress);
            self.inner.hashes().save();
            found
        })?;
        Ok(found.paths.into_iter().map(PathBuf::into_os_string).collect())
    }

    #[pyo3(signature = (*, hash=None, size=None, quick=None, name=None, progress=None))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        hash: Option<&str>,
        size: Option<u64>,
        quick: Option<&str>,
        name: Option<OsString>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Vec<OsString>, Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let wanted = wanted(hash, size, quick, name).map_err(|error| to_py(py, &error))?;
        let found = match py.detach(|| self.inner.search_sizes(&wanted)) {
            Some(nothing) => nothing,
            None => enter(py, self.threads, progress.as_ref(), |progress| {
                self.inner.search(&wanted, false, progress)
            })?,
        };
        let stage = |stage: &Stage| {
            Value::map([
                ("stage", stage.name.into()),
                ("candidates", (stage.candidates as u64).into()),
                ("bytes_read", stage.bytes_read.into()),
                ("seconds", stage.seconds.into()),
            ])
        };
        let mut converter = Converter::new(py);
        let stages = converter.object(&found.stages.iter().map(stage).collect())?;
        let errors = converter.object(&errors_value(&found.errors))?;
        Ok((found.paths.into_iter().map(PathBuf::into_os_string).collect(), stages, errors))
    }

    #[pyo3(signature = (*, progress=None))]
    fn duplicates(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<Vec<Vec<OsString>>> {
        let (groups, _) = enter(py, self.threads, progress.as_ref(), |progress| {
            let groups = self.inner.duplicates(progress);
            self.inner.hashes().save();
            groups
        })?;
        let paths = |group: Vec<PathBuf>| group.into_iter().map(PathBuf::into_os_string).collect();
        Ok(groups.into_iter().map(paths).collect())
    }
}

fn wanted(
    hash: Option<&str>,
    size: Option<u64>,
    quick: Option<&str>,
    name: Option<OsString>,
) -> Result<Wanted> {
    let hash = hash.map(str::parse::<ContentHash>).transpose()?;
    let no_quick = |text: &str| {
        let message = format!("'{text}' is no quick hash like 'quick1:0123456789abcdef'");
        Error::new(ErrorKind::Argument, message)
    };
    let quick = quick.map(|text| quick::parse(text).ok_or_else(|| no_quick(text))).transpose()?;
    if hash.is_none() && size.is_none() && quick.is_none() {
        return Err(Error::new(ErrorKind::Argument, "give a hash, a size or a quick hash to look for"));
    }
    Ok(Wanted { hash, size, quick, name })
}
