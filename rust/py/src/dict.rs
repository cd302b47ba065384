//! The values of dicts that have the same keys at the same places, as the rows of one source do.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// Where a dict has the keys that are asked for.
///
/// Other dicts are compared by the identity of keys alone, which we own, so that no other object can come
/// to lie where one of them lay. By default it is the shape of an empty dict.
pub struct Shape<const N: usize> {
    entries: Vec<Entry>,
    /// Whether some key that is asked for is missing, so that all keys are `entries`, to be sure it is.
    is_all: bool,
}

struct Entry {
    /// What `PyDict_Next` is given to come to the key.
    at: ffi::Py_ssize_t,
    key: Py<PyString>,
    /// Which one of those that are asked for.
    asked: Option<usize>,
}

/// The values of the keys that are asked for: `None` where there is no such key, or where it is None.
pub type Values<'a, 'py, const N: usize> = [Option<Borrowed<'a, 'py, PyAny>>; N];

impl<const N: usize> Default for Shape<N> {
    fn default() -> Self {
        Self { entries: Vec::new(), is_all: true }
    }
}

impl<const N: usize> Shape<N> {
    /// The shape of a dict; `None` where a key is no plain text, which might be equal to anything.
    pub fn of(dict: &Bound<'_, PyDict>, asked: &[&str; N]) -> Option<Self> {
        let (mut entries, mut at) = (Vec::new(), 0);
        loop {
            let start = at;
            // SAFETY: the key is owned before anything else is done.
            #[allow(unsafe_code, reason = "the stable interface of dicts")]
            let Some(key) = (unsafe { next(dict, &mut at) }).map(|(key, _)| key.to_owned()) else { break };
            let key = key.cast_into_exact::<PyString>().ok()?;
            let asked = asked.iter().position(|&name| key.to_str().is_ok_and(|key| key == name));
            entries.push(Entry { at: start, key: key.unbind(), asked });
        }
        let is_all = entries.iter().filter(|entry| entry.asked.is_some()).count() < N;
        entries.retain(|entry| is_all || entry.asked.is_some());
        Some(Self { entries, is_all })
    }

    /// The values of a dict, where it is of this shape.
    ///
    /// # Safety
    ///
    /// They are not owned: no code of Python may run before they are used for the last time.
    #[inline]
    #[allow(unsafe_code, reason = "values that are not owned")]
    pub unsafe fn values<'a, 'py>(&self, dict: &'a Bound<'py, PyDict>) -> Option<Values<'a, 'py, N>> {
        if self.is_all && dict.len() != self.entries.len() {
            return None;
        }
        let mut values = [None; N];
        for entry in &self.entries {
            let mut at = entry.at;
            // SAFETY: no code of Python runs here, and the caller promises the rest.
            let (key, value) = unsafe { next(dict, &mut at) }?;
            if key.as_ptr() != entry.key.as_ptr() {
                return None;
            }
            if let Some(asked) = entry.asked {
                values[asked] = Some(value).filter(|value| !value.is_none());
            }
        }
        Some(values)
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
