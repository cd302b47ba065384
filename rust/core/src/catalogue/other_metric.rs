//! Results by a metric that is not that of their rows, computed from the `scores` of rows.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::entry::Entry;
use super::found_results::Results;
use super::legacy::old_results::Groups;
use super::legacy::row_entry;
use super::legacy::row_groups::{Grouping, units};
use super::packed_results::{field, unpack};
use super::ranking::Ranking;
use super::result_fields::{COMPUTED, SCORE_FIELDS};
use super::run_results::{CacheState, RunResults, write_results};
use crate::base::codec::ByteWriter;
use crate::base::error::Result;
use crate::base::file_names::Name;
use crate::base::progress::Progress;
use crate::fs::folders;
use crate::reading::files;
use crate::segment::live_set::Open;
use crate::yaml::tree::Tree;

/// Of a run, by its place, what its results come to by a metric, by their ids.
type Scored = HashMap<usize, HashMap<String, Tree>>;

impl Ranking {
    /// Scores results of other metrics by this one, of some runs by their places; a result whose rows have no score
    /// by it stays as it is. The rows are read once, and what they say is cached.
    pub fn score_by(
        &mut self,
        root: &Path,
        metric: &str,
        wanted: &[usize],
        open: Open,
        progress: &Progress,
    ) -> Result<()> {
        let place = field("metric");
        let mut lacking = Vec::new();
        for &run in wanted {
            let mut lacks = false;
            unpack(&mut self.runs[run].results(), &mut |_, result| {
                lacks |= place.and_then(|place| result.text(place)) != Some(metric);
                Ok(())
            })?;
            if lacks {
                lacking.push(run);
            }
        }
        let native = self.runs.partition_point(|run| run.is_run);
        let (of_runs, of_old): (Vec<usize>, Vec<usize>) = lacking.into_iter().partition(|run| *run < native);
        let mut scored = self.of_runs(root, metric, &of_runs, open, progress)?;
        scored.extend(self.of_old(root, metric, native, &of_old, progress)?);
        for (run, scored) in scored {
            self.runs[run] = rescored(&self.runs[run], metric, &scored)?;
        }
        Ok(())
    }

    fn of_runs(
        &mut self,
        root: &Path,
        metric: &str,
        runs: &[usize],
        open: Open,
        progress: &Progress,
    ) -> Result<Scored> {
        if runs.is_empty() {
            return Ok(Scored::new());
        }
        let places: HashMap<String, usize> =
            runs.iter().map(|&run| (self.runs[run].id.clone(), run)).collect();
        let listing = files::list(root, open)?;
        let mut lists = vec![Vec::new(); self.runs.len()];
        for file in listing.files {
            let run = Name::of_path(Path::new(&file)).and_then(|name| places.get(&name.run_id));
            if let Some(run) = run {
                lists[*run].push(file);
            }
        }
        let read: Vec<usize> = runs.iter().copied().filter(|run| !lists[*run].is_empty()).collect();
        let lists: Vec<&[String]> = read.iter().map(|run| &lists[*run][..]).collect();
        let grouping = Grouping { metric: Some(metric), by_result: true };
        let mut scored = Scored::new();
        for (run, unit) in
            read.into_iter().zip(units(root, &lists, &listing.hidden, grouping, true, progress)?)
        {
            folders::add_errors(&mut self.folder_errors, unit.errors.iter().cloned());
            let said = unit.entry.as_deref().map(row_entry::results).transpose()?;
            scored.insert(run, by_id(said.as_ref().and_then(Tree::items).unwrap_or_default()));
        }
        Ok(scored)
    }

    fn of_old(
        &mut self,
        root: &Path,
        metric: &str,
        native: usize,
        runs: &[usize],
        progress: &Progress,
    ) -> Result<Scored> {
        let entries: Vec<Arc<Entry>> =
            runs.iter().filter_map(|run| self.old.get(run - native).cloned()).collect();
        let groups = Groups::read(root, &entries, Some(metric), &mut self.folder_errors, progress)?;
        let scored = runs.iter().zip(&entries).map(|(run, entry)| Ok((*run, by_id(&groups.of(entry)?))));
        scored.collect()
    }
}

fn by_id(results: &[Tree]) -> HashMap<String, Tree> {
    let named = results.iter().filter_map(|result| Some((result.text("id")?.to_owned(), result.clone())));
    named.collect()
}

/// A run whose results have these scores.
fn rescored(run: &RunResults, metric: &str, scored: &HashMap<String, Tree>) -> Result<RunResults> {
    let mut found = Results { errors: run.result_errors()?, ..Results::default() };
    unpack(&mut run.results(), &mut |_, result| {
        let mut result = result.tree()?;
        let own = result.text("id").and_then(|id| scored.get(id));
        if result.text("metric") != Some(metric)
            && let Some(own) = own.filter(|own| own.text(COMPUTED).is_some())
            && let Tree::Map(entries) = &mut result
        {
            for (key, value) in entries {
                let Some(name) = key.as_str() else { continue };
                if SCORE_FIELDS.contains(&name) {
                    *value = own.get(name).cloned().unwrap_or(Tree::Null);
                } else if name == "metric" {
                    *value = metric.into();
                } else if ["best_score", "best_model", "score_kind"].contains(&name) {
                    // They are of a row's own metric.
                    *value = Tree::Null;
                }
            }
        }
        found.results.push(result);
        Ok(())
    })?;
    let mut body = ByteWriter::default();
    body.bytes.extend_from_slice(run.before_results());
    write_results(&found, &mut body);
    let mut scored = RunResults::new(run.id.clone(), body.bytes.into(), CacheState::Never)?;
    scored.is_run = run.is_run;
    Ok(scored)
}
