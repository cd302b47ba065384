//! Which configuration each result is of.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::packed_results::{field, unpack};
use super::ranking;
use super::run_results::Wanted;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::query::equal_rows::ResultKey;

/// The ids of the configurations of the results of some runs, by run and result; those that say none are left out.
pub fn of_runs(
    root: &Path,
    runs: &BTreeSet<String>,
    progress: &Progress,
) -> Result<HashMap<ResultKey, String>> {
    let mut found = HashMap::new();
    let (Some(id), Some(config)) = (field("id"), field("config_id")) else { return Ok(found) };
    let is_of_run = |id: &str, _: &str| runs.contains(id);
    let mut ranking = ranking::list(root, &Wanted { is_of_run: &is_of_run, by_records: false }, progress)?;
    let wanted: Vec<usize> = (0..ranking.runs.len())
        .filter(|&place| ranking.runs[place].is_there && runs.contains(&ranking.runs[place].id))
        .collect();
    ranking.add_open(root, &wanted)?;
    for &place in &wanted {
        let run = &ranking.runs[place];
        unpack(&mut run.results(), &mut |_, result| {
            if let (Some(id), Some(config)) = (result.text(id), result.text(config)) {
                found.insert((run.id.clone(), id.to_owned()), config.to_owned());
            }
            Ok(())
        })?;
    }
    Ok(found)
}
