//! A column that no file has: a number of the JSON text `scores`.

use crate::base::error::Result;
use crate::summary::json_scores::{PREFIX, ScorePath};

/// What the names of columns begin with that rank rows: the score of rows of a metric, that in `scores` of others.
const RANKED: &str = "\0ranked.";

/// One such column.
#[derive(Clone, Debug)]
pub struct ScoreColumn {
    /// What is asked of `scores`.
    pub path: ScorePath,
    /// Whether rows that have the metric as their own have their score instead.
    pub takes_own: bool,
}

impl ScoreColumn {
    /// The column of that name; `None` where it is no such column.
    pub fn of(name: &str) -> Option<Result<Self>> {
        let (text, takes_own) = match name.strip_prefix(RANKED) {
            Some(rest) if rest.starts_with(PREFIX) => (rest, true),
            _ => (name, false),
        };
        Some(ScorePath::of_column(text)?.map(|path| Self { path, takes_own }))
    }

    /// The name of the column that ranks rows by a metric.
    pub fn ranking(path: &ScorePath) -> String {
        format!("{RANKED}{}", path.column())
    }
}
