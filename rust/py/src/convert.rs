//! Answers of the core as Python objects.

use std::borrow::Cow;
use std::collections::HashMap;

use n4w_core::files::FileError;
use n4w_core::value::Value;
use n4w_core::verify::Finding;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList, PyString};

/// Makes Python objects, each fixed key only once.
pub struct Converter<'py> {
    py: Python<'py>,
    keys: HashMap<*const u8, Bound<'py, PyString>>,
}

impl<'py> Converter<'py> {
    /// Starts without keys.
    pub fn new(py: Python<'py>) -> Self {
        Self { py, keys: HashMap::new() }
    }

    /// The Python object of a value: dict, list, str, float, int, bool or None.
    pub fn object(&mut self, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        Ok(match value {
            Value::Null => py.None().into_bound(py),
            Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
            Value::Int(value) => value.into_pyobject(py)?.into_any(),
            Value::Float(value) => PyFloat::new(py, *value).into_any(),
            Value::Text(text) => PyString::new(py, text).into_any(),
            Value::List(values) => {
                let objects: Vec<_> =
                    values.iter().map(|value| self.object(value)).collect::<PyResult<_>>()?;
                PyList::new(py, objects)?.into_any()
            }
            Value::Map(entries) => {
                let dict = PyDict::new(py);
                for (key, value) in entries {
                    let value = self.object(value)?;
                    match key {
                        Cow::Borrowed(text) => {
                            let key =
                                self.keys.entry(text.as_ptr()).or_insert_with(|| PyString::intern(py, text));
                            dict.set_item(&*key, value)?;
                        }
                        Cow::Owned(text) => dict.set_item(text, value)?,
                    }
                }
                dict.into_any()
            }
        })
    }
}

/// Files that could not be used, as every answer lists them.
pub fn errors_value(errors: &[FileError]) -> Value {
    let entry = |error: &FileError| {
        Value::map([
            ("path", error.path.as_str().into()),
            ("kind", error.kind.name().into()),
            ("message", error.message.as_str().into()),
        ])
    };
    errors.iter().map(entry).collect()
}

/// What a check found, as every answer lists it.
pub fn findings_value(findings: &[Finding]) -> Value {
    let entry = |finding: &Finding| {
        Value::map([
            ("path", finding.path.as_str().into()),
            ("kind", finding.kind.into()),
            ("message", finding.message.as_str().into()),
        ])
    };
    findings.iter().map(entry).collect()
}
