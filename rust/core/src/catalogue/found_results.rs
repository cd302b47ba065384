//! The results of some runs, and what could not be used.

use crate::base::error::FileError;
use crate::yaml::tree::Tree;

/// The results of some runs.
#[derive(Debug, Default)]
pub struct Results {
    /// By run, oldest first; of a run, in the order that they were completed.
    pub results: Vec<Tree>,
    /// Further checkpoints of results that are there: diverged copies of a run were merged.
    pub repeated: Vec<Tree>,
    /// What could not be used.
    pub errors: Vec<FileError>,
    /// Whether the scores of some are not known yet: an earlier version finished them.
    pub lacks_scores: bool,
}
