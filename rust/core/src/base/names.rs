//! Names of things: compared in Unicode NFC, since a Mac writes those of files in NFD, and made into names of
//! files and folders.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::content::blake3_hex;

const LONGEST_SLUG: usize = 40;

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

/// A short name in ASCII letters, digits and `_`, lowercase, that people recognise; maybe empty.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.nfkd().filter(char::is_ascii) {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    shorter(slug, LONGEST_SLUG)
}

/// The folder of a dataset below `predictions` and `arrays`: its slug and 8 hex of BLAKE3. Names that look alike
/// in every normal form of Unicode are the same dataset.
pub fn dataset_folder(name: &str) -> String {
    let digest = blake3_hex(nfc(name).as_bytes(), 8);
    let short = shorter(slug(name), LONGEST_SLUG - 9);
    if short.is_empty() { digest } else { format!("{short}_{digest}") }
}

fn shorter(mut slug: String, longest: usize) -> String {
    slug.truncate(longest);
    slug.trim_end_matches('_').to_owned()
}
