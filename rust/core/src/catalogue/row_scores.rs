//! Scores of results that an earlier version finished, computed from their rows.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::found_results::Results;
use super::result_fields::{COMPUTED, score_fields};
use crate::base::error::{Error, FileError, Result};
use crate::base::file_names::Name;
use crate::base::metrics;
use crate::fs::platform;
use crate::reading::{files, scan};
use crate::segment::hidden_rows::{Hidden, RESULT};
use crate::segment::live_set::Open;
use crate::summary::result_stats::{self, ResultRows, ResultStats};
use crate::types::columns::{self, Texts};
use crate::yaml::tree::Tree;

/// The files of runs, by their ids.
pub(super) struct RunFiles {
    of_run: HashMap<String, Vec<String>>,
    hidden: HashMap<String, Arc<Hidden>>,
}

impl RunFiles {
    /// Lists those of a workspace.
    pub fn list(root: &Path) -> Result<Self> {
        let listing = files::list(root, Open::Live)?;
        let mut of_run = HashMap::<String, Vec<String>>::new();
        for file in listing.files {
            if let Some(name) = Name::of_path(Path::new(&file)) {
                of_run.entry(name.run_id).or_default().push(file);
            }
        }
        Ok(Self { of_run, hidden: listing.hidden })
    }

    /// Adds the scores that results of a run lack; files that cannot be read are among its errors by then, and
    /// it still lacks scores, as where another process may rank models otherwise.
    pub fn add_scores(&self, root: &Path, run_id: &str, found: &mut Results) {
        let mut rows = HashMap::<String, ResultRows>::new();
        let (mut is_whole, mut is_for_all) = (true, true);
        for file in self.of_run.get(run_id).into_iter().flatten() {
            if let Err(error) = self.read(root, file, &mut rows) {
                is_whole = false;
                let error = FileError::new(file, &error);
                if !found.errors.contains(&error) {
                    found.errors.push(error);
                }
            }
        }
        for result in &mut found.results {
            let rows = result.text("id").and_then(|id| rows.get(id));
            let Tree::Map(entries) = result else { continue };
            if !entries.iter().any(|(key, value)| key.as_str() == Some(COMPUTED) && *value != Tree::Null)
                && let Some(rows) = rows
            {
                let stats = rows.stats();
                is_for_all &= is_ranked_alike(&stats);
                for (name, value) in score_fields(&stats) {
                    if let Some((_, own)) = entries.iter_mut().find(|(key, _)| key.as_str() == Some(name)) {
                        *own = value;
                    }
                }
            }
        }
        found.lacks_scores = !(is_whole && is_for_all);
    }

    fn read(&self, root: &Path, file: &str, rows: &mut HashMap<String, ResultRows>) -> Result<()> {
        let path = root.join(file);
        let opened = platform::open(&path).map_err(|error| Error::io(&path, error))?;
        let hidden = self.hidden.get(file);
        let wanted = [&columns::COLUMNS[..], &result_stats::COLUMNS[..], &[RESULT]].concat();
        let mut place = 0;
        let mut add = |batch: &RecordBatch| -> Result<()> {
            let live = hidden.map(|hidden| hidden.filter(batch, place)).transpose()?;
            place += batch.num_rows() as u64;
            add_by_result(live.as_ref().unwrap_or(batch), rows)
        };
        scan::read_rows(&path, opened, &wanted, &mut |batches| batches.iter().try_for_each(&mut add))?;
        Ok(())
    }
}

/// Whether every process finds the same model to be the best: one may have registered the metric.
fn is_ranked_alike(stats: &ResultStats) -> bool {
    (stats.is_ranked || stats.models.is_empty())
        && !stats.metric.as_deref().is_some_and(metrics::is_registered)
}

/// Adds rows to the results that they name; neighbours mostly name the same.
fn add_by_result(batch: &RecordBatch, rows: &mut HashMap<String, ResultRows>) -> Result<()> {
    let results = Texts::of(batch, RESULT)?;
    let mut start = 0;
    while start < batch.num_rows() {
        let result = results.get(start);
        let end =
            (start..batch.num_rows()).find(|row| results.get(*row) != result).unwrap_or(batch.num_rows());
        if let Some(result) = result {
            rows.entry(result.to_owned()).or_default().add(&batch.slice(start, end - start))?;
        }
        start = end;
    }
    Ok(())
}
