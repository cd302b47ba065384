//! Which files of one folder of `predictions` are live, and which of their rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::hidden_rows::{Hidden, Part};
use crate::base::error::Error;

/// Which files in one folder of `predictions` are live, and which of their rows are hidden.
#[derive(Debug, Default)]
pub struct LiveSet {
    /// Sealed segments, and other prediction files.
    pub files: Vec<String>,
    /// Journals that no segment covers.
    pub journals: Vec<String>,
    /// What of these is hidden.
    pub hidden: HashMap<String, Arc<Hidden>>,
    /// Sealed segments whose journal goes on: the journal is live in their place.
    pub outgrown: Vec<String>,
    /// Journals that a segment covers.
    pub covered: Vec<String>,
    /// Segments and compactions whose rows others have, each with one of those.
    pub replaced: Vec<(String, String)>,
    /// Compactions of an earlier version that share inputs with a larger one without being part of it, and
    /// segments that go on after what such a one merged of them: copies went apart, and these are not live.
    pub diverged: Vec<String>,
    /// Compactions of which some rows are hidden, each with a writer whose rows another file carries further.
    pub overlapping: Vec<(String, String)>,
    /// Results of which a file has hidden rows.
    pub lost: Vec<Lost>,
    /// Journals that cannot be resolved, and are not live.
    pub errors: Vec<(String, Error)>,
}

/// A result whose rows in a file are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The file.
    pub file: String,
    /// The id of the result.
    pub result: String,
    /// The writer whose checkpoint of it won.
    pub winner: String,
}

impl LiveSet {
    /// The part of a file that hides rows of results, each with the writer that won it.
    pub(crate) fn part(
        &mut self,
        file: &str,
        rows: std::ops::Range<u64>,
        results: &BTreeMap<String, String>,
    ) -> Part {
        let lost = results.iter().map(|(result, winner)| Lost {
            file: file.to_owned(),
            result: result.clone(),
            winner: winner.clone(),
        });
        self.lost.extend(lost);
        Part { rows, results: Some(Arc::new(results.keys().cloned().collect())) }
    }

    pub(crate) fn hide(&mut self, file: &str, parts: Vec<Part>) {
        let hidden = Hidden::of(parts);
        self.hidden.extend(hidden.map(|hidden| (file.to_owned(), Arc::new(hidden))));
    }
}

/// Whether open segments are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Those that no sealed segment covers.
    Live,
    /// None; a sealed segment is live even where its journal goes on.
    LeftOut,
}
