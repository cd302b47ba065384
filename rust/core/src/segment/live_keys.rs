//! The keys in the footer of a segment that decide which files and rows are live, and whether they are trusted.
//!
//! A key that changed could hide rows, count them twice or have files removed. The digest of the footer proves that
//! none did; nothing is trusted where it is not right.

use crate::base::error::{Result, corrupt};
use crate::base::file_names::Name;
use crate::footer::keys::{JOURNAL_KEY, REPLACES_KEY, RESULTS_KEY};
use crate::footer::{Footer, digest};
use crate::summary::embedded::SKETCH_KEY;

/// How the name of the program begins that wrote a segment of this package.
const CREATED_BY: &[u8] = b"parquet-rs ";

/// The keys.
pub const LIVE_KEYS: [&str; 3] = [JOURNAL_KEY, REPLACES_KEY, RESULTS_KEY];

/// The values of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveKeys<'a> {
    /// Which journal it was sealed from.
    pub journal: Option<&'a str>,
    /// What it merged.
    pub replaces: Option<&'a str>,
    /// The results that were checkpointed in it.
    pub results: Option<&'a str>,
}

impl<'a> LiveKeys<'a> {
    /// Those of a segment, by its name where it has one; none of a file that another program rewrote.
    ///
    /// Fails where the footer changed since it was written, and where a compaction was rewritten: its rows would
    /// count beside those that it replaces.
    pub fn of(footer: &Footer<'a>, name: Option<&Name>) -> Result<Self> {
        let keys = Self {
            journal: footer.get(JOURNAL_KEY),
            replaces: footer.get(REPLACES_KEY),
            results: footer.get(RESULTS_KEY),
        };
        let is_of_others = name.is_none() && keys == Self::default();
        if is_of_others || is_as_written(footer) {
            return Ok(keys);
        }
        let is_compaction = keys.replaces.is_some() || name.is_some_and(Name::is_compaction);
        if is_rewritten(footer) && !is_compaction {
            return Ok(Self::default());
        }
        Err(corrupt(
            "its footer changed since it was written, and what it says of which rows are live is not trusted; \
             restore the file from a copy, or move it away",
        ))
    }
}

/// Whether the digest of a footer is right, or there is none: a summary that did not fit has none, nor have files
/// of others.
fn is_as_written(footer: &Footer<'_>) -> bool {
    match digest::verified(footer.bytes) {
        Some(_) => true,
        None => !digest::is_there(footer.bytes) && footer.get(SKETCH_KEY).is_none(),
    }
}

/// Whether another program wrote a file anew and copied the keys: its name differs from ours by more than damage to
/// one byte of it.
fn is_rewritten(footer: &Footer<'_>) -> bool {
    footer.created_by.is_some_and(|name| {
        let equal = name.bytes().zip(CREATED_BY).filter(|(one, other)| one == *other).count();
        equal + 1 < CREATED_BY.len()
    })
}
