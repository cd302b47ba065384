//! Names are compared in Unicode NFC: a Mac writes those of files in NFD.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A name in the form by which names are compared.
pub fn nfc(name: &str) -> Cow<'_, str> {
    if name.is_ascii() || is_nfc(name) { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}

/// A name as a Mac writes it.
pub fn nfd(name: &str) -> String {
    name.nfd().collect()
}

/// Whether two names are one.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || (!(one.is_ascii() || other.is_ascii()) && nfc(one) == nfc(other))
}

/// A number as a name: a whole one without a point, as the integer that it was before a gap in its
/// column made it a float; NaN, which such a gap becomes, is no name.
pub fn float_name(value: f64) -> Option<String> {
    (!value.is_nan()).then(|| value.to_string())
}
