//! Answers of the core as Python objects; what an answer shares is one object.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use n4w_core::base::error::{ErrorKind, FileError};
use n4w_core::base::value::{Key, Value};
use n4w_core::fs::folders::FIRST_BYTE;
use n4w_core::upkeep::finding::{Finding, KINDS};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyList, PyString};

const PLACES: usize = 1024;

/// Makes Python objects, each fixed key only once.
pub struct Converter<'py> {
    py: Python<'py>,
    /// Places by address: there are some sixty, so that few share one.
    keys: Vec<Option<(&'static str, Bound<'py, PyString>)>>,
    /// Places by content: answers say the same few names again and again.
    texts: Vec<Option<Bound<'py, PyString>>>,
    /// Dicts of more than a few fixed keys, by these: a copy need not grow step by step.
    shapes: Vec<(Vec<*const u8>, Bound<'py, PyDict>)>,
    shared: HashMap<*const Value, Bound<'py, PyAny>>,
}

impl<'py> Converter<'py> {
    /// Starts without keys.
    pub fn new(py: Python<'py>) -> Self {
        let (keys, texts) = ((0..PLACES).map(|_| None).collect(), (0..PLACES).map(|_| None).collect());
        Self { py, keys, texts, shapes: Vec::new(), shared: HashMap::new() }
    }

    /// The Python object of a value: dict, list, str, float, int, bool or None.
    pub fn object(&mut self, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        self.shared.clear(); // addresses say nothing beyond one answer
        let _uncollected = Uncollected::begin(self.py);
        self.convert(value)
    }

    fn key(&mut self, text: &'static str) -> &Bound<'py, PyString> {
        let place = &mut self.keys[text.as_ptr() as usize % PLACES];
        let (_, key) = match place.take() {
            Some(known) if std::ptr::eq(known.0, text) => place.insert(known),
            _ => place.insert((text, PyString::intern(self.py, text))),
        };
        key
    }

    fn text(&mut self, text: &str) -> Bound<'py, PyString> {
        let bytes = text.as_bytes();
        let ends = [bytes.first(), bytes.get(bytes.len() / 2), bytes.last()];
        let mixed =
            ends.iter().fold(bytes.len(), |mixed, &byte| mixed * 31 + usize::from(*byte.unwrap_or(&0)));
        let place = &mut self.texts[mixed % PLACES];
        match place {
            Some(known) if known.to_str().is_ok_and(|known| known == text) => known.clone(),
            _ => place.insert(PyString::new(self.py, text)).clone(),
        }
    }

    /// A dict with these keys, where they are fixed and more than a new dict has room for; else an empty one.
    fn dict_like(&mut self, entries: &[(Key, Value)]) -> PyResult<Bound<'py, PyDict>> {
        const ROOM: usize = 5;
        let is_fixed = entries.len() > ROOM && entries.iter().all(|(key, _)| matches!(key, Cow::Borrowed(_)));
        if !is_fixed {
            return Ok(PyDict::new(self.py));
        }
        let addresses = || entries.iter().map(|(key, _)| key.as_ptr());
        if let Some((_, dict)) = self.shapes.iter().find(|(keys, _)| keys.iter().copied().eq(addresses())) {
            return dict.copy();
        }
        let dict = PyDict::new(self.py);
        for (key, _) in entries {
            if let Cow::Borrowed(key) = key {
                let none = self.py.None();
                dict.set_item(self.key(key), none)?;
            }
        }
        self.shapes.push((addresses().collect(), dict.copy()?));
        Ok(dict)
    }

    fn convert(&mut self, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        Ok(match value {
            Value::Null => py.None().into_bound(py),
            Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
            Value::Int(value) => value.into_pyobject(py)?.into_any(),
            Value::Whole(value) => value.into_pyobject(py)?.into_any(),
            Value::Float(value) => PyFloat::new(py, *value).into_any(),
            Value::Text(text) => self.text(text).into_any(),
            Value::Name(name) => match bytes_of(name) {
                None => self.text(name).into_any(),
                Some(bytes) => py.import("os")?.getattr("fsdecode")?.call1((PyBytes::new(py, &bytes),))?,
            },
            Value::List(values) => {
                let objects: Vec<_> =
                    values.iter().map(|value| self.convert(value)).collect::<PyResult<_>>()?;
                PyList::new(py, objects)?.into_any()
            }
            Value::Map(entries) => {
                let dict = self.dict_like(entries)?;
                for (key, value) in entries {
                    let value = self.convert(value)?;
                    match key {
                        Cow::Borrowed(text) => dict.set_item(self.key(text), value)?,
                        Cow::Owned(text) => dict.set_item(text, value)?,
                    }
                }
                dict.into_any()
            }
            Value::Shared(value) => match self.shared.get(&Arc::as_ptr(value)) {
                Some(object) => object.clone(),
                None => {
                    let object = self.convert(value)?;
                    self.shared.insert(Arc::as_ptr(value), object.clone());
                    object
                }
            },
        })
    }
}

/// Holds off the collector of reference cycles, which would pass over what is being made again and again.
struct Uncollected {
    was_enabled: bool,
}

#[allow(unsafe_code, reason = "the stable interface of the collector")]
impl Uncollected {
    fn begin(_: Python<'_>) -> Self {
        // SAFETY: the GIL is held, here and until this is dropped.
        Self { was_enabled: unsafe { ffi::PyGC_Disable() } == 1 }
    }
}

#[allow(unsafe_code, reason = "the stable interface of the collector")]
impl Drop for Uncollected {
    fn drop(&mut self) {
        if self.was_enabled {
            // SAFETY: as above.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

/// The bytes of a name that is no UTF-8; `None` of others.
fn bytes_of(name: &str) -> Option<Vec<u8>> {
    let byte = |character: char| {
        let byte = u8::try_from(u32::from(character).checked_sub(FIRST_BYTE)?).ok()?;
        (!byte.is_ascii()).then_some(byte)
    };
    name.contains(|character| byte(character).is_some()).then(|| {
        let mut bytes = Vec::with_capacity(name.len());
        for character in name.chars() {
            match byte(character) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        bytes
    })
}

/// Files that could not be used, as every answer lists them.
pub fn errors_value(errors: &[FileError]) -> Value {
    let entry = |error: &FileError| {
        Value::map([
            ("path", Value::Name(error.path.clone())),
            ("kind", error.kind.name().into()),
            ("message", error.message.as_str().into()),
        ])
    };
    errors.iter().map(entry).collect()
}

/// What a check found, as every answer lists it.
pub fn findings_value(findings: &[Finding]) -> Value {
    let entry = |finding: &Finding| {
        debug_assert!(
            KINDS.contains(&finding.kind) || ErrorKind::ALL.iter().any(|kind| kind.name() == finding.kind),
            "expected a kind of finding, got {}",
            finding.kind
        );
        Value::map([
            ("path", Value::Name(finding.path.clone())),
            ("kind", finding.kind.into()),
            ("message", finding.message.as_str().into()),
        ])
    };
    findings.iter().map(entry).collect()
}

/// The kinds of errors, and those of findings beside them.
#[pyfunction]
pub fn problem_kinds() -> (Vec<&'static str>, Vec<&'static str>) {
    (ErrorKind::ALL.iter().map(|kind| kind.name()).collect(), KINDS.to_vec())
}
