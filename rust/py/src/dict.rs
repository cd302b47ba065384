//! The values of dicts that have the same keys at the same places, as the rows of one source do.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// Where a dict has the keys that are asked for.
///
/// Other dicts are compared by the identity of keys alone, which we own, so that no other object can come
/// to lie where one of them lay. By default it is the shape of an empty dict.
pub struct Shape<const N: usize> {
    asked: [Option<Entry>; N],
    /// All keys, where one that is asked for is missing: only so it is sure to be missing again.
    all: Option<Vec<Entry>>,
}

struct Entry {
    /// What `PyDict_Next` is given to come to the key.
    at: ffi::Py_ssize_t,
    key: Py<PyString>,
}

/// A dict is of another shape.
pub struct Elsewhere;

impl<const N: usize> Default for Shape<N> {
    fn default() -> Self {
        Self { asked: [const { None }; N], all: Some(Vec::new()) }
    }
}

impl<const N: usize> Shape<N> {
    /// The shape of a dict; `None` where a key is no plain text, which might be equal to anything.
    pub fn of(dict: &Bound<'_, PyDict>, asked: &[&str; N]) -> Option<Self> {
        let mut shape = Self::default();
        let (mut all, mut at) = (Vec::new(), 0);
        loop {
            let start = at;
            // SAFETY: the key is owned before anything else is done.
            #[allow(unsafe_code, reason = "keys that are not owned")]
            let Some(key) = (unsafe { next(dict, &mut at) }).map(|(key, _)| key.to_owned()) else { break };
            let key = key.cast_into_exact::<PyString>().ok()?;
            if let Some(place) = key.to_str().ok().and_then(|key| asked.iter().position(|&name| name == key))
            {
                shape.asked[place] = Some(Entry { at: start, key: key.clone().unbind() });
            }
            all.push(Entry { at: start, key: key.unbind() });
        }
        let is_whole = shape.asked.iter().all(Option::is_some);
        Some(Self { all: (!is_whole).then_some(all), ..shape })
    }

    /// Whether a dict can be of this shape, which [`Self::value`] finds out for sure.
    #[inline]
    pub fn may_be_of(&self, dict: &Bound<'_, PyDict>) -> bool {
        self.all.as_ref().is_none_or(|all| {
            // SAFETY: the values are not used.
            #[allow(unsafe_code, reason = "values that are not owned")]
            let is_there = |entry: &Entry| unsafe { entry.value(dict) }.is_some();
            dict.len() == all.len() && all.iter().all(is_there)
        })
    }

    /// The value of the key that is asked for at a place, `None` if there is none or if it is None.
    ///
    /// # Safety
    ///
    /// It is not owned: no code of Python may run before it is used for the last time.
    #[inline]
    #[allow(unsafe_code, reason = "a value that is not owned")]
    pub unsafe fn value<'a, 'py>(
        &self,
        dict: &'a Bound<'py, PyDict>,
        place: usize,
    ) -> Result<Option<Borrowed<'a, 'py, PyAny>>, Elsewhere> {
        let Some(entry) = &self.asked[place] else { return Ok(None) };
        // SAFETY: the caller promises it.
        let value = unsafe { entry.value(dict) }.ok_or(Elsewhere)?;
        Ok((!value.is_none()).then_some(value))
    }
}

impl Entry {
    /// # Safety
    ///
    /// As of [`Shape::value`].
    #[inline]
    #[allow(unsafe_code, reason = "a value that is not owned")]
    unsafe fn value<'a, 'py>(&self, dict: &'a Bound<'py, PyDict>) -> Option<Borrowed<'a, 'py, PyAny>> {
        let mut at = self.at;
        // SAFETY: the caller promises it.
        let (key, value) = unsafe { next(dict, &mut at) }?;
        (key.as_ptr() == self.key.as_ptr()).then_some(value)
    }
}

/// The text of what is exactly a string, and has no lone surrogates.
#[inline]
pub fn text<'a>(value: Borrowed<'a, '_, PyAny>) -> Option<&'a str> {
    let text = value.cast_exact::<PyString>().ok()?;
    let mut length = 0;
    // SAFETY: it is a string, which keeps its text as long as it lives. What `to_str` of it would return goes
    // through memory, which is half of the time that this takes.
    #[allow(unsafe_code, reason = "the stable interface of strings")]
    unsafe {
        let start = ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut length);
        if start.is_null() {
            drop(PyErr::take(value.py()));
            return None;
        }
        Some(std::str::from_utf8_unchecked(std::slice::from_raw_parts(start.cast(), length.cast_unsigned())))
    }
}

/// Whether `one` is less than `other`; `None` where they cannot be compared.
#[inline]
pub fn is_less(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> Option<bool> {
    // SAFETY: both are objects.
    #[allow(unsafe_code, reason = "the stable interface of objects")]
    match unsafe { ffi::PyObject_RichCompareBool(one.as_ptr(), other.as_ptr(), ffi::Py_LT) } {
        -1 => {
            drop(PyErr::take(one.py()));
            None
        }
        is_less => Some(is_less == 1),
    }
}

/// The next key and value of a dict from a place on, which becomes the place after it.
///
/// # Safety
///
/// They are not owned: no code of Python may run before they are used for the last time.
#[inline]
#[allow(unsafe_code, reason = "the stable interface of dicts")]
unsafe fn next<'a, 'py>(
    dict: &'a Bound<'py, PyDict>,
    at: &mut ffi::Py_ssize_t,
) -> Option<(Borrowed<'a, 'py, PyAny>, Borrowed<'a, 'py, PyAny>)> {
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: it is a dict. CPython compares the place with what the dict holds, so any is allowed. Both are
    // set where it returns true, and the dict owns them until it is changed.
    unsafe {
        (ffi::PyDict_Next(dict.as_ptr(), at, &raw mut key, &raw mut value) != 0)
            .then(|| (Borrowed::from_ptr(dict.py(), key), Borrowed::from_ptr(dict.py(), value)))
    }
}
