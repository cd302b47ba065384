//! YAML files and trees of plain data as Python objects, and back.

use std::path::{Path, PathBuf};

use n4w_core::base::codec::{ByteReader, ByteWriter};
use n4w_core::catalogue::native;
use n4w_core::yaml::tree::{DEEPEST, Part, Time, Tree};
use n4w_core::yaml::{self, canonical};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::gate::{detached, to_py};

#[pyfunction]
pub fn read_yaml(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyAny>> {
    parsed(py, &path, || yaml::read(&path))
}

#[pyfunction]
pub fn parse_yaml<'py>(py: Python<'py>, content: &[u8], path: PathBuf) -> PyResult<Bound<'py, PyAny>> {
    parsed(py, &path, || yaml::parse(content))
}

#[pyfunction]
pub fn parse_run<'py>(py: Python<'py>, content: &[u8], path: PathBuf) -> PyResult<Bound<'py, PyAny>> {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    parsed(py, &path, || native::parse(content, &folder))
}

fn parsed<'py>(
    py: Python<'py>,
    path: &Path,
    parse: impl FnOnce() -> n4w_core::Result<Tree> + Send,
) -> PyResult<Bound<'py, PyAny>> {
    let bytes = detached(py, Some(path), || {
        let mut writer = ByteWriter::default();
        parse().map_err(|error| error.at(path))?.encode(&mut writer);
        Ok(writer.bytes)
    })?;
    Trees::new(py).object(&bytes)
}

#[pyfunction]
pub fn check_record(py: Python<'_>, name: &str, content: &[u8]) -> PyResult<()> {
    py.detach(|| native::check_file(name, content)).map_err(|error| to_py(py, &error))
}

#[pyfunction]
pub fn in_line(content: &[u8], key: &str) -> String {
    native::in_line(content, key)
}

#[pyfunction]
pub fn canonical_json<'py>(py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, canonical::canonical_json(&tree_of(value, 0)?).as_bytes()))
}

/// Plain data as a tree; `depth` is how many lists and mappings it is in.
fn tree_of(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Tree> {
    if depth > DEEPEST {
        let what = format!("is nested deeper than {DEEPEST} levels, or contains itself");
        return Err(PyValueError::new_err(what));
    }
    if value.is_none() {
        return Ok(Tree::Null);
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Tree::Bool(truth.is_true()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Tree::Text(text.to_str()?.to_owned()));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(value.extract().map_or_else(|_| Tree::Digits(value.to_string()), Tree::Int));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(Tree::Float(number.value()));
    }
    if let Ok(mapping) = value.cast::<PyDict>() {
        let entry = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((Tree::Text(key.cast::<PyString>()?.to_str()?.to_owned()), tree_of(&value, depth + 1)?))
        };
        return mapping.iter().map(entry).collect::<PyResult<_>>().map(Tree::Map);
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        return value.try_iter()?.map(|item| tree_of(&item?, depth + 1)).collect();
    }
    Err(PyTypeError::new_err(format!("expected plain data, got {}", value.get_type())))
}

const PLACES: usize = 512;

/// Makes Python objects of trees that were written down; texts that come again are one object.
pub struct Trees<'py> {
    py: Python<'py>,
    texts: Vec<Option<Bound<'py, PyString>>>,
}

impl<'py> Trees<'py> {
    /// Starts without texts.
    pub fn new(py: Python<'py>) -> Self {
        Self { py, texts: (0..PLACES).map(|_| None).collect() }
    }

    /// The Python object of a tree that was written down.
    pub fn object(&mut self, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        self.next(&mut ByteReader::new(bytes))
    }

    fn next(&mut self, reader: &mut ByteReader<'_>) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        Ok(match Part::next(reader).map_err(|error| to_py(py, &error))? {
            Part::Null => py.None().into_bound(py),
            Part::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
            Part::Int(value) => value.into_pyobject(py)?.into_any(),
            Part::Digits(digits) => py.import("builtins")?.getattr("int")?.call1((digits,))?,
            Part::Float(value) => PyFloat::new(py, value).into_any(),
            Part::Text(text) => self.text(text).into_any(),
            Part::Time(time) => self.time(&time)?,
            Part::List(count) => {
                let list = PyList::empty(py);
                for _ in 0..count {
                    list.append(self.next(reader)?)?;
                }
                list.into_any()
            }
            Part::Map(count) => {
                let dict = PyDict::new(py);
                for _ in 0..count {
                    let key = self.next(reader)?;
                    dict.set_item(key, self.next(reader)?)?;
                }
                dict.into_any()
            }
        })
    }

    fn text(&mut self, text: &str) -> Bound<'py, PyString> {
        let mixed = text
            .bytes()
            .take(24)
            .fold(text.len(), |mixed, byte| mixed.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let place = &mut self.texts[mixed % PLACES];
        match place {
            Some(known) if known.to_str().is_ok_and(|known| known == text) => known.clone(),
            _ => place.insert(PyString::new(self.py, text)).clone(),
        }
    }

    fn time(&self, time: &Time) -> PyResult<Bound<'py, PyAny>> {
        let module = self.py.import("datetime")?;
        let Some(clock) = time.clock else { return module.getattr("date")?.call1(time.day) };
        let zone = match time.offset {
            None => None,
            Some(minutes) => {
                let delta = module.getattr("timedelta")?.call1((0, i64::from(minutes) * 60))?;
                Some(module.getattr("timezone")?.call1((delta,))?)
            }
        };
        let ((year, month, day), (hour, minute, second, micro)) = (time.day, clock);
        module.getattr("datetime")?.call1((year, month, day, hour, minute, second, micro, zone))
    }
}
